"""Check that the optimizer and scheduler state in a checkpoint fits the config that resumes from it."""
from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.optim import OptimWrapperDict
from torch import nn

from .. import checkpoint
from ..errors import UsageError
from .build import build_optimizer, build_schedules


def check_training_state(path: str, config: Config, model: nn.Module) -> None:
    """Refuse to resume with another model, type of optimizer or scheduler, or grouping of parameters.

    Args:
        path: path of the checkpoint.
        config: config of the resumed run.
        model: model built from that config.

    Raises:
        UsageError: the first difference.
    """
    content = checkpoint.read(path)
    go_on = (f'resume with the config of the same run, or start a new run from its weights with --cfg-options '
             f'load_from={path}')
    optimizer = build_optimizer(config, model)
    _check_shapes(path, content.get('state_dict') or {}, model)
    try:
        optimizer.load_state_dict(_without_values(content['optimizer']))
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise UsageError(f'checkpoint {path} was trained with other parameters or parameter groups in '
                         f'optim_wrapper ({error}); {go_on}') from None
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


def _check_shapes(path: str, weights: dict[str, Any], model: nn.Module) -> None:
    for name, mine in model.state_dict().items():
        if name in weights and weights[name].shape != mine.shape:
            raise UsageError(f'checkpoint {path} has {name} of shape {tuple(weights[name].shape)}, the model '
                             f'{tuple(mine.shape)}: resuming requires the same model; use the same config')


def _without_values(state: Any) -> Any:
    """Return the parameter groups of an optimizer's state, without its per-parameter values."""
    if not isinstance(state, dict):
        return state
    return {key: {} if key == 'state' else _without_values(value) for key, value in state.items()}
