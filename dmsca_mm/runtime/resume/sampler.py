"""Deterministic, resumable sampler: batches and augmentation follow from the seed and the position."""
from __future__ import annotations

import os
import random
import signal
import threading
import warnings
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS, FUNCTIONS
from torch.utils.data import BatchSampler, Sampler

from ...errors import UsageError


def seed_all(*key: int) -> None:
    """Set the random state of Python, numpy and torch.

    Args:
        key: what the state follows from, non-negative numbers.
    """
    first, second, third = np.random.SeedSequence(key).generate_state(3)
    random.seed(int(first))
    np.random.seed(second)
    torch.manual_seed(int(third))


class SeededBatch:
    """Indices of a batch. Going through them sets the random state before each, in whichever process loads it.

    Args:
        indices: of the data set.
        key: see :func:`seed_all`; the index's place among all of the pass is added.
        places: those places, one for each index.
    """

    def __init__(self, indices: list[int], key: tuple[int, ...], places: range) -> None:
        self.indices = indices
        self.key = key
        self.places = places

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        for index, place in zip(self.indices, self.places, strict=True):
            seed_all(*self.key, place)
            yield index


class Batches(Sampler[SeededBatch]):
    """A batch sampler around another one that can begin in the middle.

    Args:
        sampler: gives indices.
        batch_size: at least 1.
        seed: of the run.
        inner: config of the batch sampler in use; None for torch's.
        drop_last: whether torch's leaves out a last batch that is not full.
        endless: go on with the next pass where one ends, for a loop that counts iterations.
        done: batches to leave out at the beginning: those that an earlier run has trained on.
    """

    def __init__(self, sampler: Sampler[int], batch_size: int, seed: int, inner: dict[str, Any] | None = None,
                 drop_last: bool = False, endless: bool = False, done: int = 0) -> None:
        if inner is None:
            self.batches = BatchSampler(sampler, batch_size, drop_last)
        else:
            self.batches = DATA_SAMPLERS.build(inner, default_args=dict(sampler=sampler, batch_size=batch_size))
        self.batch_size = batch_size
        self.sampler = sampler
        self.seed = seed
        self.endless = endless
        self.epoch = 0
        self.done = done

    def begin(self, epoch: int, done: int) -> None:
        """Set where the next pass begins.

        Args:
            epoch: part of what the random states follow from.
            done: batches of it to leave out.
        """
        self.epoch = epoch
        self.done = done

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[SeededBatch]:
        rank, processes = get_dist_info()
        for number, indices in enumerate(self._passes() if self.endless else self.batches):
            if number >= self.done:
                # Samplers deal indices out in turn. So a place, and the noise of its image, does not depend on whether
                # several processes share a batch or one has all of it.
                first = number * self.batch_size * processes + rank
                places = range(first, first + len(indices) * processes, processes)
                yield SeededBatch(indices, (self.seed, self.epoch), places)

    def _passes(self) -> Iterator[list[int]]:
        if len(self) == 0:
            raise UsageError('the training data give no batch: there are fewer images than batch_size, or none')
        for epoch in count():
            if hasattr(self.sampler, 'set_epoch'):
                self.sampler.set_epoch(epoch)
            yield from self.batches


@FUNCTIONS.register_module()
def start_worker(worker_id: int, quiet: bool = False) -> None:
    """Let a data worker ignore the signals of its process group: its process still needs it to save.

    Args:
        worker_id: counts from 0.
        quiet: whether only the first worker may warn.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_when_the_parent_says, daemon=True).start()
    if quiet and worker_id > 0:
        warnings.simplefilter('ignore')


def _end_when_the_parent_says() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
