"""Lines of a chart that coincide, for its legend."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Points = tuple[Sequence[float], Sequence[float]]
"""The x and the y of a line."""
APART = 1 / 200
"""Of a chart's height: what is nearer than that looks like one line."""


def coinciding(lines: Mapping[str, Sequence[Points]]) -> dict[str, str]:
    """For each name whose lines cannot be told from those of an earlier one, that one's name.

    Args:
        lines: by name, one or more each, as they lie on the chart: of a logarithmic axis the logarithms.
    """
    heights = np.concatenate([[0.0], *(np.ravel(y) for own in lines.values() for _, y in own)])[1:]
    reach = APART * np.ptp(heights) if len(heights) else 0.0
    found: dict[str, str] = {}
    for name, own in lines.items():
        for earlier in lines:
            if earlier == name:
                break
            if earlier not in found and len(own) == len(lines[earlier]) and all(
                    np.array_equal(x, other_x) and np.allclose(y, other_y, rtol=0, atol=reach)
                    for (x, y), (other_x, other_y) in zip(own, lines[earlier], strict=True)):
                found[name] = earlier
                break
    return found
