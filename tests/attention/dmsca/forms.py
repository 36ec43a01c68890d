"""Run and compare both forms with the same parameters; shared by the tests of the fast form and of the kernels."""
import torch

from dmsca_mm import DMSCA


def pair(in_channels, dtype=torch.float32, **arguments):
    """A literal and a fast DMSCA with the same parameters, none at a special value."""
    torch.manual_seed(0)
    literal = DMSCA(in_channels, form='literal', **arguments)
    with torch.no_grad():
        for parameter in literal.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    literal.to(dtype)
    fast = DMSCA(in_channels, form='fast', **arguments).to(dtype)
    fast.load_state_dict(literal.state_dict())
    return literal, fast


def run(module, x, dy):
    """Return the output, the gradient of X and the gradients of the parameters."""
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    module.zero_grad()
    y = module(x)
    y.backward(dy)
    return y.detach(), x.grad, [parameter.grad for parameter in module.parameters()]


def assert_agree(found, expected, tolerance):
    """Compare with a tolerance relative to the largest output, the largest dX and the largest parameter gradient."""
    parameters = torch.cat([gradient.flatten() for gradient in expected[2]])
    for one, other, size in [(found[0], expected[0], expected[0]), (found[1], expected[1], expected[1]),
                             *((a, b, parameters) for a, b in zip(found[2], expected[2], strict=True))]:
        largest = size.abs().max().item() if size.numel() else 0
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance * largest)


def thin_resnet(**arguments):
    """mmdet's ResNet-50 with an eighth of the channels and a fast DMSCA in each of its 16 blocks."""
    from mmdet.models.backbones import ResNet

    from dmsca_mm import plugin
    torch.manual_seed(0)
    backbone = ResNet(50, base_channels=8, stem_channels=8, norm_eval=False, frozen_stages=-1,
                      plugins=[plugin(stages=(True,) * 4, init='paper')], **arguments)
    for module in backbone.modules():
        if isinstance(module, DMSCA):
            torch.nn.init.normal_(module.aa.conv.weight, std=0.1)
    return backbone
