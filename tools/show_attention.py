"""Draw what a model attends to: ``python tools/show_attention.py CONFIG CHECKPOINT IMAGES... --out DIR``."""
from dmsca_mm.analysis.attention_maps.showing import show_attention
from dmsca_mm.errors import exit_on_usage_error
from dmsca_mm.runtime import cli


def main() -> None:
    """Parse, draw, print the paths of the figures."""
    parser = cli.inspection_parser('Draw what a model attends to in images')
    parser.add_argument('images', nargs='+', help='image files, or folders of them')
    parser.add_argument('--out', required=True, help='folder for the figures, one per image')
    parser.add_argument('--stages', nargs='+', type=int, help='stages of the backbone, from 1; default all with DMSCA')
    parser.add_argument('--blocks', choices=['last', 'all'], default='last',
                        help='which blocks of each stage (%(default)s)')
    parser.add_argument('--grad-cam', action='store_true', help='draw Grad-CAM, for any model, instead of the maps')
    parser.add_argument('--beside', nargs=2, action='append', default=[], metavar=('CONFIG', 'CHECKPOINT'),
                        help='Grad-CAM of another model below; can be repeated')
    for path in show_attention(**vars(parser.parse_args())):
        print(path)


if __name__ == '__main__':
    exit_on_usage_error(main)
