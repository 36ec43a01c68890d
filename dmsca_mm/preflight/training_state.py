"""Whether the state of optimizer and schedules in a checkpoint fits the config that resumes from it."""
from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.optim import OptimWrapperDict
from torch import nn

from .. import checkpoint
from ..errors import UsageError
from .build import build_optimizer, build_schedules


def check_training_state(path: str, config: Config, model: nn.Module) -> None:
    """Refuse to go on with another kind of optimizer or schedule, or with parameters grouped in another way.

    Args:
        path: of the checkpoint.
        config: of the resumed run.
        model: of that config.

    Raises:
        UsageError: what differs.
    """
    content = checkpoint.read(path)
    go_on = (f'and the config has others: give the config of the run that is resumed, or start a new one from its '
             f'weights with --cfg-options load_from={path}')
    optimizer = build_optimizer(config, model)
    _check_shapes(path, content.get('state_dict') or {}, model, go_on)
    try:
        optimizer.load_state_dict(_without_values(content['optimizer']))
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise UsageError(f'checkpoint {path} was trained with other parameters or groups of them in optim_wrapper '
                         f'({error}), {go_on}') from None
    for one in optimizer.values() if isinstance(optimizer, OptimWrapperDict) else [optimizer]:
        kind, settings = type(one.optimizer).__name__, set(one.optimizer.defaults)
        lacking = sorted(settings - set(one.optimizer.param_groups[0]))
        if lacking:
            raise UsageError(f'checkpoint {path} was trained with another optimizer than optim_wrapper.optimizer, '
                             f'{kind}: its state has no {", ".join(lacking)}; {go_on}')
    mine, theirs = build_schedules(config, optimizer), content.get('param_schedulers') or []
    for place, (one, state) in enumerate(zip(mine, theirs, strict=False)):
        lacking = sorted(set(one.state_dict()) - set(state))
        if lacking:
            raise UsageError(f'checkpoint {path} was trained with another schedule than param_scheduler.{place}, '
                             f'{type(one).__name__}: its state has no {", ".join(lacking)}; {go_on}')


def _check_shapes(path: str, weights: dict[str, Any], model: nn.Module, go_on: str) -> None:
    for name, mine in model.state_dict().items():
        if name in weights and weights[name].shape != mine.shape:
            raise UsageError(f'checkpoint {path} has {name} of shape {tuple(weights[name].shape)}, the model '
                             f'{tuple(mine.shape)}: its training goes on with the same model only; give the same '
                             'config')


def _without_values(state: Any) -> Any:
    """The groups of an optimizer's state, without what it has stored for each parameter."""
    if not isinstance(state, dict):
        return state
    return {key: {} if key == 'state' else _without_values(value) for key, value in state.items()}
