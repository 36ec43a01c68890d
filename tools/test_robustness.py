"""Test a model under the fifteen common corruptions: ``python tools/test_robustness.py CONFIG CHECKPOINT``."""
from dmsca_mm.analysis.robustness import CORRUPTIONS, GROUPS, SEVERITIES, table
from dmsca_mm.analysis.robustness.measure import measure
from dmsca_mm.errors import exit_on_usage_error
from dmsca_mm.runtime import cli
from dmsca_mm.runtime.config import default_work_dir


def main() -> None:
    """Parse, measure, print the table and where the results are."""
    parser = cli.inspection_parser('Test a detector, segmenter or classifier under the fifteen common corruptions')
    parser.add_argument('--out', help='folder for the results; default work_dirs/NAME_OF_CONFIG/robustness')
    parser.add_argument('--corruptions', nargs='+', default=tuple(GROUPS), metavar='NAME',
                        help=f'of the groups {", ".join(GROUPS)} and of {", ".join(CORRUPTIONS)}; default all')
    parser.add_argument('--severities', nargs='+', type=int, default=SEVERITIES, metavar='N',
                        help='1 to 5; default all')
    parser.add_argument('--metric', help='metric to compare, higher is better; default '
                        'coco/bbox_mAP, mIoU or accuracy/top1')
    parser.add_argument('--processes', type=int, help='default one per GPU, or one per core up to eight')
    parser.add_argument('--images', type=int, metavar='N', help='N of the test data, at even intervals; default all')
    parser.add_argument('--overwrite', action='store_true', help='drop earlier results in the folder')
    values = vars(parser.parse_args())
    print(table(measure(**values)))
    folder = values['out'] or default_work_dir(values['config']) / 'robustness'
    print(f'tested: table, picture and all metrics are robustness.md, .png and .json in {folder}')


if __name__ == '__main__':
    exit_on_usage_error(main)
