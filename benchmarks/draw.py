"""Plots of the measurements, each readable in ten seconds."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use('Agg')
import matplotlib.pyplot as plt
import numpy as np

Row = dict[str, Any]
HIGHLIGHT, RELATED, OTHERS, INK = '#0b6bcb', '#9cc4ec', '#c4c8ce', '#24292f'
STYLE = {'font.family': 'DejaVu Sans', 'font.size': 11, 'axes.titlesize': 12, 'axes.titleweight': 'bold',
         'axes.titlelocation': 'left', 'axes.spines.top': False, 'axes.spines.right': False, 'text.color': INK,
         'axes.labelcolor': INK, 'xtick.color': INK, 'ytick.color': INK, 'axes.edgecolor': '#8b949e'}


def colour(label: str) -> str:
    """One strong colour for the fast form, a pale one for its relatives, grey for the rest."""
    return HIGHLIGHT if label == 'DMSCA fast' else RELATED if label.startswith('DMSCA') else OTHERS


def caption(rows: list[Row], what: str) -> str:
    """Return a caption: what was measured, where and when, and the contenders that were left out."""
    row = rows[0]
    where = f'{row["machine"]}, threads: {row["threads"]}' if row['device'] == 'cpu' else row['machine']
    memory_format = '' if row['memory_format'] == 'contiguous' else f', {row["memory_format"]}'
    left_out = dict.fromkeys(f'{row["contender"]} {row["note"]}' for row in rows if 'note' in row)
    return '\n'.join([f'{what}.', f'{where}, {row["dtype"]}{memory_format}, torch {row["torch"]}, {row["date"]}. '
                      f'Medians of {row["rounds"]} rounds, lines from first to third quartile.', *left_out])


def bars(axes: plt.Axes, labels: list[str], values: np.ndarray, start: float, form: str,
         quartiles: np.ndarray | None = None) -> None:
    """Draw horizontal bars from ``start`` with their values; an outlier is truncated and marked with an arrow."""
    quartiles = np.stack([values, values]) if quartiles is None else quartiles
    low, ends = min(start, quartiles.min()), np.maximum(quartiles[1], start + 1e-9)
    *_, second, longest = [start, *sorted(ends)]
    high = start + 1.3 * (second - start) if longest - start > 2 * (second - start) > 0 else longest
    cut = ends > high
    places, ends = np.arange(len(labels)), np.minimum(ends, high)
    lengths = np.minimum(values, high) - start
    axes.barh(places, lengths, left=start, color=[colour(label) for label in labels], height=0.68)
    axes.hlines(places[~cut], *quartiles[:, ~cut], color=INK, linewidth=1.2)
    for place, label, value, end in zip(places, labels, values, ends, strict=True):
        axes.text(end + 0.02 * (high - low), place, ('→ ' if cut[place] else '') + form.format(value), va='center',
                  fontweight='bold' if label == 'DMSCA fast' else 'normal')
    axes.set_xlim(low, low + 1.25 * (high - low))
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.tick_params(axis='y', length=0)
    for tick in axes.get_yticklabels():
        tick.set_fontweight('bold' if tick.get_text() == 'DMSCA fast' else 'normal')


def costs(rows: list[Row], network: str | None, path: Path) -> None:
    """Plot the time of training and inference relative to plain, and extra memory, with a bar for each contender.

    Args:
        rows: of ``measure_backbone``, or of ``measure_operator`` for several shapes, which are summed.
        network: what ``measure_backbone`` measured, such as ``'ResNet-50'``; None for ``measure_operator``.
        path: of the picture.
    """
    shapes = list(dict.fromkeys(row['shape'] for row in rows))
    plain, found = rows[0]['contender'], {}
    for row in rows:
        if 'note' not in row:
            found.setdefault(row['contender'], []).append(row)
    whole = {label: entries for label, entries in found.items() if len(entries) == len(shapes)}

    def ratio(label: str, key: str) -> float:
        if len(shapes) == 1:
            return whole[label][0][key]
        milliseconds = key.replace('ratio', 'ms')
        base = sum(row[milliseconds.split('_ms')[0] + '_ms'] for row in whole[plain])
        return sum(row[milliseconds] for row in whole[label]) / base

    labels = sorted((label for label in whole if label != plain), key=lambda label: ratio(label, 'train_ratio'))
    if not labels:
        return
    start = 1.0 if network else 0.0
    against = f'plain {network} = 1' if network else 'a copy of X = 1'
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(1, 3, figsize=(12.5, 1.9 + 0.36 * len(labels)), sharey=True, layout='constrained')
        for axes, name, title in zip(panels, ('train', 'inference'), ('Training step', 'Inference'), strict=False):
            values = np.array([ratio(label, f'{name}_ratio') for label in labels])
            quartiles = np.array([[ratio(label, f'{name}_ratio_{q}') for label in labels] for q in ('q1', 'q3')])
            bars(axes, labels, values, start, '{:.2f}' if network else '{:.1f}', quartiles)
            axes.set_title(title)
            axes.set_xlabel(f'time, {against}')
        if not network:
            panels[1].axvline(1.5, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        memory = np.array([sum(row['extra_mb'] for row in whole[label]) for label in labels])
        bars(panels[2], labels, memory, 0.0, '{:.0f}')
        panels[2].set_title('Extra memory in training')
        panels[2].set_xlabel('MB at the peak of a step')
        what = f'{network}, attention in every block, input {shapes[0]}' if network else \
            f'Attention alone, sum over the maps {", ".join(shapes)}; dashed: two reads and one write of X'
        figure.supxlabel(caption(rows, what), fontsize=9, color='#57606a', x=0.01, ha='left')
        figure.savefig(path, dpi=150)
        plt.close(figure)


def scaling(rows: list[Row], path: Path) -> None:
    """Plot time against pixels and against channels on log-log axes, with a dashed line for linear growth.

    Args:
        rows: of ``measure_operator`` with ``axis``, ``'pixels'`` or ``'channels'``, and ``size``.
        path: of the picture.
    """
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(1, 2, figsize=(12.5, 4.6), sharey=True, layout='constrained')
        for axes, axis in zip(panels, ('pixels', 'channels'), strict=True):
            here = [row for row in rows if row['axis'] == axis and 'note' not in row]
            for label in dict.fromkeys(row['contender'] for row in here):
                sizes, times = np.array([(row['size'], row['train_ms']) for row in here if row['contender'] == label]).T
                strong = label == 'DMSCA fast'
                axes.plot(sizes, times, marker='o', markersize=5, linewidth=2.6 if strong else 1.6,
                          color={'CBAM': '#57606a', 'plain': '#b0b6bd'}.get(label, colour(label)),
                          zorder=3 if strong else 2, label='copy of X' if label == 'plain' else label)
            sizes = np.unique([row['size'] for row in here])
            low = min(row['train_ms'] for row in here) / 2
            axes.plot(sizes, low * sizes / sizes[0], color='#8b949e', linewidth=1, linestyle='dashed', label='linear')
            axes.set(xscale='log', yscale='log', xlabel=axis)
            axes.set_xticks(sizes, [f'{size:.0f}' for size in sizes])
            axes.minorticks_off()
            axes.grid(axis='y', color='#e6e8eb')
        panels[0].set_title('Forward and backward against pixels')
        panels[1].set_title('Forward and backward against channels')
        panels[0].set_ylabel('milliseconds')
        panels[0].legend(frameon=False)
        figure.supxlabel(caption(rows, 'Attention alone'), fontsize=9, color='#57606a', x=0.01, ha='left')
        figure.savefig(path, dpi=150)
        plt.close(figure)
