"""Write the study's tables, picture and page from what is done of it: ``python benchmarks/study_page.py``."""
from __future__ import annotations

import argparse
import csv
import os
from datetime import date
from pathlib import Path
from statistics import median

from measure import processor
from study import CORRUPTIONS, IMAGES, ROOT, SEVERITY, SIDE, STAGES, TASKS
from study_picture import picture
from study_rows import METRICS, NUMBERS, PLAIN, WHOLE, Row, costs, label, read, summary

from dmsca_mm.errors import UsageError, exit_on_usage_error


def page(rows: list[Row]) -> str:
    """The page in docs.

    Args:
        rows: of ``study_rows.summary``.
    """
    text = (ROOT / 'benchmarks' / 'study_page.md.template').read_text().format(
        date=date.today(), machine=processor(), cores=os.cpu_count(), side=SIDE,
        corruptions=', '.join(CORRUPTIONS), severity=SEVERITY, images=IMAGES, stages=' and '.join(map(str, STAGES)),
        runs=sum(row['seeds'] for row in rows), starts=_schedules(), found='\n'.join(_findings(rows)))
    return '\n'.join([text, *(line for task in TASKS for line in _section(task, rows))])


def _schedules() -> str:
    units = {'epochs': 'epochs', 'iters': 'iterations'}
    return ',\n'.join(f'{name}: {task.start} {units[task.unit]} for the plain model, then {task.length} for all'
                      for name, task in TASKS.items()).capitalize()


def _findings(rows: list[Row]) -> list[str]:
    """The differences whose interval leaves out zero, among how many, and how wide intervals are."""
    compared = [row for row in rows if row['contender'] != PLAIN]
    tested = found = 0
    lines = []
    for task in TASKS:
        for number, name in NUMBERS.items():
            intervals, stands_out = [], []
            for row in compared:
                difference, interval = row[f'{number}_difference'], row[f'{number}_interval']
                if row['task'] != task or interval == '':
                    continue
                intervals.append(interval)
                if abs(difference) > interval:
                    stands_out.append(f'{label(row["contender"])} {difference:+.3f} ± {interval:.3f}')
            tested, found = tested + len(intervals), found + len(stands_out)
            if intervals:
                lines.append(f'| {task}, {name} | {"; ".join(stands_out) or "none"} | {median(intervals):.3f} |')
    return [f"Of {tested} differences, {found} have a 95 % interval (Student's t over the seeds) without zero in it;",
            f'{tested / 20:.0f} would by chance alone, if nothing made any difference.', '',
            '| | differences without zero in their interval | half an interval, median |',
            '| --- | --- | --- |', *lines]


def _section(task: str, rows: list[Row]) -> list[str]:
    rows = [row for row in rows if row['task'] == task]
    if not rows:
        return []
    parts = [row for row in rows if row['contender'] == WHOLE or row['against'] == WHOLE]
    return [f'## {task.capitalize()}, {METRICS[task]}', '',
            *_table('attention (difference to plain)', PLAIN, [row for row in rows if row['against'] == PLAIN]),
            *(_table('part (difference to the whole DMSCA)', WHOLE, parts) if len(parts) > 1 else [])]


def _table(title: str, reference: str, rows: list[Row]) -> list[str]:
    """A table of contenders that are compared with the same one."""
    prices, base = costs(), rows[0]['parameters']
    lines = [f'| {title} | seeds | {" | ".join(NUMBERS.values())} | parameters | training step, inference |',
             f'|{" --- |" * (len(NUMBERS) + 4)}']
    for row in rows:
        cells = [_cell(row, number, row['contender'] != reference) for number in NUMBERS]
        price = ', '.join(f'{ratio:.2f}' for ratio in prices.get(row['contender'], ()))
        lines.append(f'| {label(row["contender"])} | {row["seeds"]} | {" | ".join(cells)} | '
                     f'{row["parameters"] / base:.4f} | {price} |')
    return [*lines, '']


def _cell(row: Row, number: str, compared: bool) -> str:
    """Mean and spread, and those of the difference in brackets."""
    def around(value: float | str) -> str:
        return '' if value == '' else f' ± {value:.3f}'
    whole = f'{row[f"{number}_mean"]:.3f}{around(row[f"{number}_std"])}'
    difference = row[f'{number}_difference']
    if not compared or difference == '':
        return whole
    return f'{whole} ({difference:+.3f}{around(row[f"{number}_difference_std"])})'


def _write(rows: list[Row], path: Path) -> None:
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({name: round(value, 5) if isinstance(value, float) else value for name, value in row.items()}
                         for row in rows)


def main() -> None:
    """Parse, write everything, say where."""
    parser = argparse.ArgumentParser(description="Write the study's tables, picture and page",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/study'), help='folder of all runs')
    parser.add_argument('--results', type=Path, default=ROOT / 'benchmarks' / 'results', help='for tables and picture')
    parser.add_argument('--page', type=Path, default=ROOT / 'docs' / 'study.md', help='the page')
    chosen = parser.parse_args()
    every = read(chosen.work_dir.resolve())
    if not every:
        raise UsageError(f'no run of a study is done in {chosen.work_dir}: python benchmarks/study.py makes them')
    rows = summary(every)
    _write(every, chosen.results / 'study.csv')
    _write(rows, chosen.results / 'study_summary.csv')
    picture(rows, every, chosen.results / 'study.png')
    chosen.page.write_text(page(rows))
    print(f'{len(every)} runs: {chosen.page}, and in {chosen.results} study.csv, study_summary.csv, study.png')


if __name__ == '__main__':
    exit_on_usage_error(main)
