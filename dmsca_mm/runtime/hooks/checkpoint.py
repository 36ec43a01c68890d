"""mmengine's CheckpointHook with atomic writes: an old checkpoint is removed only after the new one is complete."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process, master_only
from mmengine.fileio import register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ...checkpoint import writing
from ...checkpoint.publishing import publish
from ...checkpoint.writing import INTERRUPTED, WholeFiles
from ...config_tree import REGISTRY, add_import
from ...preflight.config_parts import stands_for
from .buffers import average_buffers


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, except that it removes an old checkpoint only after the new one is on the disk.

    The original removes the old one first and rewrites ``last_checkpoint`` in place. If it is killed in between, the
    work directory has no checkpoint, or ``last_checkpoint`` names none.
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
        average_buffers(runner)
        runner.save_checkpoint(
            self.out_dir, name, self.file_client_args, save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler, meta=meta, by_epoch=self.by_epoch,
            backend_args=self.backend_args, **self.args)
        if not is_main_process():
            return
        writing.write_atomically(self.last_ckpt.encode(), Path(runner.work_dir) / 'last_checkpoint')
        for old in outdated:
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
        (Path(runner.work_dir) / INTERRUPTED).unlink(missing_ok=True)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        backend, outdated = self.file_backend, []
        backend.remove = outdated.append
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            del backend.remove
        newest = {getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()}
        for path in outdated:
            # A resumed run can write the same name again, and its checkpoint can name a file of another run.
            if path not in newest and Path(path).resolve().parent == Path(self.out_dir).resolve():
                backend.remove(path)

    @master_only
    def _publish_model(self, runner: Runner, ckpt_path: str) -> None:
        publish(ckpt_path, ckpt_path, self.published_keys)  # mmengine's name has the hash of something else


def install(config: Config) -> None:
    """Make a run write its files atomically.

    Args:
        config: changed in place: its CheckpointHook, if it has one, becomes a :class:`WholeCheckpointHook`.
    """
    register_backend('local', WholeFiles, force=True, prefixes='')
    hook = (config.get('default_hooks') or {}).get('checkpoint')
    if hook and stands_for(hook.get('type'), CheckpointHook):
        hook['type'] = WholeCheckpointHook.__name__
        add_import(config, REGISTRY)
