"""Names and shapes of the parameters and statistics of the operator ``dmsca_mm::attend``."""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

LISTS = ('msce_convs_weight', 'msce_convs_bias')
"""The parameters that are lists with one tensor for each kernel size."""


class Parameters(NamedTuple):
    """The parameters of DMSCA in the operator's order, or their gradients; the names are those of the state_dict."""

    gce_fc1_weight: Tensor  # (h, C, 1, 1)
    gce_fc1_bias: Tensor  # (h,)
    gce_fc2_weight: Tensor  # (C, h, 1, 1)
    gce_fc2_bias: Tensor  # (C,)
    tca_log_temperature: Tensor  # ()
    msce_convs_weight: list[Tensor]  # (1, 2, k, k) each
    msce_convs_bias: list[Tensor]  # (1,) each
    msce_fuse_weight: Tensor  # (1, m + 1, 1, 1)
    msce_fuse_bias: Tensor  # (1,)
    dii_conv_h_weight: Tensor  # (1, 2, d, 1)
    dii_conv_h_bias: Tensor  # (1,)
    dii_conv_w_weight: Tensor  # (1, 2, 1, d)
    dii_conv_w_bias: Tensor  # (1,)
    dff_gate_weight: Tensor  # (1, 2C, 1, 1)
    dff_gate_bias: Tensor  # (1,)
    aa_conv_weight: Tensor  # (1, C, 1, 1)
    aa_conv_bias: Tensor  # (1,)

    def stats_dtype(self, x: Tensor) -> torch.dtype:
        """Return the type of all small tensors: the wider type of X and the parameters, at least fp32."""
        return torch.promote_types(torch.promote_types(x.dtype, self.gce_fc1_weight.dtype), torch.float32)

    @staticmethod
    def of(flat: Sequence[Tensor], branches: int) -> Parameters:
        """Build from tensors in the order of ``flat``; ``branches`` is the number of kernel sizes."""
        middle = FIRST_LIST + branches
        return Parameters(*flat[:FIRST_LIST], list(flat[FIRST_LIST:middle]), list(flat[middle:middle + branches]),
                          *flat[middle + branches:])

    def flat(self) -> list[Tensor]:
        """Return all tensors, with the lists flattened."""
        return [*self[:FIRST_LIST], *self.msce_convs_weight, *self.msce_convs_bias, *self[FIRST_LIST + len(LISTS):]]

    def nest(self, flat: Sequence[Tensor]) -> Parameters:
        """Return the same structure with other tensors, in the order of ``flat``."""
        return self.of(flat, len(self.msce_convs_weight))

    def fit(self, channels: int) -> bool:
        """Return whether all sizes match a DMSCA for ``channels``; if not, native kernels would read out of bounds."""
        hidden, direction = len(self.gce_fc1_bias), self.dii_conv_h_weight.shape[2]
        sizes = [weight.shape[2] for weight in self.msce_convs_weight]
        return [tensor.numel() for tensor in self.flat()] == [
            hidden * channels, hidden, channels * hidden, channels, 1, *[2 * size * size for size in sizes],
            *[1] * len(sizes), len(sizes) + 1, 1, 2 * direction, 1, 2 * direction, 1, 2 * channels, 1, channels, 1]

    def mismatch(self, x: Tensor, dtypes: tuple[torch.dtype, ...]) -> str | None:
        """Return why kernels for these types do not take X and the parameters, or None if they do."""
        tensors, own = self.flat(), self.gce_fc1_weight.dtype
        for what, dtype in (('X is', x.dtype), ('the parameters are', own)):
            if dtype not in dtypes:
                return f'{what} {dtype}, the kernels take {", ".join(map(str, dtypes))}'
        if any(tensor.dtype is not own for tensor in tensors):
            return f'the parameters are of several types: {", ".join(sorted({str(each.dtype) for each in tensors}))}'
        if any(tensor.device != x.device for tensor in tensors):
            return f'a parameter is not on {x.device}, where X is'
        return None

    def to(self, dtype: torch.dtype) -> Parameters:
        """Convert to another type. Tensors that differ from the first in type are kept, so that PyTorch raises."""
        own = self.gce_fc1_weight.dtype
        if own == dtype:
            return self
        return self.nest([tensor.to(dtype) if tensor.dtype == own else tensor for tensor in self.flat()])


FIRST_LIST = Parameters._fields.index(LISTS[0])
"""Index of the first list."""


class ForwardStats(NamedTuple):
    """The small tensors that are saved for backward besides X, of type ``Parameters.stats_dtype``."""

    pooled: Tensor  # avgpool(X) + maxpool(X), (N, C)
    spatial_max: Tensor  # maxpool(X), (N, C)
    hidden: Tensor  # relu(fc1(pooled)), (N, h)
    channel: Tensor  # A_c, (N, C)
    layers: Tensor  # D: mean and maximum over channels, (N, 2, H, W)
