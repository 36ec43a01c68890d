"""A checkpoint stores the number of processes and threads; tests/tools resumes with another number."""
from types import SimpleNamespace

import torch

from dmsca_mm.runtime.hooks.processes import StoreProcesses


def test_both_numbers_are_stored_beside_the_position():
    checkpoint = dict(meta=dict(iter=5))
    StoreProcesses().before_save_checkpoint(SimpleNamespace(world_size=3), checkpoint)
    assert checkpoint['meta'] == dict(iter=5, processes=3, threads=torch.get_num_threads())
