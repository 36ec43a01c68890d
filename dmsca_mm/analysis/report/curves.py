"""Small SVG charts of a training for an HTML page, in the page's colours."""
from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy import log

from ..plotting import coinciding

COLOURS = ('#3b82d0', '#e0663a', '#2a9d62', '#a95bd1', '#c28f10', '#d1457e', '#1a9aa0', '#7f858d', '#8f6b4e', '#6b6fd6')
"""Colours of the lines, each visible on white and on black."""

_INK = '#0a0b0c'
"""Placeholder for the page's text colour, which replaces it after drawing."""
_STYLE = {
    'svg.fonttype': 'none', 'text.parse_math': False, 'font.family': ['DejaVu Sans', 'sans-serif'], 'font.size': 8,
    'text.color': _INK, 'axes.labelcolor': _INK, 'axes.edgecolor': _INK, 'xtick.color': _INK, 'ytick.color': _INK,
    'axes.spines.top': False, 'axes.spines.right': False, 'axes.linewidth': 0.6, 'axes.grid': True,
    'grid.color': _INK, 'grid.alpha': 0.15, 'grid.linewidth': 0.5, 'lines.linewidth': 1.2, 'legend.frameon': False,
    'axes.formatter.useoffset': False,
}


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes:
        label: name of the curve; curves of the same name share a colour and a legend entry.
        x: iterations, increasing, at least one.
        y: finite values, one for each of ``x``.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]


def line_chart(title: str, curves: Sequence[Curve], logarithmic: bool = False) -> str:
    """Draw curves over the iterations as an ``<svg>`` element, labelled with the first and last value of each.

    A curve that coincides with an earlier one is dashed, and the legend names the earlier one.

    Args:
        title: title for screen readers; it is not drawn.
        curves: curves of the chart, at least one.
        logarithmic: use a logarithmic vertical axis; values must be above 0.
    """
    lines: dict[str, list[tuple[Sequence[float], Sequence[float]]]] = {}
    for curve in curves:
        lines.setdefault(curve.label, []).append((curve.x, log(curve.y) if logarithmic else curve.y))
    labels, covered = list(lines), coinciding(lines)
    with matplotlib.rc_context({**_STYLE, 'svg.hashsalt': title}):  # deterministic output
        figure = Figure(figsize=(3.7, 2.5), layout='constrained')
        axes = figure.add_subplot()
        for curve in curves:
            place, twin = labels.index(curve.label), covered.get(curve.label)
            axes.plot(curve.x, curve.y, color=COLOURS[place % len(COLOURS)], marker='o' if len(curve.x) < 9 else '',
                      markersize=3, label=f'{curve.label} (on {twin})' if twin else curve.label,
                      linestyle=(4 * (place % 3), (4, 8)) if twin else '-')
        axes.set_xlabel('iteration')
        axes.margins(x=0.02)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if logarithmic:
            axes.set_yscale('log')
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter('{x:g}')
        if len(labels) > 1:
            handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
            figure.legend(handles.values(), handles.keys(), loc='outside lower center', handlelength=1.2,
                          ncols=2 if max(map(len, handles)) > 12 else 4)
        file = StringIO()
        figure.savefig(file, format='svg', transparent=True)
    return _inline(file.getvalue(), f'{title}. {_described(curves)}')


def _described(curves: Sequence[Curve]) -> str:
    parts = []
    for label in dict.fromkeys(curve.label for curve in curves):
        first, last = zip(*((curve.y[0], curve.y[-1]) for curve in curves if curve.label == label), strict=True)
        parts.append(f'{label}: from {_span(first)} to {_span(last)}')
    return '; '.join(parts)


def _span(values: Sequence[float]) -> str:
    low, high = f'{min(values):.4g}', f'{max(values):.4g}'
    return low if low == high else f'{low}…{high}'


def _inline(svg: str, label: str) -> str:
    """Return only the SVG element, without parts that would clash with other charts on the page."""
    svg = svg[svg.index('<svg'):]
    svg = re.sub(r'<metadata>.*?</metadata>\s*', '', svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', '<g', svg)
    svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r'(\.\d\d)\d+', r'\1', path[0]), svg)  # 1/100 point is enough
    svg = svg.replace(_INK, 'currentColor')
    return svg.replace('<svg', f'<svg role="img" aria-label="{html.escape(label)}"', 1)
