"""Present a :class:`Summary` as a Markdown table that is readable as text, and as a picture."""
from __future__ import annotations

from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plotting import INK, coinciding, literal
from .corruptions import GROUPS, SEVERITIES
from .summary import Summary

LINES = (('#0b6bcb', 'o'), ('#d1570b', 's'), ('#2b8a3e', '^'), ('#8a3ffc', 'D'))
"""Colour and marker of each corruption of a group; markers help those who cannot tell the colours apart."""


def table(summary: Summary) -> str:
    """Return a table with a row for each corruption, then the means, mPC and rPC."""
    severities = summary.severities
    means = summary.by_corruption
    rows = [['group', 'corruption', *map(str, severities), 'mean']]
    rows.append(['---'] * len(rows[0]))
    for group in summary.by_group:
        rows += [[group, name, *(_number(summary, summary.cells[name, severity]) for severity in severities),
                  _number(summary, means[name])] for name in GROUPS[group] if name in means]
    rows.append(['all', 'mean', *(_number(summary, value) for value in summary.by_severity.values()),
                 _number(summary, summary.mpc)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f'| {" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |' for row in rows]
    groups = ', '.join(f'{group} {_number(summary, value)}' for group, value in summary.by_group.items())
    return '\n'.join([*lines, '', f'{_label(summary)}: clean {_number(summary, summary.clean)}, mPC '
                      f'{_number(summary, summary.mpc)}, rPC {_percent(summary)}; {groups}',
                      *(['', f'Warning: {summary.warning}'] if summary.warning else [])])


def picture(summary: Summary, title: str) -> bytes:
    """Return a PNG of performance against severity, with a panel for each group and the clean level as a line.

    Args:
        summary: summary to draw.
        title: names the model and the data.
    """
    groups = list(summary.by_group)
    columns = min(2, len(groups))
    height = -(-len(groups) // columns)
    figure = Figure(figsize=(1.2 + 4.2 * columns, 1.3 + 2.9 * height), layout='constrained')
    panels = figure.subplots(height, columns, sharex=True, sharey=True, squeeze=False)
    for axes, group in zip(panels.flat, groups, strict=False):
        _panel(axes, summary, group)
    for axes in panels.flat[len(groups):]:
        axes.set_axis_off()
    figure.suptitle(f'{literal(title)}\nclean {_number(summary, summary.clean)}, mean under corruption (mPC) '
                    f'{_number(summary, summary.mpc)}: {_percent(summary)} of it (rPC)', color=INK, fontsize=11)
    figure.supxlabel('severity of the corruption, 1 (weak) to 5; 0: clean images', color=INK, fontsize=10)
    figure.supylabel(_label(summary), color=INK, fontsize=10)
    file = BytesIO()
    figure.savefig(file, format='png', dpi=100)
    return file.getvalue()


def _panel(axes: Axes, summary: Summary, group: str) -> None:
    axes.axhline(summary.clean, color=INK, linewidth=1, linestyle='--', label='clean')
    severities = summary.severities
    # A line is joined to the clean level only if severity 1 was measured.
    start = [(0, summary.clean)] if severities[0] == 1 else []
    drawn = {name: [*zip(*start, *((severity, summary.cells[name, severity]) for severity in severities), strict=True)]
             for name in GROUPS[group] if name in summary.corruptions}
    twins = coinciding({name: [line] for name, line in drawn.items()})
    for (name, line), (colour, mark) in zip(drawn.items(), LINES, strict=False):
        # Dashes and hollow markers show the line below.
        twin = twins.get(name)
        label = name.replace('_', ' ') + (f' (on {twin.replace("_", " ")})' if twin else '')
        axes.plot(*line, color=colour, marker=mark, markersize=8 if twin else 4.5,
                  fillstyle='none' if twin else 'full', linestyle=(0, (3, 3)) if twin else '-', label=label)
    axes.set_title(f'{group}: mean {_number(summary, summary.by_group[group])}', loc='left', color=INK, fontsize=10,
                   fontweight='bold')
    axes.set_xticks([0, *SEVERITIES])
    axes.set_ylim(0, 1.08 * max(summary.clean, *summary.cells.values()) or 1)
    axes.grid(axis='y', color='#d9dde2', linewidth=0.6)
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc='lower left')


def _label(summary: Summary) -> str:
    return f'{summary.metric} ({summary.unit or "0 to 1"})'


def _number(summary: Summary, value: float) -> str:
    return f'{value:.1f}' if summary.unit else f'{value:.3f}'


def _percent(summary: Summary) -> str:
    return 'undefined' if summary.rpc is None else f'{100 * summary.rpc:.1f} %'
