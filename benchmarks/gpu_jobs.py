"""Run the jobs of ``gpu_report.py`` one after another, in a separate process or in one for each GPU.

``python benchmarks/gpu_jobs.py JOBS RESULTS --end SECONDS``: JOBS is a JSON list; each finished job appends a line of
JSON rows to RESULTS. An error ends the process; its parent records the failed job and starts another for the rest.
"""
from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from pathlib import Path

import cost
import torch
from contenders import CONTENDERS
from iterations import Training, measure_training
from setting import Row, Setting

from dmsca_mm.errors import UsageError, exit_on_usage_error, is_first_process


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of ``cost.py``.

    Attributes:
        level: ``'backbone'`` or ``'operator'``.
        dtype: one of ``setting.DTYPES``.
        size: of the images, in pixels.
        batch: batch size; halved until the plain network's training step fits into memory.
        contenders: names in ``CONTENDERS``, the plain one first.
        rounds: maximum number of rounds.
        depth: of the ResNet.
    """

    level: str
    dtype: str
    size: tuple[int, int]
    batch: int
    contenders: tuple[str, ...]
    rounds: int
    depth: int = 50

    def rows(self, seconds: float) -> list[Row]:
        """Measure the table.

        Args:
            seconds: time limit.

        Raises:
            UsageError: not even a batch of one image fits.
        """
        contenders = [CONTENDERS[name] for name in self.contenders]
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
        setting = Setting(device, self.dtype, self.rounds, seconds=seconds)
        if self.level == 'operator':
            setting = dataclasses.replace(setting, seconds=seconds / 4)  # for each of the four stages
        batch = self.batch
        while True:
            try:
                if self.level == 'backbone':
                    return cost.measure_backbone(contenders, self.depth, self.size, batch, setting)
                return [row for shape in cost.stage_shapes(self.size, batch)
                        for row in cost.measure_operator(contenders, shape, setting)]
            except UsageError:  # not even the plain one fits
                if batch == 1:
                    raise
                batch //= 2


Job = Training | Table
KINDS = dict(training=Training, table=Table)


def as_json(jobs: list[Job]) -> str:
    """Serialize jobs for :func:`main`."""
    kinds = {kind: name for name, kind in KINDS.items()}
    return json.dumps([dict(dataclasses.asdict(job), kind=kinds[type(job)]) for job in jobs])


def from_json(text: str) -> list[Job]:
    """Deserialize the output of :func:`as_json`."""
    return [KINDS[entry.pop('kind')](**entry) for entry in json.loads(text)]


def _done(job: Job, seconds: float, launcher: str) -> list[Row]:
    if isinstance(job, Table):
        return job.rows(seconds)
    with tempfile.TemporaryDirectory() as work_dir:
        return [measure_training(job, seconds, Path(work_dir), launcher)]


def main() -> None:
    """Parse, run the jobs, write the rows of each."""
    parser = argparse.ArgumentParser(description='Do jobs of gpu_report.py')
    parser.add_argument('jobs', type=Path)
    parser.add_argument('results', type=Path)
    parser.add_argument('--end', type=float, required=True, help='time.time() at which they should be done')
    parser.add_argument('--launcher', choices=['none', 'pytorch'], default='none')
    arguments = parser.parse_args()
    jobs = from_json(arguments.jobs.read_text())
    for place, job in enumerate(jobs):
        share = (arguments.end - time.time()) / (len(jobs) - place)
        rows = _done(job, share, arguments.launcher)
        if is_first_process():
            with arguments.results.open('a') as file:
                file.write(f'{json.dumps(rows)}\n')


if __name__ == '__main__':
    exit_on_usage_error(main)
