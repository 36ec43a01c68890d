"""Check whether the fast form can use the parameters of DMSCA's children without calling the children."""
from __future__ import annotations

from torch import nn
from torch.nn.modules import module as hooks

from . import parts

FORWARDS = (nn.Conv2d.forward, parts.GlobalContextEncoder.forward, parts.TemperatureChannelAttention.forward,
            parts.MultiScaleSpatialEncoder.forward, parts.DirectionalInteraction.forward,
            parts.DynamicFeatureFusion.forward, parts.AdaptiveActivation.forward)
"""The forward methods of the children that DMSCA builds. A parametrized layer keeps the forward of its class."""
Size = tuple[tuple[int, ...], bool]


def sizes(dmsca: nn.Module) -> list[Size]:
    """Return the sizes of all convolutions, in the order of :func:`are_plain`.

    Args:
        dmsca: as built.
    """
    return [_size(layer) for layer in dmsca.modules() if isinstance(layer, nn.Conv2d)]


def are_plain(dmsca: nn.Module) -> bool:
    """Return whether all children have their standard forward and no hooks, so that their parameters define Y.

    False if a child has a hook, if a hook is installed for all modules, if a convolution has no bias, or has groups, a
    stride, a dilation, another padding or another size than in DMSCA, or if a child has another class, such as a layer
    with a low-rank adapter, simulated quantization or standardized weights. Every forward calls this function, so it
    walks the three levels of modules itself: ``modules()`` takes several times as long.

    Args:
        dmsca: the module, with its :func:`sizes` when it was built in ``sizes``.
    """
    if (hooks._global_forward_hooks or hooks._global_forward_pre_hooks or hooks._global_backward_hooks
            or hooks._global_backward_pre_hooks):
        return False
    expected = iter(dmsca.sizes)
    for part in dmsca._modules.values():
        if not _is_plain(part):
            return False
        for layer in part._modules.values():
            for module in layer._modules.values() if type(layer) is nn.ModuleList else (layer,):
                if not _is_plain(module) or _size(module) != next(expected, None):
                    return False
    return True


def _size(layer: nn.Conv2d) -> Size:
    """Return the kernel size and whether there is one output; other widths may change, as structured pruning does."""
    return layer.kernel_size, layer.out_channels == 1


def _is_plain(module: nn.Module) -> bool:
    return (type(module).forward in FORWARDS and 'forward' not in module.__dict__
            and (type(module).forward is not nn.Conv2d.forward or _is_plain_convolution(module))
            and not (module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
                     or module._backward_pre_hooks))


def _is_plain_convolution(layer: nn.Conv2d) -> bool:
    height, width = layer.kernel_size
    return (layer.padding_mode == 'zeros' and layer.padding == (height // 2, width // 2) and layer.groups == 1
            and layer.stride == layer.dilation == (1, 1) and type(layer)._conv_forward is nn.Conv2d._conv_forward
            # None without a bias. A parametrized bias is not in _parameters, and layer.bias would compute it.
            and layer._parameters.get('bias', layer) is not None)
