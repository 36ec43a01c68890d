"""Watching a step logs statistics of the modules and changes nothing."""
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from dmsca_mm.attention import DMSCA
from dmsca_mm.attention.dmsca.monitor import MAPS, watching


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), DMSCA(8, init='paper'), nn.Conv2d(8, 8, 3), DMSCA(8, init='paper'))


def norm_of_gradient(module):
    return torch.cat([parameter.grad.flatten() for parameter in module.parameters()]).norm().item()


def test_statistics_are_those_of_the_maps_and_gradients(model):
    images = torch.randn(2, 3, 9, 9)
    with watching(model) as watch:
        model(images).square().mean().backward()
    found = watch.statistics()
    assert {name.split('/')[0] for name in found} == {'1', '3'}
    assert len(found) == 2 * (2 + 2 * len(MAPS))
    explanation = model[1].explain(model[0](images[:1]))
    for kind in MAPS:
        values = getattr(explanation, kind)
        assert found[f'1/{kind}_mean'] == pytest.approx(values.mean().item())
        assert found[f'1/{kind}_spread'] == pytest.approx(values.std(correction=0).item())
    assert found['1/temperature'] == pytest.approx(1.0)
    assert found['1/gradient_norm'] == pytest.approx(norm_of_gradient(model[1]))
    assert watch.statistics(8.0)['1/gradient_norm'] == pytest.approx(norm_of_gradient(model[1]) / 8)


def test_watching_changes_no_gradient_and_leaves_no_hook(model):
    images = torch.randn(2, 3, 9, 9)
    model(images).square().mean().backward()
    plain = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    with watching(model) as watch:
        model(images).square().mean().backward()
    assert all(torch.equal(parameter.grad, one) for parameter, one in zip(model.parameters(), plain, strict=True))
    watch.inputs.clear()
    watch.squares.clear()
    model(images).sum().backward()
    assert watch.statistics() == {}


@pytest.mark.parametrize('run', [
    lambda model, images: model(images),
    lambda model, images: checkpoint(model, images.requires_grad_(), use_reentrant=True),
    lambda model, images: checkpoint(model, images.requires_grad_(), use_reentrant=False)],
    ids=['plain', 'reentrant checkpoint', 'checkpoint'])
def test_gradient_norm_is_that_of_the_watched_step_also_if_gradients_accumulate(model, run):
    images, found = torch.randn(2, 3, 9, 9), []
    for _ in range(3):
        with watching(model) as watch:
            run(model, images).square().mean().backward()
        found.append(watch.statistics()['1/gradient_norm'])
    assert found == pytest.approx([norm_of_gradient(model[1]) / 3] * 3)


def test_gradients_of_a_module_that_runs_twice_are_added_before_they_are_squared(model):
    with watching(model) as watch:
        sum(model(torch.randn(2, 3, 9, 9)).square().mean() for _ in range(2)).backward()
    assert watch.statistics()['1/gradient_norm'] == pytest.approx(norm_of_gradient(model[1]))


def test_a_model_compiled_before_has_only_its_gradient_norm(model):
    images = torch.randn(2, 3, 9, 9)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend='aot_eager')
    compiled(images)
    with watching(model) as watch:
        compiled(images).square().mean().backward()
    found = watch.statistics()
    assert list(found) == ['1/gradient_norm', '3/gradient_norm']
    assert found['1/gradient_norm'] == pytest.approx(norm_of_gradient(model[1]))


def test_it_watches_a_step_in_mixed_precision(model):
    with watching(model) as watch:
        with torch.autocast('cpu', torch.bfloat16):
            loss = model(torch.randn(2, 3, 9, 9)).square().mean()
        loss.backward()
    assert watch.inputs['1'].dtype is torch.bfloat16
    found = watch.statistics()
    assert len(found) == 2 * (2 + 2 * len(MAPS))
    assert found['1/channel_mean'] == pytest.approx(model[1].explain(watch.inputs['1'].float()).channel.mean().item())


def test_frozen_module_has_no_gradient_and_a_model_without_the_plugin_no_numbers(model):
    model[1].requires_grad_(False)
    with watching(model) as watch:
        model(torch.randn(1, 3, 9, 9)).sum().backward()
    assert '1/gradient_norm' not in watch.statistics()
    assert '3/gradient_norm' in watch.statistics()
    with watching(nn.Conv2d(3, 3, 1)) as watch:
        pass
    assert watch.statistics() == {}


def test_an_input_given_by_name_is_watched_and_the_batch_is_not_kept():
    module = DMSCA(8)
    with watching(module) as watch:
        module(x=torch.ones(4, 8, 3, 3))
    kept, = watch.inputs.values()
    assert kept.shape == (1, 8, 3, 3)
    assert kept.untyped_storage().nbytes() == kept.numel() * kept.element_size()
