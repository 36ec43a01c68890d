"""Figures of numbers."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from ..attention_maps.figures import INK
from ..coinciding import coinciding

PANELS = (('pointing', 'pointing game', 'highest pixel on an object'),
          ('energy', 'energy', 'share of the map that lies on objects'),
          ('iou', 'overlap', 'IoU at the best threshold'),
          ('precision', 'ranking', 'average precision of the pixels'))
CONTROL = 'other image'
"""What the name of a map ends with that is held against the objects of another image."""


def alignment_figure(rows: Sequence[dict[str, Any]], title: str) -> Figure:
    """How well maps fall onto objects: a panel for each number, a line for each map, over the stages.

    A line that lies on an earlier one is dashed; where it does so in every panel, the legend says on which.

    Args:
        rows: those of :meth:`alignment.Tally.summary`, each with ``model``; of all sizes together.
        title: of the figure.
    """
    figure = Figure(figsize=(13, 4.2), layout='constrained')
    figure.suptitle(title, x=0.01, ha='left', fontsize=13, fontweight='bold', color=INK)
    stages = sorted({row['stage'] for row in rows})
    lines: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for row in rows:
        lines.setdefault((row['model'], row['map']), {})[row['stage']] = row
    several = len({model for model, _ in lines}) > 1
    names = {line: f'{line[0]}: {line[1]}' if several else line[1] for line in lines}
    points = {name: {names[line]: [([*by_stage], [row[name] for row in by_stage.values()])]
                     for line, by_stage in lines.items()} for name, *_ in PANELS}
    covered = coinciding({name: [own for panel in points.values() for own in panel[name]] for name in names.values()})
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (number, heading, meaning) in zip(panels, PANELS, strict=True):
        dashed = coinciding(points[number])
        for (model, kind), by_stage in lines.items():
            control, name = kind.endswith(CONTROL), names[model, kind]
            axes.plot([*by_stage], [row[number] for row in by_stage.values()], marker='.' if control else 'o',
                      linestyle=':' if control else (0, (3, 3)) if name in dashed else '-',
                      linewidth=1.2 if control else 2,
                      label=f'{name} (on {covered[name]})' if name in covered else name)
        first = next(iter(lines.values()))
        axes.axhline(next(iter(first.values()))['area'], color='#8b949e', linestyle='--',
                     label='share of the area: chance')
        axes.set_title(f'{heading}\n{meaning}', fontsize=10, loc='left', color=INK)
        axes.set_xticks(stages, [f'stage {stage}' for stage in stages], fontsize=9)
        axes.set_ylim(0, 1)
        axes.grid(axis='y', color='#eaeef2')
        axes.spines[['top', 'right']].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=3, frameon=False, fontsize=9)
    return figure
