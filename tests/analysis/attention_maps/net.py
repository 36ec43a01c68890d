"""A network of two stages with two blocks each."""
from torch import nn

from dmsca_mm.attention import DMSCA


class Block(nn.Module):
    def __init__(self, channels, attends):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        if attends:
            self.dmsca = DMSCA(channels, init='paper')

    def forward(self, x):
        y = self.conv(x)
        return x + (self.dmsca(y) if hasattr(self, 'dmsca') else y)


class Net(nn.Module):
    """Two stages of two blocks; the first stage has no attention."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.layer1 = nn.Sequential(Block(3, False), Block(3, False))
        self.backbone.layer2 = nn.Sequential(Block(3, True), Block(3, True))

    def extract_feat(self, x):
        return self.backbone.layer2(self.backbone.layer1(x))
