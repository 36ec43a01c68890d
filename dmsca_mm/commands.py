"""``dmsca VERB``, or ``python -m dmsca_mm VERB``: run the tools of a checkout from any installation."""
from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from . import doctor
from .errors import UsageError, exit_on_usage_error

DOCTOR = 'doctor'
VERBS = {
    DOCTOR: 'what is installed, what works, and the command that mends what does not (without a verb, too)',
    'train': 'train a detector, segmenter or classifier: CONFIG',
    'dist-train': 'the same in N processes, one for each GPU: CONFIG N',
    'test': 'test a checkpoint: CONFIG CHECKPOINT',
    'dist-test': 'the same in N processes: CONFIG CHECKPOINT N',
    'check': 'report errors of a config and its data before training: CONFIG',
    'report': 'one HTML file about a training: WORK_DIR',
    'show-attention': 'draw the attention maps: CONFIG CHECKPOINT IMAGES',
    'test-alignment': 'how well the maps coincide with the objects: CONFIG CHECKPOINT',
    'test-robustness': 'performance under common corruptions: CONFIG CHECKPOINT',
    'export-onnx': 'a detector or segmenter as an ONNX file: CONFIG CHECKPOINT --out FILE.onnx',
    'publish-model': 'strip a checkpoint for publication: CHECKPOINT OUT',
    'contact-sheet': 'the first pictures of a folder on one: FOLDER SHEET',
    'make-digits': 'generate the built-in data set',
    'convert-voc': 'boxes in the layout of Pascal VOC as a COCO file',
}
"""Description and first arguments of each verb; ``VERB --help`` lists the others."""


def tools() -> Path:
    """Return the folder of the tools: inside an installed package, or next to the package in a checkout."""
    installed = Path(__file__).parent / '.mim' / 'tools'
    return installed if installed.is_dir() else Path(__file__).parents[1] / 'tools'


def run(verb: str, arguments: list[str]) -> None:
    """Run the tool of a verb in this process.

    Args:
        verb: a key of ``VERBS``.
        arguments: command-line arguments of the tool.

    Raises:
        UsageError: an unknown verb.
        SystemExit: with the doctor's exit code.
    """
    if verb not in VERBS:
        raise UsageError(f'unknown verb {verb!r}: give one of {", ".join(VERBS)}; "dmsca --help" explains them')
    if verb == DOCTOR:
        sys.exit(doctor.main())
    script = tools() / f'{verb.replace("-", "_")}.py'
    if script.is_file():
        sys.argv = [f'dmsca {verb}', *arguments]
        runpy.run_path(str(script))['main']()
    else:
        os.environ['PYTHON'] = sys.executable  # not the one that make setup was given
        os.execvp('bash', ['bash', str(script.with_suffix('.sh')), *arguments])


def main() -> None:
    """Parse the verb and run it; without a verb, print the doctor's report."""
    verb, *arguments = sys.argv[1:] or [DOCTOR]
    if verb in ('-h', '--help'):
        print('usage: dmsca VERB [ARGUMENTS]; "dmsca VERB --help" lists those of a verb\n')
        print('\n'.join(f'  {name:<16}{what}' for name, what in VERBS.items()))
    else:
        exit_on_usage_error(lambda: run(verb, arguments))
