"""Inputs for single stages, and the rearranged form's statistics for them, in double precision."""
import torch
from forms import pair

from dmsca_mm.attention.dmsca import rearranged

SMALL = dict(kernel_sizes=(1, 3), direction_kernel_size=3)
"""Few taps, because the interpreter processes them one after another."""


class Case:
    """X, dY and the parameters of a module, none at a special value, with uninitialized gradients."""

    def __init__(self, shape, device, dtype=torch.float32, channels_last=False, ties=False, **arguments):
        module = pair(shape[1], **(arguments or SMALL))[1].to(device)
        self.scale, parameters = module.scale, module.operator_arguments()
        self.parameters = parameters.nest([tensor.detach() for tensor in parameters.flat()])
        self.gradients = self.parameters.nest([torch.empty_like(tensor) for tensor in self.parameters.flat()])
        random = torch.Generator().manual_seed(0)
        self.x, self.dy = (torch.randn(shape, generator=random).to(device, dtype) for _ in range(2))
        if ties:
            self.x = self.x.round()
        if channels_last:
            self.x, self.dy = (value.to(memory_format=torch.channels_last) for value in (self.x, self.dy))

    def double(self):
        """X, dY and the parameters in double precision."""
        return self.x.double(), self.dy.double(), self.parameters.to(torch.float64)

    def stats(self):
        """Return the statistics that forward keeps, in double and in single precision."""
        x, _, parameters = self.double()
        exact = rearranged.attend(x, parameters, self.scale)[1]
        return exact, type(exact)(*(tensor.float() for tensor in exact))


def close(found, expected, tolerance=1e-5):
    """Compare with a tolerance relative to the largest value."""
    torch.testing.assert_close(found.double(), expected, rtol=tolerance,
                               atol=tolerance * expected.abs().max().item())
