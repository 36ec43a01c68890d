"""Figure of the alignment."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from ..plotting import INK, coinciding, literal, titled_figure

PANELS = {
    'pointing': 'highest pixel on an object',
    'energy': 'share of the map that lies on objects',
    'iou': 'IoU at the best threshold',
    'precision': 'average precision of the pixels',
}
"""Each number of a row, with its meaning."""
CONTROL = 'other image'
"""Suffix of the name of a map that is compared with the objects of another image."""


def alignment_figure(rows: Sequence[dict[str, Any]], title: str) -> Figure:
    """Draw a panel for each number with a line for each map, over the stages.

    A line that coincides with an earlier one is dashed. If it does so in every panel, the legend names the earlier one.

    Args:
        rows: rows of :meth:`alignment.numbers.Tally.summary` for objects of all sizes, each with ``model``.
        title: title of the figure.
    """
    figure = titled_figure(13, 4.2, title)
    stages = sorted({row['stage'] for row in rows})
    lines: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for row in rows:
        lines.setdefault((row['model'], row['map']), {})[row['stage']] = row
    several = len({model for model, _ in lines}) > 1
    names = {line: f'{line[0]}: {line[1]}' if several else line[1] for line in lines}
    points = {number: {names[line]: [([*by_stage], [row[number] for row in by_stage.values()])]
                       for line, by_stage in lines.items()} for number in PANELS}
    covered = coinciding({name: [own for panel in points.values() for own in panel[name]] for name in names.values()})
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (number, meaning) in zip(panels, PANELS.items(), strict=True):
        dashed = coinciding(points[number])
        for name, ((x, y),) in points[number].items():
            control = name.endswith(CONTROL)
            axes.plot(x, y, marker='.' if control else 'o', linewidth=1.2 if control else 2,
                      linestyle=':' if control else (0, (3, 3)) if name in dashed else '-',
                      label=literal(f'{name} (on {covered[name]})' if name in covered else name))
        axes.axhline(rows[0]['area'], color='#8b949e', linestyle='--', label='share of the area: chance')
        axes.set_title(f'{number}\n{meaning}', fontsize=10, loc='left', color=INK)
        axes.set_xticks(stages, [f'stage {stage}' for stage in stages], fontsize=9)
        axes.set_ylim(0, 1)
        axes.grid(axis='y', color='#eaeef2')
        axes.spines[['top', 'right']].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=3, frameon=False, fontsize=9)
    return figure
