"""Figures of what a model sees in an image: its DMSCA maps, and Grad-CAM of several models side by side."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from PIL import Image

from .maps import Place

BOOST, DIM, INK = '#b2182b', '#2166ac', '#24292f'
AROUND_ONE, BLEND, HEAT = colormaps['RdBu_r'], colormaps['PuOr'], colormaps['inferno']
COLOURS = colormaps['tab20'].colors
NAMED = 10
"""Classes of a label map that the legend names."""
KEY = """How to read it
channel gate   a bar a channel, sorted: above the neutral line boosted, below dimmed
spatial gate   a value a pixel: red boosted, blue dimmed
fusion gate   which of the two counts at a pixel: orange the channel gate (what),
                     purple the spatial gate (where), white both alike
activation    a last gate a pixel, computed from the fused features
total             all together: what a pixel's features are multiplied with, on average"""


@dataclass(frozen=True)
class Findings:
    """What was found in an image, or what is annotated.

    Attributes:
        boxes: (K, 4), left, top, right and bottom in pixels.
        texts: one for each box.
        numbers: the class of each box, from 0.
        labels: (H, W), the class of each pixel, from 0; None where there is no label map.
        classes: all names.
    """

    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    texts: Sequence[str] = ()
    numbers: Sequence[int] = ()
    labels: np.ndarray | None = None
    classes: Sequence[str] = ()


class Attention(NamedTuple):
    """The maps of one DMSCA module for one image, at the size of the image.

    Attributes:
        place: of the module.
        channel: (C,).
        spatial, gate, activation, total: (H, W).
        temperature: τ.
        ceiling: s, the upper end of a gate's range: 2 where 1 is neutral, else 1.
    """

    place: Place
    channel: np.ndarray
    spatial: np.ndarray
    gate: np.ndarray
    activation: np.ndarray
    total: np.ndarray
    temperature: float
    ceiling: float


class Cam(NamedTuple):
    """Grad-CAM of one model for one image.

    Attributes:
        model: its name.
        findings: what it found.
        maps: by stage, (H, W), at least 0.
    """

    model: str
    findings: Findings
    maps: dict[int, np.ndarray]


def attention_figure(image: np.ndarray, findings: Findings, attentions: Sequence[Attention], title: str) -> Figure:
    """What each module attended to in one image, a row for each.

    Args:
        image: (H, W, 3), RGB, 0 to 255.
        findings: of the model.
        attentions: at least one.
        title: of the figure.
    """
    side = 2.6 * image.shape[0] / image.shape[1]
    figure = Figure(figsize=(15, (len(attentions) + 1) * (side + 0.75) + 0.5), layout='constrained')
    figure.suptitle(title, x=0.01, ha='left', fontsize=13, fontweight='bold', color=INK)
    above, below = figure.subfigures(2, 1, height_ratios=[1, len(attentions)])
    shown, key = above.subplots(1, 2, width_ratios=[1, 2])
    show_findings(shown, image, findings)
    shown.set_title('what the model finds', fontsize=10)
    key.axis('off')
    key.text(0, 0.5, KEY, va='center', fontsize=11, linespacing=1.7, color=INK)
    grid = below.subplots(len(attentions), 5, squeeze=False)
    for attention, (bars, *panels) in zip(attentions, grid, strict=True):
        _bars(bars, attention)
        neutral = attention.ceiling == 2
        for axes, name, values in zip(panels, ('spatial gate', 'fusion gate', 'activation'),
                                      (attention.spatial, attention.gate, attention.activation), strict=False):
            norm, colours = (_around(values, 0.5), BLEND.reversed()) if name == 'fusion gate' else \
                _scale(values, neutral)
            _map(axes, name, values, norm, colours)
        _map(panels[-1], 'total, on the image', attention.total, *_scale(attention.total, neutral), image)
    return figure


def total_figure(image: np.ndarray, attention: Attention) -> Figure:
    """What a module multiplied the features of one image with: small, to stand beside others.

    Args:
        image: (H, W, 3), RGB, 0 to 255.
        attention: of the module.
    """
    figure = Figure(figsize=(2.4, 1.9 * image.shape[0] / image.shape[1] + 0.3), layout='constrained')
    _map(figure.add_subplot(), f'stage {attention.place.stage}, block {attention.place.block}', attention.total,
         *_scale(attention.total, attention.ceiling == 2), image)
    return figure


def cam_figure(image: np.ndarray, cams: Sequence[Cam], title: str) -> Figure:
    """Grad-CAM of several models for one image, a row for each, a column for each stage.

    Args:
        image: (H, W, 3), RGB, 0 to 255.
        cams: at least one.
        title: of the figure.
    """
    stages = sorted({stage for cam in cams for stage in cam.maps})
    side = 2.2 * image.shape[0] / image.shape[1]
    figure = Figure(figsize=(2.9 * (len(stages) + 1), len(cams) * (side + 0.4) + 0.4), layout='constrained')
    figure.suptitle(title, x=0.01, ha='left', fontsize=13, fontweight='bold', color=INK)
    for cam, (found, *panels) in zip(cams, figure.subplots(len(cams), len(stages) + 1, squeeze=False), strict=True):
        show_findings(found, image, cam.findings)
        found.set_title(cam.model, fontsize=10, fontweight='bold', color=INK)
        for stage, axes in zip(stages, panels, strict=True):
            axes.set_axis_off()
            if stage in cam.maps:
                values = cam.maps[stage]
                _map(axes, f'Grad-CAM, stage {stage}', values, Normalize(0, max(values.max(), 1e-12)), HEAT, image,
                     ends=('0', 'most'))
    return figure


def show_findings(axes: Axes, image: np.ndarray, findings: Findings) -> None:
    """An image with boxes, or a label map over it.

    Args:
        axes: where to draw.
        image: (H, W, 3), RGB, 0 to 255.
        findings: what to draw.
    """
    axes.imshow(image)
    axes.set_xticks([])
    axes.set_yticks([])
    if findings.labels is not None:
        palette = np.array([COLOURS[number % len(COLOURS)] for number in range(int(findings.labels.max()) + 1)])
        axes.imshow(palette[findings.labels], alpha=0.55)
        numbers, counts = np.unique(findings.labels, return_counts=True)
        largest = numbers[np.argsort(-counts)][:NAMED]
        axes.legend(handles=[Patch(color=palette[number], label=findings.classes[number]) for number in largest],
                    fontsize=7, loc='upper left', bbox_to_anchor=(1, 1), frameon=False)
    for (left, top, right, bottom), text, number in zip(findings.boxes, findings.texts, findings.numbers, strict=True):
        colour = COLOURS[2 * number % len(COLOURS)]
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, color=colour, linewidth=1.6))
        axes.text(left, top, text, fontsize=7.5, color='white', va='bottom',
                  bbox=dict(facecolor=colour, edgecolor='none', pad=1))


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG.

    Args:
        figure: any.
        path: of the file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=110, facecolor='white')


def picture(figure: Figure) -> Image.Image:
    """A figure as a picture, to go into a page.

    Args:
        figure: any.
    """
    figure.set_dpi(140)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert('RGB')


def _bars(axes: Axes, attention: Attention) -> None:
    values = np.sort(attention.channel)[::-1]
    neutral = 1.0 if attention.ceiling == 2 else 0.0
    axes.bar(np.arange(len(values)), values - neutral, bottom=neutral, width=1.0,
             color=np.where(values >= neutral, BOOST, DIM))
    axes.axhline(neutral, color=INK, linewidth=0.8)
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.margins(y=0.1)
    axes.set_title(f'channel gate, {len(values)} channels', fontsize=10)
    axes.set_ylabel(f'stage {attention.place.stage}, block {attention.place.block}\nτ = {attention.temperature:.3f}',
                    fontsize=11, fontweight='bold', color=INK)
    axes.tick_params(labelsize=8)
    axes.spines[['top', 'right']].set_visible(False)


def _scale(values: np.ndarray, neutral: bool) -> tuple[Normalize, Colormap]:
    """Around 1 where that is the neutral value; from 0 where a gate can only dim."""
    return (_around(values, 1.0), AROUND_ONE) if neutral else (Normalize(0, max(values.max(), 1e-12)), HEAT)


def _around(values: np.ndarray, centre: float) -> Normalize:
    reach = max(float(np.abs(values - centre).max()), 1e-3)
    return TwoSlopeNorm(centre, max(centre - reach, 0.0), centre + reach)


def _map(axes: Axes, title: str, values: np.ndarray, norm: Normalize, colours: Colormap,
         image: np.ndarray | None = None, ends: tuple[str, str] | None = None) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()
    if image is not None:
        axes.imshow(image.mean(2), cmap='gray', vmin=0, vmax=255)
    shown = axes.imshow(values, cmap=colours, norm=norm, alpha=None if image is None else 0.6)
    bar = axes.figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.02)
    bar.ax.tick_params(labelsize=8)
    if ends is not None:
        bar.set_ticks([norm.vmin, norm.vmax], labels=list(ends))
