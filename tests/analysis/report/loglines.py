"""Lines of scalars.json as a training writes them."""


def trained(step, **values):
    """A line of losses; ``values`` replace or extend these."""
    return dict(lr=0.1, loss=2.0 / step, time=0.5, epoch=1, iter=step, step=step) | values


def attended(step, value, *modules):
    """A line of the scalars of each module; the report plots all but the mean of the channel gate."""
    scalars = ('temperature', 'gate_mean', 'gradient_norm', 'channel_mean', 'channel_spread', 'spatial_spread',
               'activation_spread')
    return {f'attention/{module}/{scalar}': value for module in modules for scalar in scalars} | dict(step=step)
