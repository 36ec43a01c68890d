"""Lines of scalars.json as a training writes them."""


def trained(step, **values):
    """A line of losses; ``values`` replace or extend these."""
    return dict(lr=0.1, loss=2.0 / step, time=0.5, epoch=1, iter=step, step=step) | values


def attended(step, value, *modules):
    """A line with the three scalars of each module that the report plots."""
    scalars = ('temperature', 'gate_mean', 'gradient_norm', 'channel_mean')
    return {f'attention/{module}/{scalar}': value for module in modules for scalar in scalars} | dict(step=step)
