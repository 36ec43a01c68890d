"""What the figures of this package share."""
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
"""The x and the y of a line."""
APART = 1 / 200
"""Of a chart's height: lines that are nearer look like one."""


def titled_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure, its sides in inches."""
    figure = Figure(figsize=(width, height), layout='constrained')
    figure.suptitle(title, x=0.01, ha='left', fontsize=13, fontweight='bold', color=INK)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG; its folder is made.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, facecolor='white')
    except OSError as error:
        raise UsageError(f'{path} could not be written ({error.strerror}): give another folder with --out') from error


def rendered(figure: Figure) -> Image.Image:
    """A figure as an image."""
    figure.set_dpi(140)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert('RGB')


def coinciding(lines: Mapping[str, Sequence[Points]]) -> dict[str, str]:
    """For each name whose lines look like those of an earlier one, that one's name.

    Args:
        lines: by name, one or more each; for a logarithmic axis the logarithms.
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
