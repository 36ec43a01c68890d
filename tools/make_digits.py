"""Make the built-in data set: ``python tools/make_digits.py``. A second call finds it and ends at once."""
import argparse
from dataclasses import fields

from dmsca_mm.datasets.digits import DigitsParameters, make_digits
from dmsca_mm.errors import exit_on_usage_error

HELP = dict(
    training='training images', validation='validation images', size='side of the images in pixels',
    seed='the same seed gives the same files, byte for byte')


def main() -> None:
    """Parse, make the data set, say where it lies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--out', default='data/digits', help='where the data set goes')
    parser.add_argument('--overwrite', action='store_true', help='replace a digits data set that is there')
    for field in fields(DigitsParameters):
        parser.add_argument('--' + field.name.replace('_', '-'), type=type(field.default), default=field.default,
                            help=HELP[field.name])
    values = vars(parser.parse_args())
    out, overwrite = values.pop('out'), values.pop('overwrite')
    made = make_digits(out, DigitsParameters(**values), overwrite)
    print(f'digits: {"made" if made else "already there"}, {values["training"]} training and '
          f'{values["validation"]} validation images in {out}')


if __name__ == '__main__':
    exit_on_usage_error(main)
