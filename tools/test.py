"""Test a checkpoint: ``python tools/test.py CONFIG CHECKPOINT``. Several processes: ``tools/dist_test.sh``."""
import numpy as np

from dmsca_mm.errors import exit_on_usage_error, is_first_process
from dmsca_mm.runtime import cli, testing


def main() -> None:
    """Parse, test, print the metrics."""
    parser = cli.parser('Test a detector, segmenter or classifier')
    parser.add_argument('checkpoint', help='path or address of the weights')
    parser.add_argument('--out', help='predictions: a .pkl file, or a folder of label maps for a segmenter')
    parser.add_argument('--show', action='store_true', help='show each picture in a window')
    parser.add_argument('--show-dir', help='folder for pictures of the predictions next to the ground truth')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds that a window stays (%(default)s)')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    metrics = testing.test(**cli.parse(parser))
    if is_first_process():
        figures = ', '.join(f'{name} {value:.4g}' for name, value in metrics.items() if np.ndim(value) == 0)
        print(f'tested: {figures or "the evaluator gave no metrics: nothing was detected, or format_only is set"}')


if __name__ == '__main__':
    exit_on_usage_error(main)
