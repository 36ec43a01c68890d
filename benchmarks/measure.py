"""Measure the time and memory of contenders that take turns in one process.

Each contender runs in every round, in an order that is reshuffled each round. A slow phase of the machine thus affects
all of them, and none always follows the same neighbour. Ratios are computed within a round.
"""
from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable

import numpy as np
import torch
from contenders import Contender
from mmengine.analysis import FlopAnalyzer
from profiles import MEGABYTE, most_allocated, trace
from setting import Row, Setting
from torch import Tensor, nn
from tqdm import tqdm

from dmsca_mm import DMSCA
from dmsca_mm.errors import UsageError

SHORTEST = 0.005
"""Minimum seconds of one timing; faster actions are repeated within it."""
LEAST_ROUNDS = 3
"""Rounds that are measured even if the time is up."""


class Subject:
    """A contender's model and its input, to be timed.

    Args:
        contender: whose model it is.
        model: built, not yet placed.
        x: the input, on the CPU; backward computes its gradient if ``x.requires_grad``.
        setting: of the measurement.
    """

    def __init__(self, contender: Contender, model: nn.Module, x: Tensor, setting: Setting) -> None:
        self.contender, self.setting = contender, setting
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.flops = multiply_adds(model, x[:1].detach())
        self.model = setting.place(model)
        self.x = setting.place(x.detach()).requires_grad_(x.requires_grad)
        contender.compile(self.model)
        outputs = self.forward()
        self.gradients = [torch.randn_like(output) for output in outputs]
        self.actions = {'inference': self.infer, 'train': self.train}
        self.repeats = {}
        for name, action in self.actions.items():
            for _ in range(3):
                self.seconds(name, action, 1)
            self.repeats[name] = int(np.ceil(SHORTEST / min(self.seconds(name, action, 1) for _ in range(3))))

    def forward(self) -> tuple[Tensor, ...]:
        """Return all outputs."""
        with self.setting.autocast():
            outputs = self.model(self.x)
        return outputs if isinstance(outputs, tuple) else (outputs,)

    def infer(self) -> None:
        """Run one forward pass in inference mode."""
        with torch.inference_mode():
            self.forward()

    def train(self) -> None:
        """Run forward and backward, with fixed random output gradients."""
        self.model.zero_grad(set_to_none=True)
        self.x.grad = None
        torch.autograd.backward(self.forward(), self.gradients)

    def seconds(self, name: str, action: Callable[[], None], repeats: int) -> float:
        """Return the mean time of an action over ``repeats`` runs."""
        self.model.train(name == 'train')
        with self.contender.kernels_switched():
            self.setting.synchronize()
            start = time.perf_counter()
            for _ in range(repeats):
                action()
            self.setting.synchronize()
            return (time.perf_counter() - start) / repeats

    def peak_bytes(self) -> int:
        """Return the peak memory of a training step beyond model and input, as counted by the allocator.

        Every step has the same peak, but on a busy machine the CPU profiler may lose events: use the largest of three.
        """
        with self.contender.kernels_switched():
            return max(self._peak_of_a_step() for _ in range(3))

    def _peak_of_a_step(self) -> int:
        self.model.train()
        self.model.zero_grad(set_to_none=True)
        self.x.grad = None
        if self.setting.device == 'cuda':
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            self.train()
            return torch.cuda.max_memory_allocated() - before
        cpu = torch.profiler.ProfilerActivity.CPU
        with torch.profiler.profile(activities=[cpu], profile_memory=True) as profile:
            self.train()
        return most_allocated(trace(profile))


def multiply_adds(model: nn.Module, x: Tensor) -> int:
    """Count the multiply-adds of a forward pass with mmengine, which leaves out elementwise operators.

    Every form of DMSCA counts as the literal form, which follows the formula.
    """
    counted = copy.deepcopy(model)
    nn.Module.train(counted, False)  # mmdet's backbones override train
    for module in counted.modules():
        if isinstance(module, DMSCA):
            module.form = 'literal'
    with torch.no_grad():
        return int(FlopAnalyzer(counted, (x,)).unsupported_ops_warnings(False).uncalled_modules_warnings(False).total())


def measure(contenders: list[Contender], build: Callable[[Contender], nn.Module], x: Tensor,
            setting: Setting) -> list[Row]:
    """Measure contenders on one input and return a row for each; ``note`` has the reason if one could not run.

    Args:
        contenders: the plain one first.
        build: makes a contender's model.
        x: the input.
        setting: of the measurement.

    Raises:
        UsageError: the plain contender cannot run.
    """
    end = time.monotonic() + setting.seconds
    subjects, left_out = {}, []
    for contender in tqdm(contenders, 'warming up'):
        try:
            subjects[contender.label] = Subject(contender, build(contender), x, setting)
        except RuntimeError as error:
            reason = f'left out: {type(error).__name__}: {str(error).splitlines()[0]}'
            if not subjects:
                raise UsageError(f'{contender.label} on an input of {tuple(x.shape)} was {reason}') from None
            left_out.append(dict(contender=contender.label, note=reason))
    times = {label: {name: [] for name in subject.actions} for label, subject in subjects.items()}
    for turn in tqdm(range(setting.rounds), 'rounds'):
        if turn >= LEAST_ROUNDS and time.monotonic() > end:
            break
        order = list(subjects.values())
        random.Random(turn).shuffle(order)
        for subject in order:
            for name, action in subject.actions.items():
                times[subject.contender.label][name].append(subject.seconds(name, action, subject.repeats[name]))
    plain, rows = contenders[0].label, []
    plain_peak = subjects[plain].peak_bytes()
    for label, subject in tqdm(subjects.items(), 'memory'):
        row = dict(contender=label, parameters=subject.parameters, flops=subject.flops)
        for name, values in times[label].items():
            ratios = np.divide(values, times[plain][name])
            for key, numbers in ((f'{name}_ms', np.multiply(values, 1e3)), (f'{name}_ratio', ratios)):
                row[f'{key}_q1'], row[key], row[f'{key}_q3'] = np.percentile(numbers, (25, 50, 75)).round(4).tolist()
        peak = subject.peak_bytes()
        rows.append(dict(row, peak_mb=round(peak / MEGABYTE, 2), extra_mb=round((peak - plain_peak) / MEGABYTE, 2)))
    shared = dict(shape='x'.join(map(str, x.shape)), rounds=len(times[plain]['train']), **setting.describe())
    return [dict(row, **shared) for row in rows + left_out]
