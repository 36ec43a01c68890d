"""Charts of the report: logged scalars of the training and of each DMSCA module over the iterations."""
from __future__ import annotations

import math
import re

from .curves import COLOURS, Curve, line_chart
from .logs import ATTENTION, History, names, series
from .results import TIMES

OF_MODULES = {
    'channel_spread': 'Standard deviation of the channel gate (0: all channels alike)',
    'spatial_spread': 'Standard deviation of the spatial gate (0: all pixels alike)',
    'activation_spread': 'Standard deviation of the activation (0: all pixels alike)',
    'gate_mean': 'Mean fusion gate (1: channel branch, 0: spatial branch)',
    'temperature': 'Temperature τ',
    'gradient_norm': 'Norm of the gradient'}
"""Scalars of a DMSCA module that are drawn, and their titles."""

Chart = tuple[str, str]
"""A title and an SVG element."""


def curves(history: History) -> list[Chart]:
    """Draw losses, learning rate, gradient norm and metrics; a metric with only one value is omitted.

    A chart has at most one curve for each colour; its title reports how many there are.
    """
    training, validations = history.of('training'), history.of('validation')
    chosen = [('Losses', training, [name for name in names(training) if 'loss' in name]),
              ('Learning rate', training, ['lr']), ('Norm of the gradient', training, ['grad_norm']),
              ('Validation', validations, [name for name in names(validations) if name not in TIMES])]
    drawn = []
    for title, lines, scalars in chosen:
        above = -1 if lines is validations else -math.inf  # COCO uses -1 for a missing value
        found = [Curve(name, *series(lines, name, above)) for name in scalars]
        found = [curve for curve in found if len(curve.x) > (lines is validations)]
        if len(found) > len(COLOURS):
            title += f' (the first {len(COLOURS)} of {len(found)})'
        if found:
            drawn.append((title, line_chart(title, found[:len(COLOURS)])))
    return drawn


def attention(history: History) -> list[Chart]:
    """Draw the scalars of every DMSCA module, with one colour for each stage."""
    lines, drawn = history.of('attention'), []
    for scalar, title in OF_MODULES.items():
        logarithmic = scalar == 'gradient_norm'
        found = []
        for name in names(lines):
            if name.startswith(ATTENTION) and name.endswith(f'/{scalar}'):
                stage = re.search(r'layer(\d+)', name)
                found.append(Curve(f'stage {stage[1]}' if stage else 'elsewhere',
                                   *series(lines, name, 0 if logarithmic else -math.inf)))
        found = [curve for curve in found if curve.x]
        if found:
            drawn.append((title, line_chart(title, found, logarithmic)))
    return drawn
