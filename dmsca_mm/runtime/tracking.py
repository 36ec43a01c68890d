"""``--track NAME``: log a training run to an experiment tracker, through mmengine's backend for it.

A run resumed from a checkpoint continues the same run of the tracker. The ID of that run is in the config that was
dumped into the work directory.
"""
from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..errors import UsageError

PROJECT = 'dmsca_mm'
"""Default project (Weights & Biases) or experiment (MLflow) of the runs; the environment overrides it."""
IDENTITY = 'dmsca_run'
"""MLflow tag that identifies a run."""
OF_THE_RUN = 'model', 'optim_wrapper'
"""Config entries logged to MLflow, which rejects changed entries of a run. Other entries change on resume."""


def _tensorboard(directory: Path, identity: str) -> dict[str, Any]:
    return dict(type='TensorboardVisBackend')


def _wandb(directory: Path, identity: str) -> dict[str, Any]:
    project = os.environ.get('WANDB_PROJECT', PROJECT)
    return dict(type='WandbVisBackend', init_kwargs=dict(project=project, name=directory.name, id=identity,
                                                         resume='allow', dir=str(directory)))


def _mlflow(directory: Path, identity: str) -> dict[str, Any]:
    where = os.environ.get('MLFLOW_TRACKING_URI', f'sqlite:///{directory.resolve()}/mlflow.db')
    return dict(type='MLflowVisBackend', exp_name=os.environ.get('MLFLOW_EXPERIMENT_NAME', PROJECT),
                run_name=directory.name, tags={IDENTITY: identity}, tracking_uri=where,
                tracked_config_keys=list(OF_THE_RUN))


TRACKERS: dict[str, Callable[[Path, str], dict[str, Any]]] = {
    'tensorboard': _tensorboard, 'wandb': _wandb, 'mlflow': _mlflow}
"""For each package name, the function that makes the backend's dict from the work directory and the ID of the run."""


def install(config: Config, tracker: str, goes_on: bool) -> None:
    """Add a tracker's backend to a config's visualizer.

    Args:
        config: with ``work_dir``; changed in place.
        tracker: a key of ``TRACKERS``.
        goes_on: whether the run resumes from a checkpoint.

    Raises:
        UsageError: the package is missing, or the config has no visualizer.
    """
    if find_spec(tracker) is None:
        raise UsageError(f'--track {tracker} needs the package {tracker}: pip install {tracker}')
    visualizer = config.get('visualizer')
    if not visualizer:
        raise UsageError('--track needs a visualizer in the config, such as visualizer=dict('
                         "type='DetLocalVisualizer', name='visualizer')")
    directory = Path(config.work_dir)
    backend = TRACKERS[tracker](directory, secrets.token_hex(8))
    earlier = _earlier(directory, backend['type']) if goes_on else None
    backend = backend if earlier is None else earlier
    others = [other for other in visualizer.get('vis_backends') or [] if other['type'] != backend['type']]
    visualizer.vis_backends = [*others, backend]  # a config that a run stored has one of this type
    if tracker == 'mlflow' and earlier is not None:
        _select_run(earlier)


def _earlier(directory: Path, kind: str) -> dict[str, Any] | None:
    """Return the backend in the newest config that the run has stored before, or None.

    A test overwrites the one in the work directory.
    """
    for path in [*sorted(directory.glob('*/vis_data/config.py'), reverse=True), *directory.glob('*.py')]:
        try:
            backends = (Config.fromfile(path).get('visualizer') or {}).get('vis_backends') or []
        except Exception as error:  # a config is a program
            raise UsageError(f'{path}, which may name the tracker run to continue, cannot be read ({error}): move it '
                             'away') from None
        for backend in backends:
            if backend.get('type') == kind:
                return backend.to_dict()
    return None


def _select_run(backend: dict[str, Any]) -> None:
    """Make MLflow continue the run with this backend's tag, through ``MLFLOW_RUN_ID``."""
    import mlflow
    mlflow.set_tracking_uri(backend['tracking_uri'])
    wanted = f"tags.{IDENTITY} = '{backend['tags'][IDENTITY]}'"
    found = mlflow.search_runs(experiment_names=[backend['exp_name']], filter_string=wanted, output_format='list')
    if found:
        os.environ['MLFLOW_RUN_ID'] = found[0].info.run_id
