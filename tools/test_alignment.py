"""Measure how well maps match the annotated objects: ``python tools/test_alignment.py CONFIG CHECKPOINT``."""
import sys

from dmsca_mm.analysis.alignment.figure import PANELS
from dmsca_mm.analysis.alignment.measuring import measure_alignment
from dmsca_mm.errors import exit_on_usage_error
from dmsca_mm.runtime import cli
from dmsca_mm.runtime.config import default_work_dir
from dmsca_mm.runtime.intervals import FEW


def main() -> None:
    """Parse, measure, print the numbers over all object sizes."""
    parser = cli.inspection_parser("Measure how well a model's maps match the annotated objects")
    parser.add_argument('--beside', nargs=2, action='append', default=[], metavar=('CONFIG', 'CHECKPOINT'),
                        help='another model on the same images, such as one without attention; can be repeated')
    parser.add_argument('--images', type=int, default=200, help='number of test images, from the first (%(default)s)')
    parser.add_argument('--stages', nargs='+', type=int, help='stages of the backbone, from 1; default all')
    parser.add_argument('--classes', nargs='+', help='classes that are objects; default all but background')
    parser.add_argument('--out', help='folder for the results; default work_dirs/NAME_OF_CONFIG/alignment')
    values = vars(parser.parse_args())
    numbers = ['area', *PANELS]
    rows = [row for row in measure_alignment(**values) if row['size'] == 'all']
    print(f'{"model, map, stage":60}' + ''.join(f'{name:>10}' for name in numbers))
    for row in rows:
        print(f'{row["model"]}, {row["map"]}, {row["stage"]}'.ljust(60)
              + ''.join(f'{row[name]:10.3f}' for name in numbers))
    images = rows[0]['images']
    if images < FEW:
        intervals = [row['interval'][name] for row in rows for name in PANELS]
        low, high = max(intervals, key=lambda ends: ends[1] - ends[0])
        print(f'warning: only {images} images with objects: the 95 % intervals (bootstrap over images) are up to '
              f'{high - low:.3f} wide, from {low:.3f} to {high:.3f}; alignment.json has each', file=sys.stderr)
    folder = values['out'] or default_work_dir(values['config']) / 'alignment'
    print(f'all results, also by object size: {folder}/alignment.json; picture: {folder}/alignment.png')


if __name__ == '__main__':
    exit_on_usage_error(main)
