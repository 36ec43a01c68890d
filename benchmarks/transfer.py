"""Does pretraining help? Detectors from scratch and from a classifier's checkpoint: ``python benchmarks/transfer.py``.

A classifier of single digits is trained once; then detectors of the same seeds, data and iterations start from random
weights and from its backbone. It goes on where it stopped, and writes a table of every run and one of the means.
"""
from __future__ import annotations

import argparse
import csv
import os
import signal
import time
from pathlib import Path
from statistics import mean, stdev

from runs import ROOT, Steps, study
from study import DIGITS, TASKS

from dmsca_mm.analysis.report.results import last_test
from dmsca_mm.datasets.digit_classes import make_digit_classes
from dmsca_mm.datasets.digits import make_digits
from dmsca_mm.errors import UsageError, exit_on_usage_error

CLASSIFIER = ROOT / 'configs' / 'pretrain' / 'resnet50_dmsca_digits.py'
CLASSIFIER_EPOCHS = 8
"""As in its config."""
STARTS = ('scratch', 'pretrained')
METRICS = {'coco/bbox_mAP': 'mAP', 'coco/bbox_mAP_50': 'mAP_50'}
DETECTION = TASKS['detection']


class Classifier(Steps):
    """The training whose weights the detectors take.

    Args:
        work: folder of the whole comparison.
        data: folder of the built-in data set for classification.
    """

    def __init__(self, work: Path, data: Path) -> None:
        super().__init__('classifier', work)
        self.data = data
        self.weights = self.folder / f'epoch_{CLASSIFIER_EPOCHS}.pth'

    def steps(self) -> list[tuple[Path, list[str]]]:
        """One: its training."""
        data = [*(f'{split}_dataloader.dataset.data_root={self.data}' for split in ('train', 'val', 'test')),
                'train_dataloader.batch_size=64']  # the config's, for two processes, is half of it
        return [(self.weights, ['tools/train.py', str(CLASSIFIER), '--work-dir', str(self.folder), '--resume',
                                '--cfg-options', *data])]


class Detector(Steps):
    """One detector: trained, then tested.

    Args:
        start: of ``STARTS``.
        seed: of the weights that are not pretrained, the order of the images and their augmentation.
        epochs: how long it trains.
        weights: the classifier's checkpoint.
        work: folder of the whole comparison.
        data: folder of the built-in data set for detection.
    """

    def __init__(self, start: str, seed: int, epochs: int, weights: Path, work: Path, data: Path) -> None:
        super().__init__(f'{start}/{seed}', work)
        self.start, self.seed, self.epochs, self.classifier, self.data = start, seed, epochs, weights, data

    def steps(self) -> list[tuple[Path, list[str]]]:
        """Its training and its test."""
        config, data = str(DIGITS / DETECTION.config), DETECTION.data_options(self.data)
        weights, key = self.folder / DETECTION.weights(self.epochs), 'model.backbone.init_cfg'
        begin = [f'{key}._delete_=True', f'{key}.type=Pretrained', f'{key}.checkpoint={self.classifier}',
                 f'{key}.prefix=backbone.'] if self.start == 'pretrained' else []
        found = sorted(self.folder.glob('test/*/*.json'))
        return [
            (weights, ['tools/train.py', config, '--work-dir', str(self.folder), '--resume', '--cfg-options', *data,
                       f'randomness.seed={self.seed}', *DETECTION.training(self.epochs), *begin]),
            (found[-1] if found else self.folder / 'test' / 'metrics.json',
             ['tools/test.py', config, str(weights), '--work-dir', str(self.folder / 'test'), '--cfg-options', *data])]

    def row(self) -> dict[str, str | int | float]:
        """What a table tells of it.

        Raises:
            UsageError: its test cannot be read.
        """
        test = last_test(self.folder / 'test')
        if test is None:
            raise UsageError(f'{self.folder}/test holds no figures: remove it, and the same command tests anew')
        return dict(start=self.start, seed=self.seed, epochs=self.epochs,
                    **{name: round(test.metrics.get(key, 0.0), 4) for key, name in METRICS.items()})


def summary(rows: list[dict[str, str | int | float]]) -> list[dict[str, str | int | float]]:
    """Means, and the mean difference to the run from scratch of the same seed, each with its standard deviation.

    Args:
        rows: of :meth:`Detector.row`.
    """
    found = []
    for start in STARTS:
        mine = [row for row in rows if row['start'] == start]
        line = dict(start=start, seeds=len(mine))
        for name in METRICS.values():
            plain = {row['seed']: row[name] for row in rows if row['start'] == STARTS[0]}
            values = [row[name] for row in mine]
            differences = [row[name] - plain[row['seed']] for row in mine if row['seed'] in plain]
            for what, numbers in ((name, values), (f'{name}_difference', differences)):
                line[what] = round(mean(numbers), 4) if numbers else ''
                line[f'{what}_std'] = round(stdev(numbers), 4) if len(numbers) > 1 else ''
        found.append(line)
    return found


def _write(rows: list[dict[str, str | int | float]], path: Path) -> None:
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Parse, do what is left, write the tables once all is done."""
    parser = argparse.ArgumentParser(description='Detectors from scratch and from a classifier, at equal iterations',
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--seeds', type=int, default=3, help='runs of each, with seeds 0, 1, ...')
    parser.add_argument('--epochs', type=int, default=1, help='of the detectors, 250 iterations each')
    parser.add_argument('--processes', type=int, default=os.cpu_count(), help='runs at a time, a thread each')
    parser.add_argument('--hours', type=float, default=12, help='after which it saves and stops; call it again')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/transfer'), help='folder of all runs')
    parser.add_argument('--results', type=Path, default=ROOT / 'benchmarks' / 'results', help='for the tables')
    chosen = parser.parse_args()
    for name in ('seeds', 'epochs', 'processes', 'hours'):
        if not getattr(chosen, name) > 0:
            raise UsageError(f'--{name} is {getattr(chosen, name)}, must be above 0')
    work, data, classes = chosen.work_dir.resolve(), ROOT / 'data' / 'digits', ROOT / 'data' / 'digit_classes'
    make_digits(data)
    make_digit_classes(classes)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    end = time.monotonic() + 3600 * chosen.hours
    classifier = Classifier(work, classes)
    detectors = [Detector(start, seed, chosen.epochs, classifier.weights, work, data)
                 for seed in range(chosen.seeds) for start in STARTS]
    # Those from scratch need not wait for the classifier.
    first = [classifier, *(run for run in detectors if run.start == STARTS[0])]
    done = study(first, chosen.processes, end - time.monotonic())
    if done == len(first):
        done += study(detectors[1::len(STARTS)], chosen.processes, end - time.monotonic())
    count = 1 + len(detectors)
    print(f'{done} of {count} runs are done' + ('' if done == count else '; the same command goes on'))
    if done == count:
        rows = [run.row() for run in detectors]
        _write(rows, chosen.results / 'transfer.csv')
        _write(summary(rows), chosen.results / 'transfer_summary.csv')
        for line in summary(rows):
            print(', '.join(f'{name} {value}' for name, value in line.items() if value != ''))


if __name__ == '__main__':
    exit_on_usage_error(main)
