"""Train and measure the networks planned in ``studies.py``: ``python benchmarks/study.py``.

It takes hours, resumes where it stopped, and adds a row for each run to a table; runs with a row in the table are
skipped. ``benchmarks/study_page.py`` generates the page and its picture from the table.
"""
from __future__ import annotations

import argparse
import os
import signal
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pandas as pd
import torch
from runs import ROOT, Steps, work_through
from studies import CORRUPTIONS, FULL, PLAIN, QUICK, SEVERITIES, START, STUDIES, Contender, Study
from study_alignment import MAP_KEY, alignment, table_beside
from study_results import KEY, ORDER, row

from dmsca_mm.checkpoint.writing import write_atomically
from dmsca_mm.datasets.digit_classes import make_digit_classes
from dmsca_mm.errors import Stopped, UsageError, exit_on_usage_error


class Run(Steps):
    """A training and its test on clean and corrupted images.

    Args:
        study: a key of ``STUDIES``.
        plan: that study.
        contender: the network to train.
        seed: of the weights, the order of the images and their augmentation.
        work: folder of all runs.
        gpus: that all share the training and the test; 0 is one process on what the machine has.
    """

    def __init__(self, study: str, plan: Study, contender: Contender, seed: int, work: Path, gpus: int = 0) -> None:
        super().__init__(f'{study}/{contender.name}/{seed}', work)
        self.study, self.plan, self.contender, self.seed, self.gpus = study, plan, contender, seed, gpus
        self.begin = work / study / START / str(seed) / plan.weights(plan.start)
        self.weights = self.begin if contender.name == START else self.folder / plan.weights(plan.length)
        self.robustness = self.folder / 'robustness' / 'robustness.json'
        self.alignment = self.folder / 'alignment' / 'alignment.json'

    def steps(self) -> list[tuple[Path, list[str]]]:
        """Return the result file and the command of each step."""
        plan, config = self.plan, f'configs/{self.plan.config}'
        schedule = (plan.start, 1) if self.contender.name == START else (plan.length, plan.validations)
        training = [*self.contender.model(), '--work-dir', str(self.folder), '--resume', '--cfg-options',
                    f'randomness.seed={self.seed}', *plan.schedule(*schedule), *plan.options,
                    *self.contender.options]
        script = ['tools/train.py']
        if self.gpus:
            script = ['-m', 'dmsca_mm.runtime.launch', *script, str(self.gpus)]
        train = self.weights, [*script, config, *training]
        if self.contender.name == START:
            return [train]
        if plan.start:
            train[1].append(f'load_from={self.begin}')
        options = [*plan.options, *self.contender.options]
        trained = [config, str(self.weights), *self.contender.model()]
        if options:
            trained += ['--cfg-options', *options]
        steps = [train, (self.robustness, [
            'tools/test_robustness.py', *trained, '--processes', str(self.gpus or 1), '--corruptions', *CORRUPTIONS,
            '--severities', *map(str, SEVERITIES), '--out', str(self.robustness.parent)])]
        if plan.aligned and self.contender.name == 'dmsca':
            steps.append((self.alignment, ['tools/test_alignment.py', *trained, '--out', str(self.alignment.parent)]))
        return steps


def recorded(path: Path) -> set[tuple[str, str, int]]:
    """Return study, contender and seed of each row in a table of runs; empty if there is no table."""
    return set(pd.read_csv(path)[KEY].itertuples(index=False, name=None)) if path.exists() else set()


def batches(studies: dict[str, Study], contenders: list[str] | None, work: Path,
            known: set[tuple[str, str, int]], gpus: int = 0) -> list[list[Run]]:
    """Return batches of runs in order; a run depends only on earlier batches.

    Seeds are the outer loop, so that all contenders have nearly the same number of runs at any time.

    Args:
        studies: by name.
        contenders: names of those to run; None for all.
        work: folder of all runs.
        known: study, contender and seed of the runs to skip.
        gpus: of each run, see :class:`Run`.
    """
    found = []
    for study, plan in studies.items():
        seeds = {contender: plan.seeds_of(contender) for contender in plan.contenders}
        runs = [Run(study, plan, contender, seed, work, gpus)
                for seed in sorted({*chain(*seeds.values())}) for contender in plan.contenders
                if (contenders is None or contender.name in contenders) and (study, contender.name, seed) not in known
                and seed in seeds[contender]]
        begin = Contender(START, 'start', PLAIN)
        starts = [Run(study, plan, begin, seed, work, gpus) for seed in dict.fromkeys(run.seed for run in runs)
                  if plan.start]
        found += [part for part in (starts, runs) if part]
    return found


def collect(runs: list[Run], path: Path) -> None:
    """Add the rows of the finished runs to the table, and those of their maps to ``NAME_alignment.csv`` beside it."""
    finished = [run for run in runs if run.contender.name != START and run.is_done()]
    rows = pd.DataFrame(map(row, finished), columns=ORDER)
    maps = [alignment(run) for run in finished if run.alignment.exists()]
    if maps:
        _append(pd.concat(maps), table_beside(path), MAP_KEY)
    _append(rows, path, KEY)  # last: a run with a row in it is not collected again


def _append(rows: pd.DataFrame, path: Path, key: list[str]) -> None:
    if path.exists():
        rows = pd.concat([pd.read_csv(path), rows]).drop_duplicates(key, keep='last')
    write_atomically(rows.infer_objects().round(5).to_csv(index=False).encode(), path, 'run the same command again')


def check(studies: dict[str, Study], contenders: list[str] | None) -> None:
    """Refuse contenders that are in no study, and studies whose data is missing.

    Raises:
        UsageError: the first of them, by name.
    """
    names = dict.fromkeys(contender.name for plan in studies.values() for contender in plan.contenders)
    for name in contenders or ():
        if name not in names:
            raise UsageError(f'--contenders {name}: give some of {", ".join(names)}')
    for plan in studies.values():
        if not (ROOT / plan.data).is_dir():
            raise UsageError(f'{plan.data} is missing: docs/data.md has the command that fetches it')


def main() -> None:
    """Parse, run what is left, print how much is done."""
    parser = argparse.ArgumentParser(description='Train and measure attentions under the same conditions',
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--studies', nargs='+', choices=[*STUDIES, *FULL], metavar='NAME', help='in this order: '
                        f'{", ".join(STUDIES)}; with --full {", ".join(FULL)}; default all')
    parser.add_argument('--contenders', nargs='+', metavar='NAME', help='of the studies; default all')
    parser.add_argument('--seeds', type=int, help='runs of each, with seeds 0, 1, ...; default those of the plan')
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument('--quick', action='store_true', help='a study of minutes on the built-in digits, to try this')
    kinds.add_argument('--full', action='store_true', help='the published networks, which need GPUs and days')
    parser.add_argument('--processes', type=int, help='runs at a time, a thread each; default the number of '
                        'cores, with --full 1, which all GPUs share')
    parser.add_argument('--hours', type=float, default=12, help='after which it saves and stops; run again to continue')
    parser.add_argument('--work-dir', type=Path, help='folder of all runs; default work_dirs/study[_quick|_full]')
    parser.add_argument('--results', type=Path, help='the table of all runs; runs in it are skipped; default '
                        'study.csv in that folder')
    chosen = parser.parse_args()
    gpus = torch.cuda.device_count() if chosen.full else 0
    if chosen.full and not gpus:
        raise UsageError('--full needs a GPU, and this machine has none: leave it out for the thin networks')
    for name in ('seeds', 'processes', 'hours'):
        value = getattr(chosen, name)
        if value is not None and not value > 0:
            raise UsageError(f'--{name} is {value}, must be above 0')
    kind = '_quick' if chosen.quick else '_full' if chosen.full else ''
    work = (chosen.work_dir or ROOT / f'work_dirs/study{kind}').resolve()
    results = chosen.results or work / 'study.csv'
    table = QUICK if chosen.quick else FULL if chosen.full else STUDIES
    asked = chosen.studies or [*table]
    if others := [name for name in asked if name not in table]:
        raise UsageError(f'--studies {others[0]}: give some of {", ".join(table)}')
    studies = {name: replace(table[name], seeds=chosen.seeds, hint=None) if chosen.seeds else table[name]
               for name in asked}
    if chosen.quick:
        make_digit_classes(ROOT / QUICK['quick'].data)
    check(studies, chosen.contenders)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    end = time.monotonic() + 3600 * chosen.hours
    every = batches(studies, chosen.contenders, work, recorded(results), gpus)
    processes = chosen.processes or (1 if gpus else len(os.sched_getaffinity(0)))
    done, count = 0, sum(map(len, every))
    print(f'{count} runs that {results} does not hold', flush=True)
    for runs in every:
        try:
            finished = work_through(runs, processes, end - time.monotonic())
        except KeyboardInterrupt:
            raise Stopped(f'stopped: {results} holds the finished runs; the same command continues with the rest',
                          signal.SIGINT) from None
        finally:
            collect(runs, results)
        done += finished
        if finished < len(runs):
            break
    print(f'{done} of {count} runs are done; {results} holds them'
          + ('' if done == count else '; the same command continues with the rest'))


if __name__ == '__main__':
    exit_on_usage_error(main)
