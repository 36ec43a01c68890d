"""Checkpoints that are whole or not there: written aside, flushed, renamed; older ones go afterwards."""
from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..errors import UsageError
from ..plugin import REGISTRY, add_import
from . import checkpoint

PART = '.part'
"""What the name of a file that is still being written ends with."""
INTERRUPTED = 'interrupted.pth'
"""The checkpoint of a run that was told to stop; it goes when a regular one is there again."""


def write_whole(content: bytes | memoryview, path: str | Path, way_on: str = 'go on with --resume') -> None:
    """Write a file so that at any moment its name stands for the old content or for the new one, also after a kill.

    Args:
        content: what the file shall hold.
        path: a local file; its folder is made where it is missing.
        way_on: what a user does when there is room again, for the error.

    Raises:
        UsageError: it cannot be written, as on a full disk; the old content stays.
    """
    path = Path(path)
    part = path.with_name(path.name + PART)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        old = 'its earlier content is' if path.exists() else 'earlier files are'
        raise UsageError(f'{path} could not be written ({len(content) / 1e6:.1f} MB: {error.strerror}); {old} whole: '
                         f'make room, then {way_on}') from error


class WholeFiles(LocalBackend):
    """mmengine's access to local files, with :func:`write_whole` for what it writes."""

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Write a file, whole or not at all."""
        write_whole(obj, filepath)


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, except that an old checkpoint goes only when the new one lies on the disk.

    The original removes the old one first and rewrites ``last_checkpoint`` in place: a kill in between leaves a work
    directory without a checkpoint, or a ``last_checkpoint`` that names none.
    """

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        outdated = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            while len(self.keep_ckpt_ids) >= self.max_keep_ckpts:
                outdated.append(self.keep_ckpt_ids.popleft())
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir, name, self.file_client_args, save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler, meta=meta, by_epoch=self.by_epoch,
            backend_args=self.backend_args, **self.args)
        if not is_main_process():
            return
        write_whole(self.last_ckpt.encode(), Path(runner.work_dir) / 'last_checkpoint')
        for old in outdated:
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
        (Path(runner.work_dir) / INTERRUPTED).unlink(missing_ok=True)


def install(config: Config) -> None:
    """Make a run write whole files.

    Args:
        config: changed in place: its CheckpointHook, if it has one, becomes a :class:`WholeCheckpointHook`.
    """
    register_backend('local', WholeFiles, force=True, prefixes='')
    hook = (config.get('default_hooks') or {}).get('checkpoint')
    if hook and hook.get('type') in ('CheckpointHook', CheckpointHook):
        hook['type'] = WholeCheckpointHook.__name__
        add_import(config, REGISTRY)


def newest(directory: Path) -> tuple[str | None, list[str]]:
    """The newest whole checkpoint of a work directory, and the reasons why newer ones were passed over.

    Args:
        directory: of an earlier run; it may have been moved since.

    Raises:
        UsageError: there are checkpoints, and none is whole.
    """
    found = sorted((path for path in directory.glob('*.pth') if not path.name.startswith('best_')),
                   key=lambda path: path.stat().st_mtime_ns, reverse=True)
    pointer = directory / 'last_checkpoint'
    if pointer.is_file():
        named = Path(pointer.read_text().strip())
        named = named if named.is_file() else directory / named.name
        if named.is_file():
            found = [named, *(path for path in found if path.resolve() != named.resolve())]
    passed_over = []
    for path in found:
        try:
            checkpoint.read(path)
        except UsageError as error:
            passed_over.append(str(error))
        else:
            return str(path), passed_over
    if passed_over:
        raise UsageError(f'no whole checkpoint in {directory}: {passed_over[0]}; start anew with --overwrite')
    return None, []
