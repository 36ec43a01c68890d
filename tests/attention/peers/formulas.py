"""Shared by the tests of the peers: modules with random parameters, and steps of the papers' equations."""
import pytest
import torch

CHANNELS = 12
every_init = pytest.mark.parametrize(('init', 's'), [('identity', 2), ('paper', 1)])
"""An initialization, and the factor s of its gates."""


def randomised(peer, channels=CHANNELS, **arguments):
    """A peer with no parameter at a special value, in evaluation mode."""
    torch.manual_seed(0)
    module = peer(channels, **arguments).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


def assert_computes(module, formula, s):
    """Assert that a module in double precision computes the formula of its state_dict, X and s."""
    x = torch.randn(3, CHANNELS, 6, 9, dtype=torch.double)
    torch.testing.assert_close(module.double()(x), formula(module.state_dict(), x, s), rtol=1e-12, atol=1e-12)


def sigmoid(x):
    return 1 / (1 + torch.exp(-x))


def perceptron(state, vectors):
    """Apply fc1, ReLU and fc2 to (N, C)."""
    return (vectors @ state['fc1.weight'].flatten(1).T).clamp(min=0) @ state['fc2.weight'].flatten(1).T


def parameters(peer, channels, **arguments):
    """Return the number of a peer's parameters."""
    return sum(parameter.numel() for parameter in peer(channels, **arguments).parameters())
