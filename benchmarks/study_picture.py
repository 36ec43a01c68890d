"""The study's picture: differences seed by seed, and the price."""
from __future__ import annotations

from pathlib import Path
from statistics import mean, median

from draw import HIGHLIGHT, INK, OTHERS, STYLE, plt
from study import TASKS
from study_rows import METRICS, NUMBERS, PLAIN, WHOLE, Row, against, costs, differences, label

SHOWN = {number: name for number, name in NUMBERS.items() if number != 'relative'}
FAR = 4
"""A mean beyond this many times the median of the panel's differences is written at the edge, not drawn."""


def picture(rows: list[Row], every: list[Row], path: Path) -> None:
    """A dot for each seed's difference and a line at their mean; attentions above, DMSCA's parts below.

    Args:
        rows: of ``study_rows.summary``.
        every: of ``study_rows.read``.
        path: of the PNG.
    """
    names = sorted(dict.fromkeys(row['contender'] for row in rows if row['contender'] != PLAIN),
                   key=lambda name: against(name) == WHOLE)
    attentions = sum(against(name) == PLAIN for name in names)
    with plt.rc_context({**STYLE, 'font.size': 10, 'axes.titlesize': 10.5}):
        figure, grid = plt.subplots(len(TASKS), len(SHOWN) + 1, figsize=(14, 0.3 * len(TASKS) * len(names) + 2.4),
                                    sharey=True, layout='constrained')
        for which, ((*panels, last), task) in enumerate(zip(grid, TASKS, strict=True)):
            for axes, (number, title) in zip(panels, SHOWN.items(), strict=True):
                found = [list(differences(every, task, name, number).values()) for name in names]
                _dots(axes, found)
                axes.set_title(f'{task.capitalize()}: {title}')
                axes.set_xlabel('average precision' if number == 'alignment' else METRICS[task])
            panels[0].set_yticks(range(len(names)), [label(name) for name in names])
            _price(last, which, names)
            for axes in (*panels, last):
                axes.axhline(attentions - 0.5, color='#8b949e', linewidth=1, linestyle=(0, (4, 3)))
        grid[0][0].invert_yaxis()
        figure.supxlabel('Above the dashed line: difference to the plain model. Below: to the whole DMSCA. '
                         'A dot is a seed, the short line their mean.', fontsize=9.5, color='#57606a', x=0.01,
                         ha='left')
        figure.savefig(path, dpi=110)
        plt.close(figure)


def _dots(axes: plt.Axes, found: list[list[float]]) -> None:
    """Rows of dots around zero."""
    values = [abs(value) for row in found for value in row]
    near = FAR * median(values) if values else 0
    edge = 1.15 * max([abs(value) for row in found for value in row if abs(mean(row)) <= near], default=0) or 1
    for place, row in enumerate(found):
        if not row:
            continue
        if abs(mean(row)) > edge:
            right = mean(row) > 0
            axes.text(edge if right else -edge, place, f'{mean(row):+.3f} →' if right else f'← {mean(row):+.3f}',
                      ha='right' if right else 'left', va='center', fontsize=9)
        else:
            axes.plot(row, [place] * len(row), 'o', color=HIGHLIGHT, alpha=0.55, markersize=5, markeredgewidth=0)
            axes.plot([mean(row)] * 2, [place - 0.32, place + 0.32], color=INK, linewidth=2)
    axes.axvline(0, color='#8b949e', linewidth=1)
    axes.set_xlim(-edge, edge)
    axes.locator_params(axis='x', nbins=5)
    axes.tick_params(axis='y', length=0)


def _price(axes: plt.Axes, which: int, names: list[str]) -> None:
    """Bars of the time of a training step (0) or of inference (1); a part that is held has none of its own."""
    prices = costs()
    for place, name in enumerate(names):
        if name in prices:
            ratio = prices[name][which]
            axes.barh(place, ratio - 1, left=1, height=0.6, color=HIGHLIGHT if name == WHOLE else OTHERS)
            axes.text(ratio, place, f' {ratio:.2f}', va='center', fontsize=9)
    axes.set_title(f'Price: {("training step", "inference")[which]}')
    axes.set_xlabel('time of a ResNet-50, plain = 1')
    axes.set_xlim(1, 1.1 * max(ratios[which] for ratios in prices.values()))
    axes.tick_params(axis='y', length=0)
