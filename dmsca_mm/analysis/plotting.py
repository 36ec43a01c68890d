"""Functions that the figures of this package share."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ..errors import UsageError

INK = '#24292f'
Points = tuple[Sequence[float], Sequence[float]]
"""The x and y values of a line."""
APART = 1 / 200
"""Share of a chart's height below which the distance of two lines is invisible."""


def literal(text: str) -> str:
    """Return a text that matplotlib draws as it is: with two dollar signs it would be a formula."""
    return text.replace('$', r'\$')


def titled_figure(width: float, height: float, title: str) -> Figure:
    """Create an empty figure with a title; its sides are in inches."""
    figure = Figure(figsize=(width, height), layout='constrained')
    figure.suptitle(literal(title), x=0.01, ha='left', fontsize=13, fontweight='bold', color=INK)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG, and create its folder.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, facecolor='white')
    except OSError as error:
        raise UsageError(f'{path} could not be written ({error.strerror}): give another folder with --out') from error


def rendered(figure: Figure) -> Image.Image:
    """Render a figure as an image."""
    figure.set_dpi(140)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert('RGB')


def coinciding(lines: Mapping[str, Sequence[Points]]) -> dict[str, str]:
    """Map each name whose lines look like those of an earlier name to the earlier name.

    Args:
        lines: one or more lines by name; their logarithms for a logarithmic axis.
    """
    heights = [height for own in lines.values() for _, y in own for height in y]
    reach = APART * np.ptp(heights) if heights else 0.0

    def look_equal(own: Sequence[Points], others: Sequence[Points]) -> bool:
        return len(own) == len(others) and all(
            np.array_equal(x, other_x) and np.allclose(y, other_y, rtol=0, atol=reach)
            for (x, y), (other_x, other_y) in zip(own, others, strict=True))
    found: dict[str, str] = {}
    for place, (name, own) in enumerate(lines.items()):
        earlier = [other for other in list(lines)[:place] if other not in found and look_equal(own, lines[other])]
        if earlier:
            found[name] = earlier[0]
    return found
