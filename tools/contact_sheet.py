"""Combine the first pictures of a folder into one: ``python tools/contact_sheet.py FOLDER SHEET``."""
import argparse

from dmsca_mm.analysis.contact_sheet import contact_sheet
from dmsca_mm.errors import exit_on_usage_error


def main() -> None:
    """Parse, draw, print the paths of the pictures and the sheet."""
    parser = argparse.ArgumentParser(description='Combine the first pictures of a folder into one')
    parser.add_argument('folder', help='searched at any depth')
    parser.add_argument('sheet', help='the picture to write, .png or .jpg')
    parser.add_argument('--count', type=int, default=8, help='number of pictures (%(default)s)')
    arguments = parser.parse_args()
    for path in contact_sheet(arguments.folder, arguments.sheet, arguments.count):
        print(path)
    print(f'all of them: {arguments.sheet}')


if __name__ == '__main__':
    exit_on_usage_error(main)
