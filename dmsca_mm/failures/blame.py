"""Attribute an exception, from its traceback, to a part of the config, this package or a user's module."""
from __future__ import annotations

import ast
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
"""Libraries that build the parts of a config."""
_OURS = 'dmsca_mm'
_USER = 'user'
_BUILDER = os.path.join('mmengine', 'registry', 'build_functions.py')
_INSTALLED = tuple(sysconfig.get_paths()[kind] for kind in ('purelib', 'platlib', 'stdlib', 'platstdlib'))
_IN_WORKER = re.compile(r'^ *File "(.+?)", line (\d+), in .*\n(?: +(?!File )(.+))?', re.MULTILINE)


@dataclass(frozen=True)
class Frame:
    """A stack frame of an exception.

    Attributes:
        file: path of the source file.
        line: line number.
        text: source of the line.
        owner: name of the class whose method the frame runs, or that it builds; '' if there is none.
    """

    file: str
    line: int
    text: str
    owner: str = ''

    @property
    def builds(self) -> bool:
        """True if mmengine's registry builds a part of a config in this frame."""
        return self.file.endswith(_BUILDER)

    @property
    def package(self) -> str:
        """Top-level package of the file; ``'user'`` if it is neither installed nor known."""
        for root in _INSTALLED:
            if self.file.startswith(root + os.sep):
                return Path(self.file).relative_to(root).parts[0]
        return next((part for part in reversed(Path(self.file).parts) if part in (*OPENMMLAB, _OURS)), _USER)

    @property
    def place(self) -> str:
        """Last three parts of the path, for messages."""
        return '/'.join(Path(self.file).parts[-3:])


def frames_of(error: BaseException) -> list[Frame]:
    """Return the frames of an exception, the innermost last, followed by those in the data worker that raised it."""
    found = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        found.append(Frame(file, line, traceback.FrameSummary(file, line, '').line or '', _owner(frame.f_locals, file)))
    _, _, of_worker = str(error).partition('Original Traceback')
    found += [Frame(file, int(line), text, _class_at(file, int(line)))
              for file, line, text in _IN_WORKER.findall(of_worker)]
    return [frame for frame in found if not frame.file.startswith('<')] or found


def is_refusal(frames: Sequence[Frame], of_a_user: bool) -> bool:
    """Return whether a library, or this package with ``raise``, raised an exception; other errors in its code are bugs.

    Args:
        frames: frames from :func:`frames_of`.
        of_a_user: whether exceptions of a user's own module count as well.
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
    """Return path and type of the config entry that failed, such as ``'model.neck (FPN)'``; None if unknown.

    Args:
        frames: frames from :func:`frames_of`.
        config: the complete config, or None.
    """
    places: dict[str, list[str]] = {}
    read = inspect.signature(Runner).parameters  # other keys are variables of the config files
    for path, part in walk({key: config[key] for key in read if config and key in config}):
        if 'type' in part:
            places.setdefault(_name(part['type']), []).append(path)
    for frame in reversed(frames):
        if frame.owner in places:
            return f'{" or ".join(places[frame.owner][:3])} ({frame.owner})'
    return None


def what(error: BaseException, frames: Sequence[Frame]) -> str:
    """Summarize an exception: its type and the first sentence of its message, or the source line if it has none.

    Args:
        error: the exception.
        frames: frames from :func:`frames_of`.
    """
    text = str(error)
    if 'Original Traceback' in text:
        return first_sentence(text.strip().splitlines()[-1])
    return f'{type(error).__name__}: {first_sentence(text) or frames[-1].text}'


def first_sentence(text: str) -> str:
    """Return the first sentence of a text, on one line."""
    return re.split(r'\. (?=[A-Z])', ' '.join(text.split()))[0].rstrip('.')


def keep(error: BaseException, folder: Path) -> Path:
    """Write the traceback of an exception to a file.

    Args:
        error: the exception.
        folder: log folder of the run.

    Returns:
        Path of the file, one per rank. The file is missing if it could not be written, as on a full disk.
    """
    path = folder / f'traceback_{os.environ.get("RANK", "0")}.txt'
    with suppress(OSError):
        path.write_text(''.join(traceback.format_exception(error)))
    return path


def _owner(variables: dict[str, Any], file: str) -> str:
    """Return the class whose method a frame runs, or that mmengine's builder builds; '' if there is none."""
    if file.endswith(_BUILDER):
        settings = variables.get('cfg')
        return _name(settings['type']) if isinstance(settings, dict) and 'type' in settings else ''
    return type(variables['self']).__name__ if 'self' in variables else ''


def _class_at(file: str, line: int) -> str:
    """Return the class whose body holds a line of a source file; '' if there is none or no such file."""
    try:
        tree = ast.parse(Path(file).read_text())
    except (OSError, ValueError, SyntaxError):
        return ''
    return next((node.name for node in ast.walk(tree)
                 if isinstance(node, ast.ClassDef) and node.lineno <= line <= node.end_lineno), '')


def _name(kind: Any) -> str:
    return getattr(kind, '__name__', str(kind)).split('.')[-1]
