"""Maps are those of the modules in the model, of the chosen places, and lie over the right part of the image."""
import pytest
import torch
from torch import nn
from torch.nn import functional

from dmsca_mm.analysis.attention_maps import maps
from dmsca_mm.analysis.attention_maps.maps import Place
from dmsca_mm.attention import DMSCA
from dmsca_mm.errors import UsageError


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


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net().eval()


def test_places_are_named_by_stage_and_block(net):
    assert maps.attentions(net) == [Place('backbone.layer2.0.dmsca', 2, 1), Place('backbone.layer2.1.dmsca', 2, 2)]
    assert maps.stage_ends(net) == [Place('backbone.layer1.1', 1, 2), Place('backbone.layer2.1', 2, 2)]


def test_stages_and_blocks_are_chosen_or_refused(net):
    places = maps.attentions(net)
    assert maps.choose(places) == places[1:]
    assert maps.choose(places, [2], 'all') == places
    with pytest.raises(UsageError, match='stage 3: there is nothing to see; choose from 2'):
        maps.choose(places, [2, 3])


def test_explanations_are_those_of_what_the_module_was_given(net):
    x = torch.randn(2, 3, 6, 5)
    second, first = maps.explain(net, maps.attentions(net)[::-1], x)
    for found, block in ((first, 0), (second, 1)):
        before = net.backbone.layer2[:block](net.backbone.layer1(x))
        given = net.backbone.layer2[block].conv(before)
        expected = net.backbone.layer2[block].dmsca.explain(given)
        torch.testing.assert_close(found.scale, expected.scale)
        torch.testing.assert_close(found.channel, expected.channel)
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_grad_cam_is_the_papers_formula_through_frozen_layers_too(net):
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    x = torch.randn(2, 3, 6, 5)

    def rest(features):
        return net.backbone.layer2(features).relu().sum((1, 2, 3))
    found = maps.grad_cam(net, maps.stage_ends(net)[0], lambda images: rest(net.backbone.layer1(images)), x)
    features = net.backbone.layer1(x).requires_grad_()
    gradient, = torch.autograd.grad(rest(features).sum(), features)
    expected = (gradient.mean((2, 3), keepdim=True) * features).sum(1).relu()
    assert expected.max() > 0
    torch.testing.assert_close(found, expected)


def test_a_map_is_freed_of_padding_and_scaled_to_the_file():
    values = torch.zeros(4, 6)
    values[:, 3:] = 1.0  # the right half of the input is padding
    seen = maps.on_image(values, padded=(32, 48), image=(32, 20), original=(64, 40))
    assert seen.shape == (64, 40)
    assert seen.max() == 0
    smooth = torch.rand(4, 6)
    same = maps.on_image(smooth, (4, 6), (4, 6), (8, 12))
    torch.testing.assert_close(same, functional.interpolate(smooth[None, None], (8, 12), mode='bilinear')[0, 0])
