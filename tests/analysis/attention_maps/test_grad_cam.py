"""Grad-CAM follows the paper's formula, with a score for each kind of model."""
from types import SimpleNamespace

import torch
from net import Net

from dmsca_mm.analysis.attention_maps import grad_cam, maps


def test_grad_cam_is_the_papers_formula_through_frozen_layers_too():
    net = Net().eval()
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    x = torch.randn(2, 3, 6, 5)

    def rest(features):
        return net.backbone.layer2(features).relu().sum((1, 2, 3))
    found = grad_cam.grad_cam(net, maps.stage_ends(net)[0], lambda images: rest(net.backbone.layer1(images)), x)
    features = net.backbone.layer1(x).requires_grad_()
    gradient, = torch.autograd.grad(rest(features).sum(), features)
    expected = (gradient.mean((2, 3), keepdim=True) * features).sum(1).relu()
    assert expected.max() > 0
    torch.testing.assert_close(found, expected)


class Segmenter:
    def __init__(self, logits, threshold=None):
        self.logits = logits
        self.decode_head = SimpleNamespace(threshold=threshold)

    def encode_decode(self, inputs, metas):
        return self.logits + inputs.sum()


def test_pixels_of_the_background_are_left_out_unless_all_are():
    logits = torch.zeros(1, 2, 1, 3)
    logits[0, 1, 0, 0] = 2.0  # one pixel of the object
    logits[0, 0, 0, 1:] = 5.0
    for classes, expected in ((('background', 'a'), [0]), (('b', 'a'), [0, 1, 2])):
        score = grad_cam.score_of_pixels(Segmenter(logits), [], classes)
        assert torch.equal(score(torch.zeros(1)), logits.softmax(1).max(1).values[0, 0, expected].sum()[None])
    logits[0, 0] = 9.0
    assert grad_cam.score_of_pixels(Segmenter(logits), [], ('background', 'a'))(torch.zeros(1)) > 2.9


def test_one_channel_is_explained_like_two_whose_first_logit_is_zero():
    logits, inputs = torch.tensor([-2.0, -0.5, 0.5, 2.0]).reshape(1, 1, 2, 2), torch.zeros(1, requires_grad=True)
    two = torch.cat([torch.zeros_like(logits), logits], 1)
    for classes in (('background', 'a'), ('b', 'a')):
        found = grad_cam.score_of_pixels(Segmenter(logits, 0.5), [], classes)(inputs)
        expected = grad_cam.score_of_pixels(Segmenter(two), [], classes)(inputs)
        torch.testing.assert_close(found, expected)
    found = grad_cam.score_of_pixels(Segmenter(logits, 0.3), [], ('background', 'a'))(inputs)
    torch.testing.assert_close(found, logits.flatten()[1:].sigmoid().sum()[None])
    assert torch.autograd.grad(found, inputs)[0] > 0
