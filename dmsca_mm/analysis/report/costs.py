"""Cost of a config's backbone with and without its plugins."""
from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from mmengine.analysis import FlopAnalyzer, parameter_count
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from ...attention import DMSCA
from ...checkpoint.sources import forget_pretrained
from ...config_tree import backbones, put_plugin
from ...errors import UsageError
from ...runtime.config import test_pipeline
from ...runtime.distributed import replace_sync_batch_norm


@dataclass(frozen=True)
class Costs:
    """Cost of one backbone, first with and then without its plugins.

    Attributes:
        size: width and height of the image, in pixels.
        parameters: number of parameters.
        multiply_adds: number in one forward pass of the image, as counted by mmengine's ``FlopAnalyzer``.
    """

    size: tuple[int, int]
    parameters: tuple[int, int]
    multiply_adds: tuple[int, int]


def costs(config: Config) -> Costs:
    """Count the parameters and multiply-adds.

    Args:
        config: an OpenMMLab config whose model has been checked; it is not changed.

    Raises:
        UsageError: the config has no backbone, or it cannot be built or counted.
    """
    config = copy.deepcopy(config)
    forget_pretrained(config.model)
    replace_sync_batch_norm(config.model)
    if config.get('default_scope'):
        init_default_scope(config.default_scope)
    size = _test_size(config)
    counted = [_count(backbones(config)[0], size)]
    put_plugin(config, 'none')
    counted.append(_count(backbones(config)[0], size))
    parameters, multiply_adds = zip(*counted, strict=True)
    return Costs(size, parameters, multiply_adds)


def _count(settings: ConfigDict, size: tuple[int, int]) -> tuple[int, int]:
    image = torch.zeros(1, settings.get('in_channels', 3), size[1], size[0])
    try:
        backbone = MODELS.build(settings)
        nn.Module.train(backbone, False)
        for module in backbone.modules():
            if isinstance(module, DMSCA):
                module.form = 'literal'  # the fast form computes the same with operators that mmengine does not count
        analyzer = FlopAnalyzer(backbone, (image,)).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        return parameter_count(backbone)[''], int(analyzer.total())
    except Exception as error:  # a backbone may be third-party code, and mmengine must trace it
        raise UsageError(f'{settings.type} could not be counted: {type(error).__name__}: {error}') from error


def _test_size(config: Config) -> tuple[int, int]:
    """Return the width and height to which the test pipeline resizes an image, or 224×224 if it does not resize."""
    for step in test_pipeline(config):
        if 'Resize' in str(step['type']) and isinstance(step.get('scale'), (list, tuple)):
            return tuple(int(side) for side in step['scale'])
    return 224, 224
