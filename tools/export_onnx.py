"""Write a trained model as an ONNX file: ``python tools/export_onnx.py CONFIG CHECKPOINT --out FILE.onnx``."""
from dmsca_mm.errors import exit_on_usage_error
from dmsca_mm.export import export
from dmsca_mm.runtime import cli


def main() -> None:
    """Parse, export, print how well the file agrees with the model."""
    parser = cli.inspection_parser('Write a trained detector or segmenter as an ONNX file, compared in onnxruntime')
    parser.add_argument('--out', required=True, help='the file, .onnx')
    parser.add_argument('--images', nargs='+', help='to compare on; default the first four of the test data set')
    values = vars(parser.parse_args())
    agreement = export(values['config'], values['weights'], values['out'], values['images'], values['cfg_options'],
                       values['plugin'])
    print(f'{values["out"]} agrees with the model: {agreement}')


if __name__ == '__main__':
    exit_on_usage_error(main)
