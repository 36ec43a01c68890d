"""Train and measure every attention on the built-in data set under the same conditions: ``python benchmarks/study.py``.

A plain model is trained for each seed; then each attention is put into it and all train on alike, the plain one too. It
takes hours and goes on where it stopped. ``benchmarks/study_page.py`` makes tables, picture and page of it.
"""
from __future__ import annotations

import argparse
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from runs import ROOT, Steps, study

from dmsca_mm.datasets.digits import make_digits
from dmsca_mm.errors import UsageError, exit_on_usage_error
from dmsca_mm.plugins import PLUGINS

DIGITS = ROOT / 'configs' / 'digits'
SIDE = 128
"""Pixels that the images of 160 pixels are scaled to, for time's sake."""
SHARED = ('train_dataloader.batch_size=8', f'train_dataloader.dataset.pipeline.2.scale=({SIDE},{SIDE})',
          *(f'{split}_dataloader.dataset.pipeline.1.scale=({SIDE},{SIDE})' for split in ('val', 'test')))


CORRUPTIONS, SEVERITY = ('gaussian_noise', 'motion_blur', 'jpeg_compression'), 3
"""One each of noise, blur and compression, of which the paper speaks."""
STAGES, IMAGES = (2, 3), 60
"""Where, and on how many images, the alignment is measured."""


@dataclass(frozen=True)
class Task:
    """What is trained.

    Attributes:
        config: file in ``configs/digits``.
        unit: what its schedule counts, ``'epochs'`` or ``'iters'``.
        start: how many of them the plain model trains before attention is put into it.
        length: how many of them every contender trains then.
        options: the config's entries that differ from the demo's beside ``SHARED``.
    """

    config: str
    unit: str
    start: int
    length: int
    options: tuple[str, ...] = ()

    def data_options(self, data: Path) -> list[str]:
        """Entries that point the config at a folder, and what all runs share."""
        evaluators = [f'{split}_evaluator.ann_file={data}/annotations/instances_validation.json'
                      for split in ('val', 'test')] if 'rcnn' in self.config else []
        return [*(f'{split}_dataloader.dataset.data_root={data}/' for split in ('train', 'val', 'test')), *evaluators,
                *SHARED, *self.options]

    def training(self, length: int) -> list[str]:
        """Entries of a schedule that is saved at its end and validated never."""
        return [f'train_cfg.max_{self.unit}={length}', f'train_cfg.val_interval={2 * length}',
                f'param_scheduler.1.end={length}', f'default_hooks.checkpoint.interval={length}',
                'default_hooks.checkpoint.save_optimizer=False']

    def weights(self, length: int) -> str:
        """The name of the last checkpoint."""
        return f'{"epoch" if self.unit == "epochs" else "iter"}_{length}.pth'


TASKS = {
    'detection': Task('faster_rcnn_r50_dmsca_digits.py', 'epochs', 3, 1),
    'segmentation': Task('upernet_r50_dmsca_digits.py', 'iters', 1000, 250,
                         (f'model.data_preprocessor.size=({SIDE},{SIDE})',)),
}
START = 'start'
CONTENDERS = tuple(sorted(PLUGINS, key=lambda name: (name != 'none', name.startswith('dmsca'), name)))


class Run(Steps):
    """One training and what is measured of it.

    Args:
        task: a key of ``TASKS``.
        contender: a key of ``PLUGINS``, or ``START``: the plain model that the others begin with.
        seed: of the weights, the order of the images and their augmentation.
        work: folder of the whole study.
        data: folder of the built-in data set.
    """

    def __init__(self, task: str, contender: str, seed: int, work: Path, data: Path) -> None:
        super().__init__(f'{task}/{contender}/{seed}', work)
        self.task, self.contender, self.seed, self.data = TASKS[task], contender, seed, data
        self.start = work / task / START / str(seed) / self.task.weights(self.task.start)

    def steps(self) -> list[tuple[Path, list[str]]]:
        """What each step leaves behind, and its command."""
        config, data = str(DIGITS / self.task.config), self.task.data_options(self.data)
        training = ['--work-dir', str(self.folder), '--resume', '--cfg-options', *data, f'randomness.seed={self.seed}']
        if self.contender == START:
            return [(self.start, ['tools/train.py', config, '--plugin', 'none', *training,
                                  *self.task.training(self.task.start)])]
        weights = self.folder / self.task.weights(self.task.length)
        trained = [config, str(weights), '--plugin', self.contender]
        robustness, alignment = self.folder / 'robustness', self.folder / 'alignment'
        return [
            (weights, ['tools/train.py', config, '--plugin', self.contender, *training,
                       *self.task.training(self.task.length), f'load_from={self.start}']),
            (robustness / 'robustness.json',
             ['tools/test_robustness.py', *trained, '--corruptions', *CORRUPTIONS, '--severities', str(SEVERITY),
              '--processes', '1', '--out', str(robustness), '--cfg-options', *data]),
            (alignment / 'alignment.json',
             ['tools/test_alignment.py', *trained, '--images', str(IMAGES), '--stages', *map(str, STAGES),
              '--out', str(alignment), '--cfg-options', *data])]


def main() -> None:
    """Parse, do what is left, say how much is done."""
    parser = argparse.ArgumentParser(description='Train and measure every attention on the built-in data set',
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--tasks', nargs='+', choices=list(TASKS), default=list(TASKS), help='what is trained')
    parser.add_argument('--contenders', nargs='+', choices=CONTENDERS, default=CONTENDERS, metavar='PLUGIN',
                        help='attentions, as in tools/train.py --plugin')
    parser.add_argument('--seeds', type=int, default=3, help='runs of each, with seeds 0, 1, ...')
    parser.add_argument('--processes', type=int, default=os.cpu_count(), help='runs at a time, a thread each')
    parser.add_argument('--hours', type=float, default=12, help='after which it saves and stops; call it again')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/study'), help='folder of all runs')
    parser.add_argument('--data', type=Path, default=Path('data/digits'), help='the built-in data set, made if missing')
    chosen = parser.parse_args()
    for name in ('seeds', 'processes', 'hours'):
        if not getattr(chosen, name) > 0:
            raise UsageError(f'--{name} is {getattr(chosen, name)}, must be above 0')
    work, data = chosen.work_dir.resolve(), chosen.data.resolve()
    if make_digits(data):
        print(f'made the data set in {chosen.data}')
    # Seeds outermost: at any time the contenders have nearly the same number of runs.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    end = time.monotonic() + 3600 * chosen.hours
    done = count = 0
    for contenders in ((START,), chosen.contenders):
        runs = [Run(task, contender, seed, work, data)
                for seed in range(chosen.seeds) for task in chosen.tasks for contender in contenders]
        done, count = done + study(runs, chosen.processes, end - time.monotonic()), count + len(runs)
        if done < count:
            break
    print(f'{done} of {chosen.seeds * len(chosen.tasks) * (1 + len(chosen.contenders))} runs are done'
          + ('' if done == count else '; the same command goes on'))


if __name__ == '__main__':
    exit_on_usage_error(main)
