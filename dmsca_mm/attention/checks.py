"""Argument checks of the attention modules. Each message names the argument, its value and the allowed values."""
from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

from torch import Tensor, fx


def positive_int(name: str, value: object) -> int:
    """Return ``value`` as an int of at least 1."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f'{name} must be an int >= 1, got {value!r} of type {type(value).__name__}')
    if value < 1:
        raise ValueError(f'{name} must be an int >= 1, got {value}')
    return int(value)


def odd_int(name: str, value: object) -> int:
    """Return ``value`` as an odd int of at least 1, a kernel size that preserves the size of the map."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f'{name} must be an odd int >= 1, got {value!r} of type {type(value).__name__}')
    if value < 1 or value % 2 == 0:
        raise ValueError(f'{name} must be an odd int >= 1, got {value}')
    return int(value)


def odd_ints(name: str, values: object) -> tuple[int, ...]:
    """Return ``values`` as a non-empty tuple of odd ints."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f'{name} must be a non-empty sequence of odd ints >= 1, got {values!r} '
                        f'of type {type(values).__name__}')
    if not values:
        raise ValueError(f'{name} must be a non-empty sequence of odd ints >= 1, got {values!r}')
    return tuple(odd_int(f'{name}[{i}]', value) for i, value in enumerate(values))


def positive_float(name: str, value: object) -> float:
    """Return ``value`` as a finite float above 0."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'{name} must be a finite float > 0, got {value!r} of type {type(value).__name__}')
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f'{name} must be a finite float > 0, got {value}')
    return number


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of the allowed words."""
    if not isinstance(value, str):
        raise TypeError(f'{name} must be one of {allowed}, got {value!r} of type {type(value).__name__}')
    if value not in allowed:
        raise ValueError(f'{name} must be one of {allowed}, got {value!r}')
    return value


def feature_map(x: Tensor, channels: int) -> None:
    """Require a floating point feature map of shape (N, channels, H, W) with H, W >= 1."""
    if isinstance(x, fx.Proxy):  # while FX traces, a proxy has no shape to check
        return
    if not isinstance(x, Tensor):
        raise TypeError(f'expected a Tensor of shape (N, {channels}, H, W), got a value of type {type(x).__name__}')
    if x.dim() != 4 or x.shape[1] != channels:
        raise ValueError(f'expected an input of shape (N, {channels}, H, W), got {tuple(x.shape)}')
    if not x.is_floating_point():
        raise ValueError(f'expected a floating point input of shape (N, {channels}, H, W), got {x.dtype} of shape '
                         f'{tuple(x.shape)}')
    if x.shape[2] == 0 or x.shape[3] == 0:
        raise ValueError(f'expected an input of shape (N, {channels}, H, W) with H >= 1 and W >= 1, got '
                         f'{tuple(x.shape)}')
