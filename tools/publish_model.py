"""Prepare a checkpoint for publication: ``python tools/publish_model.py CHECKPOINT OUT``."""
import argparse

from dmsca_mm.checkpoint.publishing import publish
from dmsca_mm.errors import exit_on_usage_error


def main() -> None:
    """Parse, publish, print the path of the file."""
    parser = argparse.ArgumentParser(description='Remove the training state from a checkpoint and put its hash into '
                                                 'its name')
    parser.add_argument('checkpoint', help='path of the checkpoint')
    parser.add_argument('out', help='the new file, .pth or .safetensors; its hash goes in before the suffix')
    arguments = parser.parse_args()
    print(publish(arguments.checkpoint, arguments.out))


if __name__ == '__main__':
    exit_on_usage_error(main)
