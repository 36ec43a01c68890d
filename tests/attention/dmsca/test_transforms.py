"""Derivatives beyond a backward pass: torch.func, forward mode, and those that only the literal form supports."""
import pytest
import torch
from forms import pair
from torch import func
from torch.autograd import forward_ad, functional

VALUES = {
    'vmap': lambda module, x, v: func.vmap(module)(torch.stack([x, v])),
    'jvp': lambda module, x, v: func.jvp(module, (x,), (v,)),
    'vjp': lambda module, x, v: func.vjp(module, x)[1](v),
    'jacrev': lambda module, x, v: func.jacrev(module)(x),
    'jacfwd': lambda module, x, v: func.jacfwd(module)(x),
    'hessian': lambda module, x, v: func.hessian(lambda x: module(x).square().sum())(x),
    'jacobian': lambda module, x, v: functional.jacobian(module, x),
    'jacobian, forward mode': lambda module, x, v: functional.jacobian(module, x, strategy='forward-mode',
                                                                       vectorize=True),
    'compiled jvp': lambda module, x, v: torch.compile(lambda: func.jvp(module, (x,), (v,)), backend='aot_eager')(),
}


def inputs():
    return torch.randn(2, 4, 3, 4, dtype=torch.float64), torch.randn(2, 4, 3, 4, dtype=torch.float64)


def gradients_per_sample(module, x):
    def loss(parameters, image):
        return func.functional_call(module, parameters, (image[None],)).square().sum()
    parameters = {name: parameter.detach() for name, parameter in module.named_parameters()}
    return func.vmap(func.grad(loss), in_dims=(None, 0))(parameters, x)


@pytest.mark.parametrize('name', VALUES)
def test_a_transform_gives_what_it_gives_of_the_literal_form(name):
    literal, fast = pair(4, torch.float64)
    x, v = inputs()
    torch.testing.assert_close(VALUES[name](fast, x, v), VALUES[name](literal, x, v), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_gradients_per_sample_are_those_of_single_images(dtype):
    literal, fast = pair(4, dtype)
    x, close = inputs()[0].to(dtype), dict(rtol=1e-4, atol=1e-4) if dtype is torch.float32 else {}
    found = gradients_per_sample(fast, x)
    for i, image in enumerate(x):
        literal.zero_grad()
        literal(image[None]).square().sum().backward()
        for name, parameter in literal.named_parameters():
            torch.testing.assert_close(found[name][i], parameter.grad, **close)


@pytest.mark.parametrize('trains', [True, False])
def test_a_dual_number_keeps_its_tangent(trains):
    x, v = inputs()
    tangents = []
    for module in pair(4, torch.float64):
        module.requires_grad_(trains)
        with forward_ad.dual_level():
            tangents.append(forward_ad.unpack_dual(module(forward_ad.make_dual(x, v))).tangent)
    torch.testing.assert_close(*tangents)
    assert tangents[0].any()


def batched(module, x, v):
    y = module(x.requires_grad_())
    return torch.autograd.grad(y, x, torch.stack([v, 2 * v]), is_grads_batched=True)[0]


def mapped(module, x, v):
    y = module(x.requires_grad_())
    return func.vmap(lambda dy: torch.autograd.grad(y, x, dy)[0])(torch.stack([v, 2 * v]))


REFUSED = {
    'hessian': (lambda module, x, v: functional.hessian(lambda x: module(x).square().sum(), x), 'no second derivative'),
    'jvp by two backward passes': (lambda module, x, v: functional.jvp(module, x, v)[1], 'no second derivative'),
    'is_grads_batched': (batched, 'takes one dY at a time'),
    'vmap of autograd.grad': (mapped, 'takes one dY at a time'),
    'vectorize': (lambda module, x, v: functional.jacobian(module, x, vectorize=True), 'takes one dY at a time'),
}


@pytest.mark.parametrize('name', REFUSED)
def test_what_only_the_literal_form_has_is_refused_in_one_line_that_names_it(name):
    call, words = REFUSED[name]
    literal, fast = pair(4, torch.float64)
    x, v = inputs()
    with pytest.raises(RuntimeError, match=f"{words}.*: use form='literal'$") as caught:
        call(fast, x.clone(), v)
    assert '\n' not in str(caught.value)
    assert call(literal, x.clone(), v).isfinite().all()
