"""DMSCA, dynamic multi-scale channel-spatial attention, as one module.

Source: L. Zong et al., Scientific Reports 16, 8044 (2026), doi 10.1038/s41598-026-37546-3. No public code was found;
docs/operator.md lists what comes from the paper and what is this project's reading of it.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .. import checks
from . import children, op, parts, reference
from .signature import Parameters

INITS = ('identity', 'paper')
FORMS = ('fast', 'literal')


@dataclass(frozen=True)
class Explanation:
    """The intermediate maps of one forward of DMSCA, detached from the graph.

    Attributes:
        channel: A_c, (N, C), the gate of each channel, in (0, s).
        spatial: A_s, (N, H, W), the gate of each pixel, in (0, s).
        gate: G, (N, H, W), in (0, 1): 1 selects the channel-weighted features, 0 the space-weighted ones.
        activation: α, (N, H, W), in (0, s).
        temperature: τ after clamping, 1/20 to 20.
        scale: (N, H, W), the mean over channels of Y / X, ``α·(G·mean_c(A_c) + (1 − G)·A_s)``.
    """

    channel: Tensor
    spatial: Tensor
    gate: Tensor
    activation: Tensor
    temperature: float
    scale: Tensor


class DMSCA(nn.Module):
    """Dynamic multi-scale channel-spatial attention for a feature map.

    Args:
        in_channels: C of the input, at least 1.
        reduction: the hidden layer of the channel branch has ``max(C // reduction, 4)`` units; at least 1.
        kernel_sizes: scales of the spatial branch: one or more kernel sizes in pixels, odd, at least 1.
        direction_kernel_size: size in pixels of the kernels along rows and columns, odd, at least 1.
        temperature: the initial τ of the channel gate, finite, above 0. τ is learnt and clamped to 1/20 to 20.
        init: ``'identity'`` initializes to exactly Y = X, with gates in (0, 2), safe inside a pretrained network;
            ``'paper'`` has gates in (0, 1) and Kaiming-normal convolutions, for training from scratch.
        form: ``'fast'`` or ``'literal'``. Both compute the same function and share one state_dict. The fast form uses
            native kernels if they cover the call; ``DMSCA_KERNELS=0`` in the environment disables them. It does not
            call its children: if a child has a hook or another class than here, the literal form is used.

    Shapes:
        input (N, C, H, W), floating point, N >= 0, H and W >= 1, any memory format; the output
        has the same shape, dtype, device and memory format.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range; a forward input with another shape or a non-floating dtype.

    Source:
        Scientific Reports 16, 8044 (2026); r = 16, K = {3, 5, 7} and τ = 1 are the paper's.
    """

    _abbr_ = 'dmsca'

    def __init__(self, in_channels: int, reduction: int = 16, kernel_sizes: Sequence[int] = (3, 5, 7),
                 direction_kernel_size: int = 7, temperature: float = 1.0, init: str = 'identity',
                 form: str = 'fast') -> None:
        super().__init__()
        self.in_channels = checks.positive_int('in_channels', in_channels)
        reduction = checks.positive_int('reduction', reduction)
        kernel_sizes = checks.odd_ints('kernel_sizes', kernel_sizes)
        direction_kernel_size = checks.odd_int('direction_kernel_size', direction_kernel_size)
        self.initial_temperature = checks.positive_float('temperature', temperature)
        self.init = checks.one_of('init', init, INITS)
        self.form = checks.one_of('form', form, FORMS)
        self.scale = scale = 2.0 if self.init == 'identity' else 1.0
        self.gce = parts.GlobalContextEncoder(self.in_channels, max(self.in_channels // reduction, 4))
        self.tca = parts.TemperatureChannelAttention(self.initial_temperature, scale)
        self.msce = parts.MultiScaleSpatialEncoder(kernel_sizes, scale)
        self.dii = parts.DirectionalInteraction(direction_kernel_size)
        self.dff = parts.DynamicFeatureFusion(self.in_channels)
        self.aa = parts.AdaptiveActivation(self.in_channels, scale)
        self.sizes = children.sizes(self)
        self.init_weights()

    def init_weights(self) -> None:
        """Restore the constructor's initialization, including τ.

        A ResNet built with ``init_cfg=None`` applies Kaiming to all its convolutions and then calls this method.
        """
        # A convolution of all channels to one map has a small fan_out; the resulting weights would saturate its gate.
        # init='paper' uses fan_out by contract. init='identity' does not, as its gates must learn from small steps.
        mode = 'fan_in' if self.init == 'identity' else 'fan_out'
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity='relu')
                if module.bias is not None:  # a user may have replaced a child
                    nn.init.zeros_(module.bias)
        if self.init == 'identity':
            for last in (self.gce.fc2, self.msce.fuse, self.aa.conv):
                nn.init.zeros_(last.weight)
        self.tca.reset_temperature(self.initial_temperature)

    def forward(self, x: Tensor) -> Tensor:
        """Y of the same shape, dtype, device and memory format as X."""
        checks.feature_map(x, self.in_channels)
        if self.form == 'literal' or not children.are_plain(self) or (
                torch.jit.is_tracing() and torch.onnx.is_in_onnx_export()):  # it cannot infer the folded kernel's shape
            return reference.attend(x, self).y
        return op.attend(x, self.operator_arguments(), self.scale)

    def operator_arguments(self) -> Parameters:
        """Return the parameters that ``torch.ops.dmsca_mm.attend`` takes, in the order of :class:`Parameters`."""
        # _modules takes a tenth of the time of attribute access. Parameters, however, are not always in _parameters: a
        # replica on another device has them as attributes, a parametrized layer as properties.
        modules = self._modules
        gce, msce, dii = modules['gce']._modules, modules['msce']._modules, modules['dii']._modules
        fc1, fc2, scales, fuse = gce['fc1'], gce['fc2'], msce['convs']._modules.values(), msce['fuse']
        rows, columns = dii['conv_h'], dii['conv_w']
        gate, activation = modules['dff']._modules['gate'], modules['aa']._modules['conv']
        return Parameters(
            fc1.weight, fc1.bias, fc2.weight, fc2.bias, modules['tca'].log_temperature,
            [conv.weight for conv in scales], [conv.bias for conv in scales], fuse.weight, fuse.bias,
            rows.weight, rows.bias, columns.weight, columns.bias, gate.weight, gate.bias, activation.weight,
            activation.bias)

    def __prepare_scriptable__(self) -> nn.Module:
        """Refuse ``torch.jit.script``, which calls this method for DMSCA and for a network that contains it."""
        raise RuntimeError('torch.jit.script cannot compile DMSCA: use torch.jit.trace, torch.export or '
                           'torch.onnx.export')

    @torch.no_grad()
    def explain(self, x: Tensor) -> Explanation:
        """Return the intermediate maps of one forward.

        Args:
            x: the module's input, (N, C, H, W). It is converted to the parameters' type, as autocast may have left it
                in low precision.
        """
        checks.feature_map(x, self.in_channels)
        x = x.to(self.tca.log_temperature.dtype)
        _, channel, spatial, gate, activation = reference.attend(x, self)
        scale = activation * (gate * channel.mean(1, keepdim=True) + (1 - gate) * spatial)
        return Explanation(channel=channel.flatten(1), spatial=spatial.squeeze(1), gate=gate.squeeze(1),
                           activation=activation.squeeze(1), temperature=self.tca.temperature().item(),
                           scale=scale.squeeze(1))
