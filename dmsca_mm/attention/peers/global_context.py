"""Global context."""
from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from .. import checks
from .base import GatedAttention


class GlobalContext(GatedAttention):
    """Global context: ``Y = X + fc2(relu(norm(fc1(Σ softmax(key(X)) X))))``, the sum and the softmax over the pixels.

    It adds to its input and has no gate, so ``init='identity'`` only zeroes fc2.

    Args:
        in_channels: C of the input, at least 1.
        reduction: the hidden layer has ``max(C // reduction, 4)`` units, as the norm of one unit is 0; at least 1.
        init: ``'identity'`` or ``'paper'``.

    Shapes, Raises:
        those of :class:`GatedAttention`.

    Source:
        Cao et al. 2019, arXiv 1904.11492, equation 5; r = 16 is the paper's. mmcv's ``ContextBlock`` is the same with
        biases; a ResNet's ``init_weights`` overwrites its initial zeros.
    """

    _abbr_ = 'gc'
    _last = ('fc2',)

    def __init__(self, in_channels: int, reduction: int = 16, init: str = 'identity') -> None:
        super().__init__(in_channels, init)
        hidden = max(self.in_channels // checks.positive_int('reduction', reduction), 4)
        self.key = nn.Conv2d(self.in_channels, 1, 1, bias=False)
        self.fc1 = nn.Conv2d(self.in_channels, hidden, 1, bias=False)
        self.norm = nn.LayerNorm([hidden, 1, 1])
        self.fc2 = nn.Conv2d(hidden, self.in_channels, 1, bias=False)
        self.init_weights()

    def forward(self, x: Tensor) -> Tensor:
        """Y of the same shape, dtype, device and memory format as X."""
        checks.feature_map(x, self.in_channels)
        weights = self.key(x).flatten(2).softmax(2)  # (N, 1, H·W)
        context = (x.flatten(2) * weights).sum(2)[:, :, None, None]
        return x + self.fc2(functional.relu(self.norm(self.fc1(context)))).to(x.dtype)
