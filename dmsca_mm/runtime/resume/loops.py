"""mmengine's training loops, which here resume in the middle of an epoch exactly as if never interrupted."""
from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

from mmengine.config import Config
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner, find_latest_checkpoint
from torch.utils.data import DataLoader

from ... import checkpoint
from ...config_tree import REGISTRY, add_import
from ...preflight.config_parts import stands_for
from .sampler import Batches, seed_all

BEGUN = 'epoch_begun'
"""Entry of the message hub, which checkpoints contain: number, first iteration and batches of the current epoch."""


@LOOPS.register_module()
class SameEpochLoop(EpochBasedTrainLoop):
    """mmengine's loop over epochs, which resumes after the batches that the epoch has already used.

    Every random number follows from the seed and the position, so no random state is stored.

    Args:
        runner: the runner.
        dataloader: config of the data loader.
        options: those of EpochBasedTrainLoop.
    """

    def __init__(self, runner: Runner, dataloader: DataLoader | dict[str, Any], **options: Any) -> None:
        super().__init__(runner, _repeatable(runner, dataloader), **options)
        _show_batch_size(self.dataloader)
        self._done = 0
        meta, former = _resumed(self.runner)
        if meta:
            self._done = self._done_of_epoch(meta, former)
            left = (self._max_epochs - meta['epoch']) * len(self.dataloader)
            self._max_iters = meta['iter'] - self._done + left  # earlier epochs may have had another number of batches

    def _done_of_epoch(self, meta: dict[str, Any], former: dict[str, Any]) -> int:
        begun = former.get(BEGUN)
        if begun is None:  # a checkpoint of mmengine's loop
            batches = former['max_iters'] // former['max_epochs']
            begun = dict(epoch=meta['epoch'], iter=meta['epoch'] * batches, batches=batches)
        if begun['batches'] == len(self.dataloader):
            return meta['iter'] - begun['iter'] if begun['epoch'] == meta['epoch'] else 0
        self.runner.logger.warning(
            f'the earlier run had {begun["batches"]} batches an epoch, this one has {len(self.dataloader)}: it resumes '
            f'at the beginning of epoch {meta["epoch"] + 1}')
        return 0

    def run_epoch(self) -> None:
        """Run one epoch, or the rest of it."""
        self.runner.message_hub.update_info(
            BEGUN, dict(epoch=self._epoch, iter=self._iter - self._done, batches=len(self.dataloader)))
        if isinstance(self.dataloader.batch_sampler, Batches):
            self.dataloader.batch_sampler.begin(self._epoch, self._done)
        super().run_epoch()
        self._done = 0

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Iterate one batch."""
        seed_all(self.runner.seed, self._iter)
        super().run_iter(idx + self._done, data_batch)


@LOOPS.register_module()
class SameIterLoop(IterBasedTrainLoop):
    """mmengine's loop over iterations, which on resume skips the batches already used without loading them.

    Args:
        runner: the runner.
        dataloader: config of the data loader.
        options: those of IterBasedTrainLoop.
    """

    def __init__(self, runner: Runner, dataloader: DataLoader | dict[str, Any], **options: Any) -> None:
        done = _resumed(runner)[0].get('iter', 0)
        super().__init__(runner, _repeatable(runner, dataloader, endless=True, done=done), **options)
        _show_batch_size(self.dataloader)
        if isinstance(self.dataloader.batch_sampler, Batches):
            self.dataloader_iterator = _Left(self.dataloader_iterator, done)

    def run_iter(self, data_batch: Any) -> None:
        """Iterate one batch."""
        seed_all(self.runner.seed, self._iter)
        super().run_iter(data_batch)


class _Left:
    """Remaining batches of a resumed run, for a loop that itself skips the batches already used.

    mmengine draws and discards every batch already used; its fork calls ``skip_iter``, if anything. Neither may
    discard a remaining batch.
    """

    def __init__(self, batches: Iterator[Any], done: int) -> None:
        self._batches = batches if hasattr(batches, 'skip_iter') else chain(repeat(None, done), batches)

    def __next__(self) -> Any:
        return next(self._batches)

    def skip_iter(self, done: int) -> None:
        """Skip nothing."""


_LOOPS = {EpochBasedTrainLoop: SameEpochLoop, IterBasedTrainLoop: SameIterLoop}


def install(config: Config) -> None:
    """Make a run resume exactly from any iteration.

    Args:
        config: changed in place: the loops of this file replace mmengine's training loops; other loops stay.
    """
    loop = config.get('train_cfg') or {}
    if 'by_epoch' in loop:
        loop['type'] = 'EpochBasedTrainLoop' if loop.pop('by_epoch') else 'IterBasedTrainLoop'
    for plain, own in _LOOPS.items():
        if stands_for(loop.get('type'), plain):
            loop['type'] = own.__name__
            add_import(config, REGISTRY)


def _repeatable(runner: Runner, loader: DataLoader | dict[str, Any], **options: Any) -> DataLoader | dict[str, Any]:
    """Return the config of a data loader with :class:`Batches` added; return a built loader unchanged."""
    if not isinstance(loader, dict):
        return loader
    loader = dict(loader)
    inner = loader.pop('batch_sampler', None)
    if inner is None:
        options['drop_last'] = loader.pop('drop_last', False)
    loader['batch_sampler'] = dict(type=Batches, inner=inner, seed=runner.seed, **options)
    return loader


def _show_batch_size(loader: DataLoader) -> None:
    """Set ``batch_size``, which torch sets to None for a loader with a batch sampler, and mmpretrain's hooks read."""
    if isinstance(loader.batch_sampler, Batches):
        object.__setattr__(loader, 'batch_size', loader.batch_sampler.batch_size)  # torch refuses


def _resumed(runner: Runner) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the position and runtime information of the checkpoint to resume from; both empty for a fresh run.

    mmengine restores them only after it has built the loop, but its loop over iterations loads data when it is built.
    """
    # Without a path mmengine takes the newest checkpoint in the work directory.
    path = (runner._load_from or find_latest_checkpoint(runner.work_dir)) if runner._resume else None
    if path is None or '://' in path:
        return {}, {}
    content = checkpoint.read(path)
    return content['meta'], content['message_hub']['runtime_info']
