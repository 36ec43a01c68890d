"""Panels of the figures: a picture, gate or map on matplotlib axes. Values are (H, W), images (H, W, 3), RGB.

Nothing is drawn where values are NaN.
"""
from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize, TwoSlopeNorm
from PIL import Image

from ..plotting import INK, literal
from .maps import Attention

BOOSTED, DIMMED = '#b2182b', '#2166ac'
AROUND_ONE, BLEND, HEAT = colormaps['RdBu_r'], colormaps['PuOr_r'], colormaps['inferno']


def picture(axes: Axes, shown: Image.Image, title: str, **style: Any) -> None:
    """Draw a picture under its title."""
    axes.imshow(shown)
    _head(axes, title, **style)


def channel_gate(axes: Axes, attention: Attention) -> None:
    """Draw the channel gate as sorted bars that start at its neutral value."""
    values = np.sort(attention.channel)[::-1]
    neutral = 1.0 if attention.ceiling == 2 else 0.0
    axes.bar(np.arange(len(values)), values - neutral, bottom=neutral, width=1.0,
             color=np.where(values >= neutral, BOOSTED, DIMMED))
    axes.axhline(neutral, color=INK, linewidth=0.8)
    if attention.is_neutral(values):
        _text(axes, 0.75, _neutral_text(attention))
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.margins(y=0.1)
    axes.set_title(f'channel gate, {len(values)} channels', fontsize=10)
    axes.set_ylabel(f'stage {attention.place.stage}, block {attention.place.block}\nτ = {attention.temperature:.3f}',
                    fontsize=11, fontweight='bold', color=INK)
    axes.tick_params(labelsize=8)
    axes.spines[['top', 'right']].set_visible(False)


def gate(axes: Axes, title: str, values: np.ndarray, attention: Attention, image: np.ndarray | None = None) -> None:
    """Draw a gate of each pixel. The colours are centred on 1 if 1 is neutral, or start at 0 if the gate only dims."""
    if attention.is_neutral(values):
        _pale_image(axes, title, np.full((*values.shape, 3), 255) if image is None else image, _neutral_text(attention))
    elif attention.ceiling == 2:
        _map(axes, title, values, _around(values, 1.0), AROUND_ONE, image)
    else:
        _map(axes, title, values, Normalize(0, max(np.nanmax(values), 1e-12)), HEAT, image)


def fusion_gate(axes: Axes, values: np.ndarray) -> None:
    """Draw the gate between the two branches, with colours centred on 1/2."""
    _map(axes, 'fusion gate', values, _around(values, 0.5), BLEND)


def heat(axes: Axes, title: str, values: np.ndarray, image: np.ndarray, without: str) -> None:
    """Draw Grad-CAM, at least 0, on its image, or a text if it is zero everywhere."""
    if highest := np.nanmax(values):
        bar = _map(axes, title, values, Normalize(0, highest), HEAT, image)
        bar.set_ticks([0, highest], labels=['0', 'most'])
    else:
        _pale_image(axes, title, image, without)


def _neutral_text(attention: Attention) -> str:
    return 'still at its identity initialization: 1 everywhere' if attention.is_identity else '1 everywhere'


def _pale_image(axes: Axes, title: str, image: np.ndarray, text: str) -> None:
    _head(axes, title)
    axes.imshow(image.mean(2), cmap='gray', vmin=0, vmax=255, alpha=0.25)
    _text(axes, 0.5, text)


def _text(axes: Axes, height: float, text: str) -> None:
    axes.text(0.5, height, textwrap.fill(text, 18), transform=axes.transAxes, ha='center', va='center', fontsize=9,
              color=INK)


def _around(values: np.ndarray, centre: float) -> Normalize:
    reach = max(float(np.nanmax(np.abs(values - centre))), 1e-3)
    return TwoSlopeNorm(centre, max(centre - reach, 0.0), centre + reach)


def _map(axes: Axes, title: str, values: np.ndarray, norm: Normalize, colours: Colormap,
         image: np.ndarray | None = None) -> Any:
    """Draw a map with its colour bar, and return the colour bar."""
    _head(axes, title)
    if image is not None:
        axes.imshow(image.mean(2), cmap='gray', vmin=0, vmax=255)
    shown = axes.imshow(values, cmap=colours, norm=norm, alpha=None if image is None else 0.6)
    bar = axes.figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.02)
    bar.ax.tick_params(labelsize=8)
    return bar


def _head(axes: Axes, title: str, **style: Any) -> None:
    axes.set_axis_off()
    axes.set_title(literal(title), fontsize=10, color=INK, **style)
