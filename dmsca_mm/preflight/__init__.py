"""Checks before a run, which raise errors before anything is written."""
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.config import Config

from ..errors import ProcessError, UsageError
from .build import check_build
from .data import check_data
from .ignored import check_agreement, ignored_labels
from .loaders import check_loaders
from .model import check_model, frozen_plugins
from .place import check_checkpoint_folder, check_room, check_writable, checkpoint_folders
from .settings import advice, check_settings, switch_on_amp
from .training_state import check_training_state
from .weights import check_weights, initial_statistics, local_weights

__all__ = ['check_build', 'check_checkpoint_folder', 'check_loaders', 'check_model', 'check_room', 'check_test',
           'check_train', 'check_training_state', 'check_writable', 'checkpoint_folders', 'ignored_labels',
           'local_weights', 'switch_on_amp']


def check_train(config: Config, processes: int | None, skip_bad_images: bool = False, data: bool = True) -> list[str]:
    """Check the data, weights and settings of a training run.

    Args:
        config: an OpenMMLab config that passed :func:`check_model`.
        processes: number of processes in the job; None if unknown.
        skip_bad_images: whether training skips images that cannot be opened.
        data: whether to check the data; one process per machine is enough.

    Returns:
        Warnings.

    Raises:
        UsageError: the first problem found; a :class:`ProcessError` if it is in the data.
    """
    check_settings(config)
    with _reported_by_each_machine():
        found = check_data(config, ('train_dataloader', 'val_dataloader'), skip_bad_images) if data else []
    check_weights(config)
    return [*found, *check_agreement(config), *frozen_plugins(config), *initial_statistics(config),
            *advice(config, processes)]


def check_test(config: Config, measured: bool = True, data: bool = True) -> list[str]:
    """Check the data and weights of a test run.

    Args:
        config: an OpenMMLab config that passed :func:`check_model`.
        measured: whether the evaluators run as well.
        data: see :func:`check_train`.

    Returns:
        Warnings.

    Raises:
        UsageError: the first problem found; a :class:`ProcessError` if it is in the data.
    """
    with _reported_by_each_machine():
        found = check_data(config, ('test_dataloader',), measured=measured) if data else []
    check_weights(config)
    return found


@contextmanager
def _reported_by_each_machine() -> Iterator[None]:
    """Turn a UsageError into a ProcessError, as the data can differ between the disks of several machines."""
    try:
        yield
    except UsageError as error:
        raise ProcessError(str(error)) from None
