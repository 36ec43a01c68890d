"""Write an HTML report of a training: ``python tools/report.py WORK_DIR``."""
import argparse

from dmsca_mm.analysis.report.assemble import write_report
from dmsca_mm.errors import exit_on_usage_error


def main() -> None:
    """Parse, write, print the path of the report."""
    parser = argparse.ArgumentParser(description='Write an HTML report of a training')
    parser.add_argument('work_dir', help='of the training, such as work_dirs/NAME_OF_CONFIG')
    parser.add_argument('--out', help='the file; default WORK_DIR/report.html')
    parser.add_argument('--images', type=int, default=4,
                        help='test images to show with predictions (%(default)s); 0 for none')
    print(write_report(**vars(parser.parse_args())))


if __name__ == '__main__':
    exit_on_usage_error(main)
