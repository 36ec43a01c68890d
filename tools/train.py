"""Train a detector, segmenter or classifier: ``tools/train.py CONFIG``. Several processes: ``tools/dist_train.sh``."""
from dmsca_mm.errors import exit_on_usage_error, is_first_process
from dmsca_mm.runtime import cli, run, tracking


def main() -> None:
    """Parse, train, print where the results are."""
    parser = cli.parser('Train a detector, segmenter or classifier')
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='resume from the newest checkpoint in the work directory, or from this one')
    parser.add_argument('--overwrite', action='store_true',
                        help='delete the checkpoints of an earlier run in the work directory')
    parser.add_argument('--amp', action='store_true', help='mixed precision; needs a GPU')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate with the batch size')
    parser.add_argument('--skip-bad-images', action='store_true', help='skip broken training images')
    parser.add_argument('--track', choices=list(tracking.TRACKERS), help='also log to this tracker')
    directory = run.train(**cli.parse(parser))
    if is_first_process():
        print(run.whereabouts(directory))


if __name__ == '__main__':
    exit_on_usage_error(main)
