"""ResNets that take plugins at every depth, including 18 and 34, and a stem for small images.

mmdet and mmseg build ResNet-18 and -34 from a BasicBlock that rejects plugins. This module builds any of their ResNets
with a BasicBlock that accepts them; the rest is the library's. mmcv is imported only when a ResNet is built.
"""
from __future__ import annotations

import copyreg
import inspect
from abc import ABCMeta
from collections.abc import Sequence
from functools import cache
from typing import Any

from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .errors import UsageError
from .plugins import check_entry, name_apart, plugin_entries


def backbone_class(backbone: dict[str, Any], default_scope: str | None = None) -> type:
    """Return the class of a backbone; for ``PluginResNet``, the library's class in ``base``.

    Args:
        backbone: its dict, whose ``type`` or ``base`` is a registered name or a class.
        default_scope: the library that resolves a plain name; None for the current one.

    Raises:
        UsageError: the class is not registered.
    """
    kind = backbone.get('base', 'ResNet') if is_plugin_resnet(backbone) else backbone['type']
    if inspect.isclass(kind):
        return kind
    if default_scope:
        init_default_scope(default_scope)
    with MODELS.switch_scope_and_registry(default_scope) as registry:
        found = registry.get(kind)
        if found is None:
            raise UsageError(f'backbone {kind!r} is registered nowhere: check its name and default_scope '
                             f'{default_scope or registry.scope!r}, or name the library, as in type=\'mmdet.ResNet\'')
    return found


def is_plugin_resnet(backbone: dict[str, Any]) -> bool:
    """Return whether the ``type`` of a backbone is ``PluginResNet``, by a name or as the function that builds it."""
    return backbone['type'] in ('PluginResNet', f'{MODELS.scope}.PluginResNet', plugin_resnet,
                                f'{__name__}.{plugin_resnet.__name__}')


def check_backbone(backbone: dict[str, Any], default_scope: str | None = None) -> None:
    """Reject a backbone with a depth or plugins that its class cannot build or would silently ignore.

    Args:
        backbone: its dict, with ``type``.
        default_scope: the library that resolves a plain type name, ``'mmdet'`` or ``'mmseg'``; None is the current one.

    Raises:
        UsageError: the class is not registered or takes no plugins; the depth does not exist; the plugins have a wrong
            number of stages, an unknown position or invalid operator arguments; or as :func:`plugin_entries` and
            :func:`name_apart`.
    """
    kind = backbone_class(backbone, default_scope)
    depths = getattr(kind, 'arch_settings', None)
    if depths and 'depth' in backbone and backbone['depth'] not in depths:
        raise UsageError(f'backbone {kind.__name__} has no depth {backbone["depth"]}: it has '
                         f'{", ".join(map(str, depths))}')
    entries = plugin_entries(backbone)
    if (entries or is_plugin_resnet(backbone)) and not takes_argument(kind, 'plugins'):
        way = ("in a classifier, use type='PluginResNet', base='mmdet.ResNet', norm_eval=False"
               if kind.__module__.startswith('mmpretrain.') else
               'use a ResNet of mmdet or mmseg, or one of its relatives that does')
        raise UsageError(f'backbone {kind.__name__} takes no plugins: {way}')
    for entry in entries:
        check_entry(entry, kind.__name__, backbone.get('num_stages', 4))
    name_apart(entries, backbone.get('num_stages', 4))


def takes_argument(kind: type, name: str) -> bool:
    """Return whether a constructor, or one that its ``**kwargs`` reach, has the argument."""
    return argument(kind, name) is not None


def argument(kind: type, name: str) -> inspect.Parameter | None:
    """Return the argument of a constructor, or of one that its ``**kwargs`` reach; None if they lack it."""
    for base in kind.__mro__:
        if '__init__' not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters
        if name in parameters:
            return parameters[name]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return None
    return None


@MODELS.register_module(name='PluginResNet')
def plugin_resnet(base: str | type[nn.Module] = 'ResNet', small_stem: bool = False, **arguments: Any) -> nn.Module:
    """Build a ResNet of mmdet or mmseg that takes plugins at every depth, ``type='PluginResNet'`` in a config.

    Without plugins it equals the library's ResNet bit for bit, and its state_dict has the library's names.

    Args:
        base: the library's ResNet: ``'ResNet'``, ``'ResNetV1c'`` or ``'ResNetV1d'``, looked up in the config's
            default_scope unless it names the library, as ``'mmdet.ResNet'`` does.
        small_stem: use a 3×3 convolution of stride 1 instead of the 7×7 convolution and the pooling, for images of
            about 32 pixels.
        **arguments: those of the library's ResNet; plugins of one type in a block get distinct names. In the
            BasicBlock of depth 18 and 34, position ``'after_conv1'`` is after the first convolution's norm and
            activation; ``'after_conv2'`` and ``'after_conv3'`` are both after the last norm, before the residual is
            added.

    Raises:
        UsageError: as :func:`check_backbone`.
        ValueError: a small stem together with a deep stem.

    Source:
        K. He et al., Deep Residual Learning for Image Recognition, 2016: figure 5 for the blocks, section 4.2 for
        the small stem.
    """
    check_backbone(dict(type='PluginResNet', base=base, **arguments))
    if arguments.get('plugins'):
        arguments['plugins'] = name_apart(arguments['plugins'], arguments.get('num_stages', 4))
    return _mixed(_ResNet, backbone_class(dict(type=base)))(small_stem=small_stem, **arguments)


class _Mixed(ABCMeta):
    """Metaclass of the classes that :func:`_mixed` makes: no module holds them, so they are pickled by their bases."""


@cache
def _mixed(mixin: type, base: type[nn.Module]) -> type[nn.Module]:
    return _Mixed(base.__name__, (mixin, base), {})


copyreg.pickle(_Mixed, lambda kind: (_mixed, kind.__bases__))


class _ResNet:
    """Mixin ahead of a library's ResNet in the MRO."""

    def __init__(self, small_stem: bool, **arguments: Any) -> None:
        self.small_stem = small_stem  # set first: the library's constructor builds the stem
        super().__init__(**arguments)

    def _make_stem_layer(self, in_channels: int, stem_channels: int) -> None:
        super()._make_stem_layer(in_channels, stem_channels)
        if not self.small_stem:
            return
        if self.deep_stem:
            raise ValueError('small_stem=True and deep_stem=True exclude each other: give one of them')
        from mmcv.cnn import build_conv_layer
        self.conv1 = build_conv_layer(self.conv_cfg, in_channels, stem_channels, kernel_size=3, stride=1, padding=1,
                                      bias=False)
        self.maxpool = nn.Identity()

    def make_res_layer(self, block: type[nn.Module], **arguments: Any) -> nn.Module:
        if block.expansion == 1:
            block = _mixed(_BasicBlock, block)
        return super().make_res_layer(block=block, **arguments)


class _BasicBlock:
    """Mixin ahead of a library's BasicBlock in the MRO."""

    def __init__(self, planes: int, plugins: Sequence[dict[str, Any]] | None = None, **arguments: Any) -> None:
        super().__init__(planes=planes, **arguments)
        self.after_conv1_plugin_names, self.after_conv2_plugin_names = [], []
        for plugin in plugins or ():
            first = plugin['position'] == 'after_conv1'
            names = self.after_conv1_plugin_names if first else self.after_conv2_plugin_names
            names.append(self._add_plugin(dict(plugin['cfg']), planes))

    def _add_plugin(self, cfg: dict[str, Any], channels: int) -> str:
        from mmcv.cnn import build_plugin_layer
        name, layer = build_plugin_layer(cfg, in_channels=channels, postfix=cfg.pop('postfix', ''))
        self.add_module(name, layer)
        return name

    def _through(self, x: Tensor, names: Sequence[str]) -> Tensor:
        for name in names:
            x = getattr(self, name)(x)
        return x

    def _sum(self, x: Tensor) -> Tensor:
        out = self.relu(self.norm1(self.conv1(x)))
        out = self._through(out, self.after_conv1_plugin_names)
        out = self.norm2(self.conv2(out))
        out = self._through(out, self.after_conv2_plugin_names)
        out += x if self.downsample is None else self.downsample(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        if self.with_cp and x.requires_grad:
            return self.relu(checkpoint(self._sum, x, use_reentrant=False))
        return self.relu(self._sum(x))
