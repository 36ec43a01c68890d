"""Maps come from the modules of the model, at the chosen places, over the right part of the image."""
import numpy as np
import pytest
import torch
from net import Net
from torch.nn import functional

from dmsca_mm.analysis.attention_maps import maps
from dmsca_mm.analysis.attention_maps.maps import Place
from dmsca_mm.analysis.view import View
from dmsca_mm.errors import UsageError


@pytest.fixture
def net():
    return Net().eval()


def test_places_are_named_by_stage_and_block(net):
    assert maps.attentions(net) == [Place('backbone.layer2.0.dmsca', 2, 1), Place('backbone.layer2.1.dmsca', 2, 2)]
    assert maps.stage_ends(net) == [Place('backbone.layer1.1', 1, 2), Place('backbone.layer2.1', 2, 2)]


def test_blocks_outside_of_the_backbone_are_no_places(net):
    """The shared head of mmdet's C4 detectors is a stage that runs on regions, not on the image."""
    net.roi_head = torch.nn.Module()
    net.roi_head.shared_head = Net().backbone
    assert [place.name for place in maps.stage_ends(net)] == ['backbone.layer1.1', 'backbone.layer2.1']
    assert len(maps.attentions(net)) == 2


def test_stages_and_blocks_are_chosen_or_refused(net):
    places = maps.attentions(net)
    assert maps.choose(places) == places[1:]
    assert maps.choose(places, [2], 'all') == places
    with pytest.raises(UsageError, match='stage 3 has no map: choose from 2'):
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


def view_of(size, inside):
    whole = [np.array([(0, 0), box]) for box in (size, inside)]
    return View(size, *whole)


def test_map_is_cropped_to_the_image_and_resized_to_its_file():
    values = torch.zeros(4, 6)
    values[:, 3:] = 1.0  # the right half of the input is padding
    found = maps.on_image(values, (32, 48), view_of((64, 40), (32, 20)))
    assert found.shape == (64, 40)
    assert found.max() == 0
    smooth = torch.rand(4, 6)
    same = maps.on_image(smooth, (4, 6), view_of((8, 12), (4, 6)))
    torch.testing.assert_close(same, functional.interpolate(smooth[None, None], (8, 12), mode='bilinear')[0, 0])
