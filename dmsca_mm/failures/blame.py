"""Whose fault an exception is, read from its traceback: a part of the config, this package, or a user's module."""
from __future__ import annotations

import inspect
import os
import re
import sysconfig
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.runner import Runner

from ..config_tree import walk

OPENMMLAB = ('mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain')
"""Libraries that build what a config names."""
_OURS = 'dmsca_mm'
_USER = 'user'
_BUILDER = os.path.join('mmengine', 'registry', 'build_functions.py')
_INSTALLED = tuple(sysconfig.get_paths()[kind] for kind in ('purelib', 'platlib', 'stdlib', 'platstdlib'))
_IN_WORKER = re.compile(r'^ *File "(.+?)", line (\d+), in .*\n(?: +(?!File )(.+))?', re.MULTILINE)


@dataclass(frozen=True)
class Frame:
    """A line that was running when an exception came.

    Attributes:
        file: its path.
        line: its number in the file.
        text: its source.
        owner: name of the class whose method it is in, or that it builds; '' where there is none.
    """

    file: str
    line: int
    text: str
    owner: str = ''

    @property
    def builds(self) -> bool:
        """Whether it is mmengine's registry that builds a part of a config."""
        return self.file.endswith(_BUILDER)

    @property
    def package(self) -> str:
        """First name of the package that it is in; ``'user'`` for what is neither installed nor known."""
        for root in _INSTALLED:
            if self.file.startswith(root + os.sep):
                return Path(self.file).relative_to(root).parts[0]
        return next((part for part in reversed(Path(self.file).parts) if part in (*OPENMMLAB, _OURS)), _USER)

    @property
    def place(self) -> str:
        """The end of its path, for a message."""
        return '/'.join(Path(self.file).parts[-3:])


def frames_of(error: BaseException) -> list[Frame]:
    """The lines that led to an exception, the last where it was raised; in a data worker where it came from one."""
    found = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        found.append(Frame(file, line, traceback.FrameSummary(file, line, '').line or '', _owner(frame.f_locals, file)))
    _, _, of_worker = str(error).partition('Original Traceback')
    found += [Frame(file, int(line), text) for file, line, text in _IN_WORKER.findall(of_worker)]
    return [frame for frame in found if not frame.file.startswith('<')] or found


def is_refusal(frames: Sequence[Frame], of_a_user: bool) -> bool:
    """Whether a library raised an exception, or this package on purpose: what merely happens to its code is a bug.

    Args:
        frames: of :func:`frames_of`.
        of_a_user: whether an exception of a user's own module counts, too.
    """
    for frame in reversed(frames):
        if frame.package in OPENMMLAB:
            return True
        if frame.package == _OURS:
            return frame is frames[-1] and frame.text.startswith('raise ')
        if frame.package == _USER:
            return of_a_user
    return False


def part_of(frames: Sequence[Frame], config: Any) -> str | None:
    """Path and type of the config's entry that was at work, such as ``'model.neck (FPN)'``; None where none was.

    Args:
        frames: of :func:`frames_of`.
        config: the complete config, or None.
    """
    places: dict[str, list[str]] = {}
    read = inspect.signature(Runner).parameters  # the rest of a config are names that those were made of
    for path, part in walk({key: config[key] for key in read if config and key in config}):
        if 'type' in part:
            places.setdefault(_name(part['type']), []).append(path)
    for frame in reversed(frames):
        if frame.owner in places:
            return f'{" or ".join(places[frame.owner][:3])} ({frame.owner})'
    return None


def what(error: BaseException, frames: Sequence[Frame]) -> str:
    """An exception in a few words: its type and the first sentence of its message, or the source of a bare assert.

    Args:
        error: the exception.
        frames: of :func:`frames_of`.
    """
    text = str(error)
    if 'Original Traceback' in text:
        return first_sentence(text.strip().splitlines()[-1])
    return f'{type(error).__name__}: {first_sentence(text) or frames[-1].text}'


def first_sentence(text: str) -> str:
    """The first sentence of a text, on one line."""
    return re.split(r'\. (?=[A-Z])', ' '.join(text.split()))[0].rstrip('.')


def keep(error: BaseException, folder: Path) -> Path:
    """Write an exception's traceback into a file.

    Args:
        error: the exception.
        folder: of the run's logs.

    Returns:
        The file's path, one for each process; of a full disk there is no file.
    """
    path = folder / f'traceback_{os.environ.get("RANK", "0")}.txt'
    with suppress(OSError):
        path.write_text(''.join(traceback.format_exception(error)))
    return path


def _owner(variables: dict[str, Any], file: str) -> str:
    """The class whose method a frame is in; of mmengine's builder, what it builds."""
    if file.endswith(_BUILDER):
        settings = variables.get('cfg')
        return _name(settings['type']) if isinstance(settings, dict) and 'type' in settings else ''
    return type(variables['self']).__name__ if 'self' in variables else ''


def _name(kind: Any) -> str:
    return getattr(kind, '__name__', str(kind)).split('.')[-1]
