"""A user's changes to DMSCA's children take effect in the default form too."""
import pytest
import torch
from forms import assert_agree, pair, run
from torch import nn
from torch.nn.modules import module as global_hooks
from torch.nn.utils import parametrizations, parametrize, prune, weight_norm

from dmsca_mm import DMSCA
from dmsca_mm.attention.dmsca import children

CHILDREN = ['gce', 'gce.fc1', 'gce.fc2', 'tca', 'msce', 'msce.convs.0', 'msce.convs.1', 'msce.convs.2', 'msce.fuse',
            'dii', 'dii.conv_h', 'dii.conv_w', 'dff', 'dff.gate', 'aa', 'aa.conv']
HOOKS = ['register_forward_hook', 'register_forward_pre_hook', 'register_full_backward_hook',
         'register_full_backward_pre_hook']


def step(module):
    x, dy = (torch.randn(2, 8, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
             for seed in (1, 2))
    return run(module, x, dy)


def test_all_children_are_known():
    calling = [name for name, module in DMSCA(4).named_modules() if name and not isinstance(module, nn.ModuleList)]
    assert calling == CHILDREN


@pytest.mark.parametrize('register', HOOKS)
@pytest.mark.parametrize('name', CHILDREN)
def test_a_hook_on_any_child_fires_and_no_longer_once_it_is_removed(name, register):
    _, fast = pair(8, torch.float64)
    expected, calls = step(fast), []
    handle = getattr(fast.get_submodule(name), register)(lambda *_: calls.append(name))
    assert_agree(step(fast), expected, 1e-12)
    assert calls == [name]
    handle.remove()
    assert_agree(step(fast), expected, 0)
    assert calls == [name]


@pytest.mark.parametrize('name', [name for name in CHILDREN if name != 'dff'])  # dff returns two tensors
def test_an_output_that_a_hook_replaces_is_used(name):
    forms = literal, fast = pair(8, torch.float64)
    plain = fast(torch.ones(1, 8, 3, 4, dtype=torch.float64))
    for module in forms:
        module.get_submodule(name).register_forward_hook(lambda child, inputs, output: output * 0.5)
    assert not torch.equal(fast(torch.ones(1, 8, 3, 4, dtype=torch.float64)), plain)
    assert_agree(step(fast), step(literal), 1e-12)


@pytest.mark.parametrize('register', [
    global_hooks.register_module_forward_hook, global_hooks.register_module_forward_pre_hook,
    global_hooks.register_module_full_backward_hook, global_hooks.register_module_full_backward_pre_hook])
def test_a_hook_on_all_modules_fires_for_every_child(register):
    fast, calls = pair(8)[1], []

    def noted(module, *_):
        calls.append(module)

    handle = register(noted)
    try:
        fast(torch.ones(1, 8, 3, 4, requires_grad=True)).sum().backward()
    finally:
        handle.remove()
    assert set(calls) == {fast, *map(fast.get_submodule, CHILDREN)}


def test_a_hook_on_the_module_itself_keeps_the_fast_form():
    fast, calls = pair(8)[1], []
    fast.register_forward_hook(lambda *_: calls.append('called'))
    fast(torch.ones(1, 8, 3, 4))
    assert calls == ['called']
    assert children.are_plain(fast)


class Half(nn.Module):
    """A parametrization that halves."""

    def forward(self, weight):
        return weight / 2


@pytest.mark.parametrize('change', [
    lambda module: parametrize.register_parametrization(module.dff.gate, 'weight', Half()),
    lambda module: parametrize.register_parametrization(module.gce.fc1, 'bias', Half()),
    lambda module: parametrize.register_parametrization(module.tca, 'log_temperature', Half()),
    lambda module: parametrizations.spectral_norm(module.gce.fc1),
    lambda module: weight_norm(module.gce.fc1).weight_g.data.mul_(2),
    lambda module: prune.l1_unstructured(module.dff.gate, 'weight', 0.5),
    lambda module: prune.remove(prune.l1_unstructured(module.aa.conv, 'weight', 0.5), 'weight'),
], ids=['parametrized', 'parametrized bias', 'parametrized scalar', 'spectral norm', 'weight norm', 'pruned',
        'pruned for good'])
@pytest.mark.filterwarnings('ignore:.*weight_norm.*:FutureWarning')
def test_a_weight_that_is_computed_or_masked_is_used_as_such_and_trains(change):
    forms = literal, fast = pair(8, torch.float64)
    plain = step(fast)[0]
    for module in forms:
        torch.manual_seed(3)  # for spectral_norm's initial vector
        change(module)
    for _ in range(2):  # a stale weight would show in the second step
        expected = step(literal)
        assert_agree(step(fast), expected, 1e-10)
    assert not torch.allclose(expected[0], plain)


@pytest.mark.parametrize('name', ['weight', 'bias'])
def test_a_parametrized_convolution_keeps_the_fast_form(name):
    fast = pair(8)[1]
    parametrize.register_parametrization(fast.gce.fc1, name, Half())
    assert children.are_plain(fast)


@pytest.mark.parametrize('change', [
    dict(padding_mode='circular', _reversed_padding_repeated_twice=[1, 1, 1, 1]),
    dict(dilation=(2, 2), padding=(2, 2))], ids=['padding', 'dilation'])
def test_other_settings_of_a_convolution_are_used(change):
    forms = literal, fast = pair(8, torch.float64)
    plain = step(fast)[0]
    for module in forms:
        vars(module.msce.convs[0]).update(change)
    expected = step(literal)
    assert_agree(step(fast), expected, 1e-12)
    assert not torch.allclose(expected[0], plain)


@pytest.mark.parametrize(('name', 'layer'), [
    ('aa.conv', lambda: nn.Conv2d(8, 1, 3, padding=1)), ('aa.conv', lambda: nn.Conv2d(8, 8, 1)),
    ('dff.gate', lambda: nn.Conv2d(16, 8, 1)), ('gce.fc1', lambda: nn.Conv2d(8, 4, 3, padding=1)),
    ('dii.conv_w', lambda: nn.Conv2d(2, 1, (1, 5), padding=(0, 2))),
    ('msce.convs.0', lambda: nn.Conv2d(2, 1, (3, 5), padding=(1, 2))),
    ('msce.fuse', lambda: nn.Conv2d(4, 1, 3, padding=1))])
def test_a_convolution_of_another_size_is_used(name, layer):
    forms = literal, fast = pair(8, torch.float64)
    for module in forms:
        torch.manual_seed(3)
        part, _, child = name.rpartition('.')
        setattr(module.get_submodule(part), child, layer().double())
    assert_agree(step(fast), step(literal), 1e-12)


def test_a_narrower_hidden_layer_keeps_the_fast_form():
    """As structured pruning leaves it."""
    forms = literal, fast = pair(8, torch.float64)
    for module in forms:
        torch.manual_seed(3)
        module.gce.fc1, module.gce.fc2 = nn.Conv2d(8, 2, 1).double(), nn.Conv2d(2, 8, 1).double()
    assert children.are_plain(fast)
    assert_agree(step(fast), step(literal), 1e-12)


class Adapted(nn.Conv2d):
    """A layer that adds something to its output, like a low-rank adapter."""

    def forward(self, x):
        return super().forward(x) + 1


class Standardized(nn.Conv2d):
    """A layer that computes with other weights than its own, without a forward of its own."""

    def _conv_forward(self, x, weight, bias):
        return super()._conv_forward(x, weight / weight.norm(), bias)


@pytest.mark.parametrize(('child', 'kind'), [('dff.gate', Adapted), ('gce.fc1', Standardized)])
def test_a_child_of_another_class_is_called(child, kind):
    forms = literal, fast = pair(8, torch.float64)
    plain = step(fast)[0]
    for module in forms:
        module.get_submodule(child).__class__ = kind
    expected = step(literal)
    assert_agree(step(fast), expected, 1e-12)
    assert not torch.allclose(expected[0], plain)


@pytest.mark.parametrize('name', [name for name in CHILDREN if '.' in name])
def test_a_convolution_without_a_bias_is_one_whose_bias_is_zero(name):
    _, fast = pair(8, torch.float64)
    x = torch.randn(2, 8, 5, 4, dtype=torch.float64)
    nn.init.zeros_(fast.get_submodule(name).bias)
    expected = fast(x)
    fast.get_submodule(name).bias = None
    torch.testing.assert_close(fast(x), expected, rtol=1e-12, atol=1e-12)
    fast.init_weights()
    assert torch.equal(fast(x), x)


def test_a_forward_that_is_set_on_a_child_is_called():
    _, fast = pair(8, torch.float64)
    x = torch.ones(1, 8, 3, 4, dtype=torch.float64)
    fast.aa.forward = torch.zeros_like
    assert not fast(x).any()
    del fast.aa.forward
    assert fast(x).any()


def test_hooks_that_are_there_before_compiling_are_in_the_graph():
    forms = literal, fast = pair(8, torch.float64)
    for module in forms:
        module.dff.gate.register_forward_hook(lambda child, inputs, output: output * 0.5)
    torch._dynamo.reset()
    assert_agree(step(torch.compile(fast, fullgraph=True, backend='aot_eager')), step(literal), 1e-12)
