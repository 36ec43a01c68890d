"""Import a library that imports torchvision when torchvision is not installed. Using torchvision raises an error."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NoReturn

from ..errors import UsageError

_MODULES = ('torchvision', 'torchvision.ops', 'torchvision.ops.boxes', 'torchvision.transforms',
            'torchvision.transforms.functional', 'torchvision.transforms.transforms')
"""Modules that mmpretrain 1.2.0 imports when it is imported."""


class _Missing(type):
    """Metaclass of the stand-ins for torchvision's functions, classes and constants. A class may inherit from one."""

    def __call__(cls, *arguments: Any, **options: Any) -> NoReturn:
        cls._refuse()

    def __getattr__(cls, name: str) -> Any:
        if name.startswith('__'):  # Python looks these up and copes without them
            raise AttributeError(name)
        cls._refuse()

    def _refuse(cls) -> NoReturn:
        origin = next(base.__qualname__ for base in cls.__mro__ if base.__module__ == _MODULES[0])
        what = '' if cls.__qualname__ == origin else f'{cls.__name__}: '
        raise UsageError(f'{what}{origin} needs torchvision, which is not installed: install the build that goes with '
                         'your torch, or do without it in the config')


class _Module(ModuleType):
    """A module of torchvision in which every name is missing."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self.__spec__ = ModuleSpec(name, None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        return _Missing(name, (), dict(__module__=_MODULES[0], __qualname__=f'{self.__name__}.{name}'))


@contextmanager
def stand_ins() -> Iterator[None]:
    """Make torchvision importable inside this block, even if it is not installed, and restore it afterwards.

    A name imported from the stand-ins raises a UsageError when it is used.
    """
    if find_spec(_MODULES[0]) is not None:
        yield
        return
    before = {name: sys.modules[name] for name in _MODULES if name in sys.modules}
    modules = {name: _Module(name) for name in _MODULES}
    for name, module in modules.items():
        parent, _, child = name.rpartition('.')
        if parent:
            setattr(modules[parent], child, module)
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in _MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(before)
