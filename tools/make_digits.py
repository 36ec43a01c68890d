"""Make the built-in data set: ``python tools/make_digits.py``. A second call finds it and ends at once."""
import argparse
from dataclasses import fields

from dmsca_mm.datasets.digit_classes import DigitClassesParameters, make_digit_classes
from dmsca_mm.datasets.digits import DigitsParameters, make_digits
from dmsca_mm.errors import exit_on_usage_error

TASKS = {'detection': (make_digits, DigitsParameters, 'data/digits'),
         'classification': (make_digit_classes, DigitClassesParameters, 'data/digit_classes')}
HELP = dict(
    training='training images', validation='validation images', size='side of the images in pixels',
    seed='the same seed gives the same files, byte for byte')


def main() -> None:
    """Parse, make the data set, print where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--task', choices=list(TASKS), default='detection',
                        help='boxes and label maps, for detection and segmentation, or a folder for each class')
    folders = [folder for *_, folder in TASKS.values()]
    parser.add_argument('--out', help=_with_defaults(folders, 'where the data set goes'))
    parser.add_argument('--overwrite', action='store_true', help='replace an existing digits data set')
    for field in fields(DigitsParameters):
        defaults = [getattr(parameters, field.name) for _, parameters, _ in TASKS.values()]
        parser.add_argument('--' + field.name, type=int, help=_with_defaults(defaults, HELP[field.name]))
    values = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    make, parameters, folder = TASKS[values.pop('task')]
    out, overwrite = values.pop('out', folder), values.pop('overwrite')
    chosen = parameters(**values)
    made = make(out, chosen, overwrite)
    print(f'digits: {"made" if made else "already there"}, {chosen.training} training and '
          f'{chosen.validation} validation images in {out}')


def _with_defaults(defaults: list[object], what: str) -> str:
    return f'{what} (default: {", ".join(f"{value} for {task}" for task, value in zip(TASKS, defaults, strict=True))})'


if __name__ == '__main__':
    exit_on_usage_error(main)
