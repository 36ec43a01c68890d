"""Command line shared by training and testing, as in mmdet and mmseg."""
from __future__ import annotations

import argparse
import os
from typing import Any

from mmengine.config import DictAction

from ..errors import UsageError
from ..plugin_spec import FORM, plugins_of
from ..plugins import PLUGINS


class _Options(DictAction):
    """``KEY=VALUE`` pairs; an invalid pair is an argparse error instead of a traceback."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
                 option_string: str | None = None) -> None:
        try:
            super().__call__(parser, namespace, values, option_string)
            if any('' in key.split('.') for key in getattr(namespace, self.dest)):
                raise ValueError
        except (ValueError, AssertionError):
            parser.error(f'{option_string} takes KEY=VALUE pairs, got {" ".join(values)}')


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the arguments of every tool that runs a config.

    Args:
        description: what the tool does, in one line.
    """
    result = _with_config(description)
    result.add_argument('--work-dir', help="folder for logs and, in training, checkpoints; default the config's "
                                             'work_dir, else work_dirs/NAME_OF_CONFIG')
    result.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='job launcher')
    result.add_argument('--local-rank', '--local_rank', type=int, default=0, help=argparse.SUPPRESS)
    return result


def inspection_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the arguments of every tool that inspects a trained model.

    Args:
        description: what the tool does, in one line.
    """
    result = _with_config(description)
    result.add_argument('weights', metavar='checkpoint', help='path of the weights, trained with this config')
    return result


def _spec(text: str) -> str:
    """Return a plugin spec unchanged; an invalid one is an argparse error."""
    try:
        plugins_of(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _with_config(description: str) -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=description)
    result.add_argument('config', help='path of a config, or LIBRARY::NAME such as '
                                       'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
    result.add_argument('--plugin', type=_spec, metavar=FORM,
                        help="put this plugin into every stage that trains, in place of the config's plugins: "
                             f'{", ".join(PLUGINS)}, or the type of a registered layer; keys are arguments of its '
                             'operator, position and stages')
    result.add_argument('--cfg-options', nargs='+', action=_Options, metavar='KEY=VALUE',
                        help='override config entries')
    return result


def parse(arguments: argparse.ArgumentParser) -> dict[str, Any]:
    """Parse the command line into keyword arguments of ``run.train``, ``run.check`` or ``testing.test``."""
    values = vars(arguments.parse_args())
    local_rank = values.pop('local_rank')
    if values.get('launcher') == 'slurm' and 'SLURM_PROCID' in os.environ:  # so that the first process alone prints
        os.environ['RANK'] = os.environ['SLURM_PROCID']
        local_rank = os.environ.get('SLURM_LOCALID', local_rank)
    os.environ.setdefault('LOCAL_RANK', str(local_rank))
    return values
