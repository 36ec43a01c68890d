"""Compute mPC, rPC and means from the performance under each corruption and severity."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .corruptions import GROUPS


@dataclass(frozen=True)
class Summary:
    """A model's performance under corruption.

    Args:
        metric: name of the metric; higher must be better.
        unit: unit of the metric, ``'%'`` or, for shares from 0 to 1, ``''``.
        clean: performance on the clean images.
        cells: performance for each (corruption, severity); every corruption has the same severities.
        warning: warning for a reader of the figures, or empty.

    Raises:
        ValueError: there are no cells, or a corruption lacks a severity that another has.

    Source:
        mPC and rPC are defined by Michaelis et al. 2019, arXiv 1907.07484.
    """

    metric: str
    unit: str
    clean: float
    cells: dict[tuple[str, int], float]
    warning: str = ''

    def __post_init__(self) -> None:
        missing = [(name, severity) for name in self.corruptions for severity in self.severities
                   if (name, severity) not in self.cells]
        if missing or not self.cells:
            raise ValueError(f'the table must be full and not empty: {missing[:1] or "no cell"} is missing')

    @property
    def corruptions(self) -> tuple[str, ...]:
        """Names of the corruptions, in the order of the groups."""
        names = {name for name, _ in self.cells}
        return tuple(name for group in GROUPS.values() for name in group if name in names)

    @property
    def severities(self) -> tuple[int, ...]:
        """Severities in increasing order."""
        return tuple(sorted({severity for _, severity in self.cells}))

    @property
    def mpc(self) -> float:
        """Mean performance under corruption: over corruptions and severities."""
        return _mean(self.cells.values())

    @property
    def rpc(self) -> float | None:
        """Relative performance under corruption: mPC / clean. None if the clean performance is 0."""
        return self.mpc / self.clean if self.clean else None

    @property
    def by_corruption(self) -> dict[str, float]:
        """Mean over severities for each corruption."""
        return {name: _mean(self.cells[name, severity] for severity in self.severities) for name in self.corruptions}

    @property
    def by_severity(self) -> dict[int, float]:
        """Mean over corruptions for each severity."""
        return {severity: _mean(self.cells[name, severity] for name in self.corruptions)
                for severity in self.severities}

    @property
    def by_group(self) -> dict[str, float]:
        """Mean over its corruptions in ``cells`` for each group that has any."""
        means = self.by_corruption
        members = {group: [means[name] for name in names if name in means] for group, names in GROUPS.items()}
        return {group: _mean(values) for group, values in members.items() if values}


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)
