"""Picture of the study: a forest plot of the differences from the plain network, next to the cost."""
from __future__ import annotations

from pathlib import Path

import pandas as pd
from draw import HIGHLIGHT, INK, OTHERS, STYLE, plt
from studies import RECIPE, Study
from study_results import costs
from study_statistics import QUANTITIES


def picture(differences: pd.DataFrame, plans: dict[str, Study], path: Path) -> None:
    """Draw a row of panels for each study with results: clean, corrupted, cost. DMSCA and its recipes are blue.

    Args:
        differences: of ``study_statistics.compare``.
        plans: the studies by name.
        path: of the PNG.
    """
    studies = [name for name in plans if name in set(differences.study)]
    heights = [0.32 * differences[differences.study == name].contender.nunique() + 0.9 for name in studies]
    with plt.rc_context({**STYLE, 'font.size': 10, 'axes.titlesize': 10.5}):
        figure = plt.figure(figsize=(12, sum(heights) + 0.5 or 1), layout='constrained')
        rows = figure.subfigures(len(studies) or 1, 1, height_ratios=heights or None, squeeze=False)
        for part, study in zip(rows[:, 0], studies, strict=False):
            part.suptitle(plans[study].title, x=0.01, ha='left', fontweight='bold')
            _panels(part.subplots(1, len(QUANTITIES) + 1, sharey=True, width_ratios=[3] * len(QUANTITIES) + [2]),
                    plans[study], differences[differences.study == study])
        figure.supxlabel('Difference to the plain network in points of a hundred: mean and 95 % interval over the '
                         "seeds; filled where it is found after Holm's correction.\nTraining step: of a ResNet-50, "
                         'relative to the plain one.', fontsize=9.5, color='#57606a')
        figure.savefig(path, dpi=110)
        plt.close(figure)


def _panels(axes: list[plt.Axes], plan: Study, found: pd.DataFrame) -> None:
    contenders = [each for each in plan.contenders if each.name in set(found.contender)]
    places = {each.name: place for place, each in enumerate(contenders)}
    for panel, quantity in zip(axes, QUANTITIES, strict=False):
        for _, line in found[found.quantity == quantity].iterrows():
            colour = HIGHLIGHT if line.contender.startswith('dmsca') or line.family == RECIPE else INK
            panel.errorbar(line['mean'], places[line.contender], xerr=line.half, fmt='o', color=colour, capsize=3,
                           markerfacecolor=colour if line.corrected < 0.05 else 'white')
        panel.locator_params(axis='x', nbins=6)
        panel.axvline(0, color='#8b949e', linewidth=1)
        panel.set_title(f'{plan.metric}, {quantity}')
        panel.tick_params(axis='y', length=0)
    axes[0].set_yticks(list(places.values()), [f'DMSCA, {each.label}' if each.family == RECIPE else each.label
                                               for each in contenders])
    axes[0].set_ylim(len(places) - 0.5, -0.5)
    prices = costs()
    for name, place in places.items():
        if name in prices:
            train = prices[name][0]
            axes[-1].barh(place, train - 1, left=1, height=0.6, color=HIGHLIGHT if name.startswith('dmsca') else OTHERS)
            axes[-1].text(train, place, f' {train:.2f}', va='center', fontsize=9)
    axes[-1].set_title('training step')
    axes[-1].set_xlim(1, 1.15 * max(train for train, _ in prices.values()))
    axes[-1].tick_params(axis='y', length=0)
