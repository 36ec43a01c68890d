"""A training of seconds with every source of randomness: order, noise of three generators, dropout; and with an EMA.

``python noisy.py WORK_DIR [KEY=VALUE...]`` runs it in a separate process and resumes where an earlier one stopped.
"""
import ast
import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner

from dmsca_mm import checkpoint
from dmsca_mm.checkpoint.newest import newest
from dmsca_mm.errors import exit_on_usage_error
from dmsca_mm.runtime.hooks import checkpoint as checkpoint_hook
from dmsca_mm.runtime.hooks import signals
from dmsca_mm.runtime.resume import loops
from dmsca_mm.runtime.resume.sampler import start_worker

COMMAND = [sys.executable, __file__]
IN_TWO = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2', __file__]
"""The same in two processes."""
SIZE = 24
EPOCHS = 4
BATCH = 2
PER_EPOCH = SIZE // BATCH


class Noisy:
    """Numbers with noise from each of the three generators."""

    def __init__(self):
        self.metainfo = dict(name='noisy')

    def __len__(self):
        return SIZE

    def __getitem__(self, index):
        noise = random.random() + np.random.rand() + float(torch.rand(()))
        return dict(inputs=torch.full((4,), index / SIZE + noise), data_samples=torch.tensor(float(index % 3)))


class Model(BaseModel):
    """Two layers with normalisation and dropout."""

    def __init__(self, pause=0.0):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5),
                                          torch.nn.Linear(8, 1))
        self.pause = pause

    def forward(self, inputs, data_samples, mode='loss'):
        time.sleep(self.pause)
        if mode == 'predict':
            return [0] * len(inputs)
        off = self.layers(torch.stack(list(inputs)))[:, 0] - torch.stack(list(data_samples))
        return dict(loss=off.square().mean())


class Nothing(BaseMetric):
    """Measures nothing; a validation needs a metric."""

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(seen=len(results))


def runner(work_dir, resume=None, loop='SameEpochLoop', workers=0, interval=5, pause=0.0, seed=3, padding=0,
           accumulate=1, validate=False):
    """A Runner over noisy numbers.

    Args:
        work_dir: of the run.
        resume: checkpoint to resume from; True for the newest of the work directory.
        loop: name of the training loop.
        workers: data workers.
        interval: iterations between checkpoints.
        pause: seconds added to each step.
        seed: of the run.
        padding: megabytes added to each checkpoint, so that a kill can interrupt its write.
        accumulate: iterations per optimizer step.
        validate: whether each epoch ends with a validation, with persistent data workers.
    """
    length = (dict(max_epochs=EPOCHS) if 'Epoch' in loop else
              dict(max_iters=EPOCHS * PER_EPOCH, **dict(val_interval=PER_EPOCH) if validate else {}))
    workers_stay = dict(num_workers=workers, persistent_workers=workers > 0, worker_init_fn=dict(type=start_worker))
    validation = dict(
        val_cfg=dict(), val_evaluator=dict(type=Nothing), val_dataloader=dict(
            dataset=Noisy(), batch_size=BATCH, sampler=dict(type='DefaultSampler', shuffle=False), **workers_stay))
    torch.manual_seed(seed)
    model = Model(pause)
    model.register_buffer('padding', torch.zeros(padding * 250_000))
    return Runner(
        model, str(work_dir), load_from=None if resume is True else resume, resume=resume is not None,
        train_cfg=dict(type=getattr(loops, loop), **length),
        train_dataloader=dict(dataset=Noisy(), batch_size=BATCH, drop_last=True, **workers_stay,
                              sampler=dict(type='DefaultSampler' if 'Epoch' in loop else 'InfiniteSampler')),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.01), accumulative_counts=accumulate),
        param_scheduler=[dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=9),
                         dict(type='MultiStepLR', milestones=[2], by_epoch=True)],
        default_hooks=dict(checkpoint=dict(type='WholeCheckpointHook', by_epoch=False, interval=interval,
                                           max_keep_ckpts=2), logger=dict(type='LoggerHook', interval=1000)),
        custom_hooks=[dict(type='EMAHook'), dict(type=signals.SaveOnSignal), dict(type='SyncBuffersHook')],
        randomness=dict(seed=seed), log_level='ERROR', experiment_name=str(time.time()),
        launcher='pytorch' if dist.is_initialized() else 'none',
        cfg=dict(model_wrapper_cfg=dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)),
        **(validation if validate else {}))


def outcome(work_dir):
    """Return all tensors of the last checkpoint by name: weights, averages, optimizer."""
    content = checkpoint.read(Path(work_dir) / f'iter_{EPOCHS * PER_EPOCH}.pth')
    weights = {f'{kind}/{name}': value for kind in ('state_dict', 'ema_state_dict')
               for name, value in content[kind].items()}
    moments = {f'optimizer/{place}/{name}': value for place, state in content['optimizer']['state'].items()
               for name, value in state.items()}
    return {**weights, **moments}


def main():
    """Start or resume, in several processes if torchrun has started this."""
    if 'WORLD_SIZE' in os.environ:
        dist.init_process_group('gloo')
    options = {key: ast.literal_eval(value) for key, value in (pair.split('=') for pair in sys.argv[2:])}
    checkpoint_hook.install(dict())
    begun, _ = newest(Path(sys.argv[1]))
    runner(sys.argv[1], begun, **options).train()


if __name__ == '__main__':
    torch.set_num_threads(1)
    exit_on_usage_error(main)
