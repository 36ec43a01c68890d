"""Convert the boxes of a folder in Pascal VOC's layout to a COCO annotation file."""
import argparse
import sys

from dmsca_mm.datasets.voc import convert_voc
from dmsca_mm.errors import exit_on_usage_error


def main() -> None:
    """Parse, convert, print what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', help='the folder that holds Annotations/*.xml and JPEGImages')
    parser.add_argument('out', help='the JSON file')
    parser.add_argument('--classes', nargs='+', required=True, help='their names, in the order of the categories')
    parser.add_argument('--list', dest='listed', help='a text file with one XML file name per line, without '
                                                      'suffix, such as ROOT/ImageSets/Main/train.txt; default: all')
    parser.add_argument('--mend-boxes', action='store_true', help='clip boxes to their image and drop those without '
                                                                  'area; each is named')
    done = convert_voc(**vars(parser.parse_args()))
    for warning in done.warnings:
        print(f'warning: {warning}', file=sys.stderr)
    boxes = ', '.join(f'{count} {name}' for name, count in done.boxes.items())
    print(f'{done.images} images with {sum(done.boxes.values())} boxes ({boxes})')


if __name__ == '__main__':
    exit_on_usage_error(main)
