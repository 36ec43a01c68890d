"""Figures of what a model sees in an image: its DMSCA maps, and Grad-CAM of several models side by side."""
from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from ...errors import UsageError
from ..predictions import Shown
from .maps import Place

BOOST, DIM, INK = '#b2182b', '#2166ac', '#24292f'
AROUND_ONE, BLEND, HEAT = colormaps['RdBu_r'], colormaps['PuOr'], colormaps['inferno']
NAMED = 10
"""Classes that a legend has room for."""
KEY = """How to read it
channel gate   a bar a channel, sorted: above the neutral line boosted, below dimmed
spatial gate   a value a pixel: red boosted, blue dimmed
fusion gate   which of the two counts at a pixel: orange the channel gate (what),
                     purple the spatial gate (where), white both alike
activation    a last gate a pixel, computed from the fused features
total             all together: what a pixel's features are multiplied with, on average"""


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

    @property
    def identity(self) -> bool:
        """Whether the module still gives back its input: every gate is at its neutral value."""
        return all(_neutral(values, self.ceiling == 2)
                   for values in (self.channel, self.spatial, self.activation, self.total))


class Cam(NamedTuple):
    """Grad-CAM of one model for one image.

    Attributes:
        model: its name.
        found: what it found.
        maps: by stage, (H, W), at least 0.
        note: says what is explained where that is not what was found, or why nothing is; empty elsewhere.
    """

    model: str
    found: Shown
    maps: dict[int, np.ndarray]
    note: str = ''


def attention_figure(image: np.ndarray, found: Shown, attentions: Sequence[Attention], title: str) -> Figure:
    """What each module attended to in one image, a row for each.

    Args:
        image: (H, W, 3), RGB, 0 to 255.
        found: by the model.
        attentions: at least one.
        title: of the figure.
    """
    side = 2.6 * image.shape[0] / image.shape[1]
    figure = Figure(figsize=(15, (len(attentions) + 1) * (side + 0.75) + 0.5), layout='constrained')
    figure.suptitle(title, x=0.01, ha='left', fontsize=13, fontweight='bold', color=INK)
    above, below = figure.subfigures(2, 1, height_ratios=[1, len(attentions)])
    shown, key = above.subplots(1, 2, width_ratios=[1, 2])
    _show(shown, found)
    shown.set_title('what the model finds', fontsize=10)
    key.axis('off')
    key.text(0, 0.5, KEY, va='center', fontsize=11, linespacing=1.7, color=INK)
    grid = below.subplots(len(attentions), 5, squeeze=False)
    for attention, (bars, *panels) in zip(attentions, grid, strict=True):
        _bars(bars, attention)
        neutral, words = attention.ceiling == 2, _neutral_words(attention)
        for axes, name, values in zip(panels, ('spatial gate', 'fusion gate', 'activation'),
                                      (attention.spatial, attention.gate, attention.activation), strict=False):
            if name == 'fusion gate':
                _map(axes, name, values, _around(values, 0.5), BLEND.reversed())
            elif _neutral(values, neutral):
                _words(axes, name, words, np.full_like(image, 255))
            else:
                _map(axes, name, values, *_scale(values, neutral))
        _total(panels[-1], 'total, on the image', attention, image)
    return figure


def total_figure(image: np.ndarray, attention: Attention) -> Figure:
    """What a module multiplied the features of one image with: small, to stand beside others.

    Args:
        image: (H, W, 3), RGB, 0 to 255.
        attention: of the module.
    """
    figure = Figure(figsize=(2.4, 1.9 * image.shape[0] / image.shape[1] + 0.3), layout='constrained')
    _total(figure.add_subplot(), f'stage {attention.place.stage}, block {attention.place.block}', attention, image)
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
    for cam, (shown, *panels) in zip(cams, figure.subplots(len(cams), len(stages) + 1, squeeze=False), strict=True):
        _show(shown, cam.found)
        shown.set_title('\n'.join([cam.model, *textwrap.wrap(cam.note, 34)]), fontsize=10, fontweight='bold', color=INK)
        for stage, axes in zip(stages, panels, strict=True):
            axes.set_axis_off()
            if stage in cam.maps:
                values, name = cam.maps[stage], f'Grad-CAM, stage {stage}'
                if values.any():
                    _map(axes, name, values, Normalize(0, values.max()), HEAT, image, ends=('0', 'most'))
                else:
                    _words(axes, name, cam.note or 'zero everywhere: these features raise no score', image)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG.

    Args:
        figure: any.
        path: of the file; its folder is made.

    Raises:
        UsageError: it cannot be written.
    """
    FigureCanvasAgg(figure)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, facecolor='white')
    except OSError as error:
        raise UsageError(f'{path} could not be written ({error.strerror}): give another folder with --out') from error


def drawn(figure: Figure) -> Image.Image:
    """A figure as a picture, to go into a page.

    Args:
        figure: any.
    """
    figure.set_dpi(140)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert('RGB')


def _show(axes: Axes, found: Shown) -> None:
    axes.imshow(found.picture)
    axes.set_axis_off()
    if found.legend:
        axes.legend(handles=[Patch(color=np.divide(paint, 255), label=name) for name, paint in found.legend[:NAMED]],
                    fontsize=7, loc='upper left', bbox_to_anchor=(1, 1), frameon=False)


def _bars(axes: Axes, attention: Attention) -> None:
    values = np.sort(attention.channel)[::-1]
    neutral = 1.0 if attention.ceiling == 2 else 0.0
    axes.bar(np.arange(len(values)), values - neutral, bottom=neutral, width=1.0,
             color=np.where(values >= neutral, BOOST, DIM))
    axes.axhline(neutral, color=INK, linewidth=0.8)
    if _neutral(values, attention.ceiling == 2):
        _text(axes, 0.75, _neutral_words(attention))
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.margins(y=0.1)
    axes.set_title(f'channel gate, {len(values)} channels', fontsize=10)
    axes.set_ylabel(f'stage {attention.place.stage}, block {attention.place.block}\nτ = {attention.temperature:.3f}',
                    fontsize=11, fontweight='bold', color=INK)
    axes.tick_params(labelsize=8)
    axes.spines[['top', 'right']].set_visible(False)


def _neutral(values: np.ndarray, identity: bool) -> bool:
    """Whether a gate does nothing at all, but for the rounding of its enlargement."""
    return identity and bool(np.abs(values - 1).max() < 1e-6)


def _neutral_words(attention: Attention) -> str:
    return 'still at its identity initialization: 1 everywhere' if attention.identity else '1 everywhere'


def _total(axes: Axes, title: str, attention: Attention, image: np.ndarray) -> None:
    if attention.identity:
        _words(axes, title, _neutral_words(attention), image)
    else:
        _map(axes, title, attention.total, *_scale(attention.total, attention.ceiling == 2), image)


def _words(axes: Axes, title: str, words: str, image: np.ndarray) -> None:
    """Words over a pale image, in place of a map that shows nothing."""
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()
    axes.imshow(image.mean(2), cmap='gray', vmin=0, vmax=255, alpha=0.25)
    _text(axes, 0.5, words)


def _text(axes: Axes, height: float, words: str) -> None:
    axes.text(0.5, height, textwrap.fill(words, 18), transform=axes.transAxes, ha='center', va='center', fontsize=9,
              color=INK)


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
