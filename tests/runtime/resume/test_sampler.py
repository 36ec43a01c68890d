"""A batch depends only on the seed and its position, not on its worker or on where a run starts."""
import random
from unittest import mock

import numpy as np
import pytest
import torch
from mmdet.datasets.samplers import AspectRatioBatchSampler, GroupMultiSourceSampler
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import DataLoader

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.resume.sampler import Batches, SeededBatch, seed_all, start_worker


class Noise:
    """Items of noise from the three generators."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return index, random.random(), np.random.rand(), float(torch.rand(()))


def loaded(batches, workers=0, most=8):
    init = start_worker if workers else None
    loader = DataLoader(Noise(), batch_sampler=batches, num_workers=workers, collate_fn=list, worker_init_fn=init)
    return [batch for batch, _ in zip(loader, range(most), strict=False)]


def batches(sampler=DefaultSampler, **options):
    return Batches(sampler(Noise(), shuffle=True, seed=5), batch_size=3, **{'seed': 1, **options})


def test_keys_give_states_of_all_three_generators():
    seed_all(1, 2)
    first = random.random(), np.random.rand(), torch.rand(())
    seed_all(1, 3)
    assert (random.random(), np.random.rand(), torch.rand(())) != first
    seed_all(1, 2)
    assert (random.random(), np.random.rand(), torch.rand(())) == first


def test_going_through_a_batch_twice_gives_the_same():
    batch = SeededBatch([4, 4, 7], (0,), range(3))
    first, second = ([Noise()[index] for index in batch] for _ in range(2))
    assert first == second
    assert first[0] != first[1], 'the same image twice in a batch gets other noise'
    assert len(batch) == 3


@pytest.mark.parametrize('workers', [1, 3])
def test_number_of_workers_changes_nothing(workers):
    assert loaded(batches(), workers) == loaded(batches())


class GpuSeeds(Noise):
    """Items that are how often the random state of all GPUs has been set so far."""

    def __init__(self, seeds):
        self.seeds = seeds

    def __getitem__(self, index):
        return self.seeds.call_count


@pytest.mark.parametrize(('workers', 'between_first_and_last'), [(0, 9), (1, 0)])
def test_workers_leave_the_random_state_of_gpus_alone(workers, between_first_and_last):
    with mock.patch('torch.cuda.manual_seed_all') as seeds:
        items = Batches(DefaultSampler(Noise()), batch_size=10, seed=1)
        loader = DataLoader(GpuSeeds(seeds), batch_sampler=items, num_workers=workers, collate_fn=list)
        counts = next(iter(loader))
    assert counts[-1] - counts[0] == between_first_and_last


@pytest.mark.parametrize('other', [dict(seed=2), dict(epoch=1)])
def test_seed_and_epoch_change_the_noise(other):
    changed = batches(seed=other.get('seed', 1))
    changed.begin(other.get('epoch', 0), 0)
    for ours, theirs in zip(loaded(batches()), loaded(changed), strict=True):
        assert [item[0] for item in ours] == [item[0] for item in theirs]
        assert all(one[1:] != two[1:] for one, two in zip(ours, theirs, strict=True))


def test_another_pass_over_a_resumed_epoch_is_complete():
    """PreciseBNHook passes over the data after each epoch."""
    some = batches()
    some.begin(0, 2)
    assert [len(list(some)) for _ in range(2)] == [2, 4]


@pytest.mark.parametrize('options', [dict(), dict(sampler=InfiniteSampler, endless=True), dict(endless=True)])
@pytest.mark.parametrize('done', [1, 3, 4])
def test_beginning_in_the_middle_gives_the_rest(options, done):
    complete = loaded(batches(**options), most=8)
    assert loaded(batches(done=done, **options), most=8 - done) == complete[done:]


def test_endless_passes_differ_and_go_on_with_other_noise():
    found = loaded(batches(endless=True), most=8)
    first, second = ([item[0] for batch in part for item in batch] for part in (found[:4], found[4:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


class Sources(Noise):
    """Two data sets in one, as mmdet's sampler of labelled and unlabelled images wants them."""

    def __init__(self, lengths=(4, 6)):
        self.length = sum(lengths)
        self.cumulative_sizes = [lengths[0], self.length] if len(lengths) > 1 else []
        self.datasets = [Sources([length]) for length in lengths] if len(lengths) > 1 else []

    def __len__(self):
        return self.length

    def get_data_info(self, index):
        return dict(width=2 + index % 2, height=2 + (index + 1) % 2)


def test_a_sampler_that_draws_from_a_global_generator_resumes_the_same():
    def indices(done):
        np.random.seed(done)  # that of the process, which differs after resuming
        sampler = GroupMultiSourceSampler(Sources(), 3, [1, 2], seed=5)
        return [batch.indices for batch, _ in zip(Batches(sampler, 3, 1, endless=True, drop_last=True, done=done),
                                                  range(20 - done), strict=False)]
    assert indices(8) == indices(0)[8:]


def test_inner_batch_sampler_is_the_configured_one():
    inner = dict(type=AspectRatioBatchSampler)
    ours = Batches(DefaultSampler(Noise(), seed=0), batch_size=3, seed=0, inner=inner)
    assert type(ours.batches) is AspectRatioBatchSampler
    assert len(ours) == 4
    assert ours.batch_size == 3


def test_processes_share_what_one_process_has_alone(monkeypatch):
    def of(rank, processes, size):
        for module in ('dmsca_mm.runtime.resume.sampler', 'mmengine.dataset.sampler'):
            monkeypatch.setattr(f'{module}.get_dist_info', lambda: (rank, processes))
        found = loaded(Batches(DefaultSampler(Noise(), seed=5), batch_size=size, seed=1))
        return [[tuple(item) for item in batch] for batch in found]
    one = of(0, 1, 4)
    two = [of(rank, 2, 2) for rank in (0, 1)]
    for alone, *shared in zip(one[:2], *two, strict=False):
        assert sorted(alone) == sorted(item for batch in shared for item in batch)


def test_drop_last_leaves_out_the_last():
    assert len(loaded(batches(drop_last=True))) == 3
    assert len(loaded(batches())) == 4


def test_no_batch_at_all_is_an_error_and_not_a_wait():
    class Nothing(Noise):
        def __len__(self):
            return 2
    with pytest.raises(UsageError, match='give no batch'):
        next(iter(Batches(DefaultSampler(Nothing(), seed=0), 3, 0, drop_last=True, endless=True)))
