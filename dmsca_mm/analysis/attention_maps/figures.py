"""Figures of a model's predictions with its DMSCA maps, or with Grad-CAM of several models."""
from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ..plotting import INK, titled_figure
from . import panels
from .grad_cam import Cam
from .maps import Attention

KEY = """How to read it
channel gate   one bar for each channel, sorted: above the neutral line amplified, below attenuated
spatial gate   one value for each pixel: red amplified, blue attenuated
fusion gate   which gate dominates at a pixel: orange the channel gate,
                     purple the spatial gate, white both equally
activation    a final gate for each pixel, computed from the fused features
total             the mean factor of a pixel's features, all gates combined"""


def attention_figure(image: np.ndarray, picture: Image.Image | None, attentions: Sequence[Attention], title: str
                     ) -> Figure:
    """Draw the maps of DMSCA modules for one image, one row for each module.

    Args:
        image: (H, W, 3), RGB, 0 to 255.
        picture: the image with the predictions drawn on it; None if they cannot be drawn.
        attentions: maps of the modules, at least one.
        title: title of the figure.
    """
    side = 2.6 * image.shape[0] / image.shape[1]
    figure = titled_figure(15, (len(attentions) + 1) * (side + 0.75) + 0.5, title)
    above, below = figure.subfigures(2, 1, height_ratios=[1, len(attentions)])
    shown, key = above.subplots(1, 2, width_ratios=[1, 2])
    if picture is None:
        panels.picture(shown, Image.fromarray(image), 'the image: predictions of this kind cannot be drawn')
    else:
        panels.picture(shown, picture, 'what the model finds')
    key.axis('off')
    key.text(0, 0.5, KEY, va='center', fontsize=11, linespacing=1.7, color=INK)
    grid = below.subplots(len(attentions), 5, squeeze=False)
    for attention, (bars, spatial, fusion, activation, total) in zip(attentions, grid, strict=True):
        panels.channel_gate(bars, attention)
        panels.gate(spatial, 'spatial gate', attention.spatial, attention)
        panels.fusion_gate(fusion, attention.gate)
        panels.gate(activation, 'activation', attention.activation, attention)
        panels.gate(total, 'total, on the image', attention.total, attention, image)
    return figure


def total_figure(image: np.ndarray, attention: Attention) -> Figure:
    """Draw the mean factor by which a module multiplies the features of one image, as a small figure.

    Args:
        image: (H, W, 3), RGB, 0 to 255.
        attention: maps of the module.
    """
    figure = Figure(figsize=(2.4, 1.9 * image.shape[0] / image.shape[1] + 0.3), layout='constrained')
    panels.gate(figure.add_subplot(), f'stage {attention.place.stage}, block {attention.place.block}',
                attention.total, attention, image)
    return figure


def cam_figure(image: np.ndarray, cams: Sequence[Cam], title: str) -> Figure:
    """Draw Grad-CAM of several models for one image, one row for each model and one column for each stage.

    Args:
        image: (H, W, 3), RGB, 0 to 255.
        cams: Grad-CAM of each model, at least one.
        title: title of the figure.
    """
    stages = sorted({stage for cam in cams for stage in cam.maps})
    side = 2.2 * image.shape[0] / image.shape[1]
    figure = titled_figure(2.9 * (len(stages) + 1), len(cams) * (side + 0.4) + 0.4, title)
    for cam, (shown, *others) in zip(cams, figure.subplots(len(cams), len(stages) + 1, squeeze=False), strict=True):
        panels.picture(shown, cam.picture, '\n'.join([cam.model, *textwrap.wrap(cam.note, 34)]), fontweight='bold')
        for stage, axes in zip(stages, others, strict=True):
            axes.set_axis_off()
            if stage in cam.maps:
                panels.heat(axes, f'Grad-CAM, stage {stage}', cam.maps[stage], image,
                            cam.note or 'zero everywhere: these features raise no score')
    return figure
