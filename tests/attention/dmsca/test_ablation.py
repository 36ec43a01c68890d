"""DMSCA without a part: it computes the formula without it, starts as the identity and does not train the part."""
import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from torch.nn import functional

from dmsca_mm.attention import DMSCA, DMSCAWithout
from dmsca_mm.attention.dmsca.ablation import PARTS

CHANNELS = 8


def struck_out(module, x, without):
    """Y by the contract's formula without a part, from the state_dict."""
    state = {name: value.double() for name, value in module.state_dict().items()}
    pooled = x.mean((2, 3), keepdim=True) + x.amax((2, 3), keepdim=True)
    layers = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)

    def conv(name, value, padding=0):
        return functional.conv2d(value, state[f'{name}.weight'], state[f'{name}.bias'], padding=padding)

    temperature = 1 if without == 'tca' else state['tca.log_temperature'].exp()
    channel = torch.ones_like(pooled) if without == 'gce' else \
        2 * (conv('gce.fc2', conv('gce.fc1', pooled).relu()) / temperature).sigmoid()
    scales = [] if without == 'msce' else [conv(f'msce.convs.{i}', layers, 1 + i) for i in range(3)]
    rows = conv('dii.conv_h', layers.mean(3, keepdim=True), (3, 0))
    columns = conv('dii.conv_w', layers.mean(2, keepdim=True), (0, 3))
    weights = state['msce.fuse.weight'].flatten()
    logits = sum((w * b for w, b in zip(weights[:3], scales, strict=False)), state['msce.fuse.bias'])
    # Without directions their map is 1/4 everywhere, which acts as a bias.
    spatial = 2 * (logits + weights[3] * (0.25 if without == 'dii' else rows.sigmoid() * columns.sigmoid())).sigmoid()
    by_channel, by_space = x * channel, x * spatial
    gate = 0.5 if without == 'dff' else conv('dff.gate', torch.cat([by_channel, by_space], 1)).sigmoid()
    fused = gate * by_channel + (1 - gate) * by_space
    return fused if without == 'aa' else fused * 2 * conv('aa.conv', fused).sigmoid()


def randomised(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3)
    return module


def trained(without, form='fast'):
    """A module after steps, with weight decay, that change every trainable parameter."""
    torch.manual_seed(0)
    module = DMSCAWithout(CHANNELS, without, form=form, temperature=0.5)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        (module(torch.randn(2, CHANNELS, 6, 5)) ** 2).mean().backward()
        optimizer.step()
    return module


@pytest.mark.parametrize('form', ['fast', 'literal'])
@pytest.mark.parametrize('without', PARTS)
def test_it_computes_the_formula_without_the_part(without, form):
    module = trained(without, form).double()
    x = torch.randn(2, CHANNELS, 7, 6, dtype=torch.float64)
    assert not torch.allclose(module(x), x)
    torch.testing.assert_close(module(x), struck_out(module, x, without))


@pytest.mark.parametrize('without', PARTS)
def test_the_part_alone_does_not_train(without):
    module = trained(without)
    held = {name for name, value in module.named_parameters() if not value.requires_grad}
    assert held == {name for name in module.state_dict() if name.startswith(PARTS[without])}
    assert all(value.eq(0).all() for name, value in module.named_parameters() if name in held)
    start = DMSCAWithout(CHANNELS, without)
    free = [name for name, value in module.named_parameters() if value.requires_grad and name.endswith('weight')]
    assert all(not torch.equal(module.get_parameter(name), start.get_parameter(name)) for name in free)


@pytest.mark.parametrize('load', [torch.nn.Module.load_state_dict, load_state_dict], ids=['torch', 'mmengine'])
@pytest.mark.parametrize('without', PARTS)
def test_the_weights_of_a_complete_dmsca_leave_the_part_ablated(without, load):
    complete, module = randomised(DMSCA(CHANNELS)), DMSCAWithout(CHANNELS, without)
    load(module, complete.state_dict())
    x = torch.randn(2, CHANNELS, 7, 6)
    assert not torch.allclose(module(x), x)
    torch.testing.assert_close(module.double()(x.double()), struck_out(module, x.double(), without))
    assert all(torch.equal(value, complete.state_dict()[name]) for name, value in module.float().state_dict().items()
               if not name.startswith(PARTS[without]))


@pytest.mark.parametrize('without', PARTS)
def test_it_starts_as_dmsca_does(without):
    torch.manual_seed(3)
    complete = DMSCA(CHANNELS)
    torch.manual_seed(3)
    module = DMSCAWithout(CHANNELS, without)
    x = torch.randn(2, CHANNELS, 5, 4)
    assert torch.equal(module(x), x)
    for name, value in module.named_parameters():
        assert torch.equal(value, complete.get_parameter(name)) if value.requires_grad else value.eq(0).all()


@pytest.mark.parametrize(('arguments', 'error', 'words'), [
    (dict(without='all'), ValueError, 'without'), (dict(without=3), TypeError, 'without'),
    (dict(without='gce', init='paper'), ValueError, 'init')])
def test_it_refuses(arguments, error, words):
    with pytest.raises(error, match=words):
        DMSCAWithout(CHANNELS, **arguments)
