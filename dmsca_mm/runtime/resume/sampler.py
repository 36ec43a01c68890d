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
from torch.utils.data import BatchSampler, Sampler, get_worker_info

from ...errors import UsageError


def seed_all(*key: int) -> None:
    """Set the random state of Python, numpy and torch; in a worker of a data loader, without that of GPUs.

    Args:
        key: non-negative numbers that determine the state.
    """
    first, second, third = np.random.SeedSequence(key).generate_state(3)
    random.seed(int(first))
    np.random.seed(second)
    # In a worker torch.manual_seed would note the call stack each time, for a GPU that is initialized later. This takes
    # longer than to load a small image.
    set_state = torch.default_generator.manual_seed if get_worker_info() else torch.manual_seed
    set_state(int(third))


class SeededBatch:
    """Indices of a batch. Iterating over them sets the random state before each, in whichever process loads it.

    Args:
        indices: indices into the data set.
        key: see :func:`seed_all`; the position of the index in the pass is appended.
        places: these positions, one for each index.
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
    """Wrapper around a batch sampler that can begin in the middle of a pass.

    Args:
        sampler: yields indices.
        batch_size: at least 1.
        seed: seed of the run.
        inner: config of the wrapped batch sampler; None for torch's BatchSampler.
        drop_last: whether torch's BatchSampler drops an incomplete last batch.
        endless: start the next pass when one ends, for a loop that counts iterations.
        done: number of batches to skip at the beginning, which an earlier run has used.
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
            epoch: part of the key of the random states.
            done: number of batches of the pass to skip.
        """
        self.epoch = epoch
        self.done = done

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[SeededBatch]:
        rank, processes = get_dist_info()
        done, self.done = self.done, 0  # another pass over the epoch, such as PreciseBNHook's, is complete
        passes = iter(self._passes() if self.endless else self.batches)
        for number in count():
            seed_all(self.seed, self.epoch, number, 0)  # mmdet's GroupMultiSourceSampler draws from numpy's generator
            indices = next(passes, None)
            if indices is None:
                return
            if number >= done:
                # Samplers distribute indices round-robin. So the position of an image, and its random state, does not
                # depend on how many processes share a batch.
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
    """Make a data loader worker ignore the signals of its process group: its parent needs it until it has saved.

    Args:
        worker_id: from 0.
        quiet: whether to silence warnings in all workers except the first.
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
