"""Checks before a run: errors are raised before anything is written."""
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.config import Config

from ..errors import ProcessError, UsageError
from .build import check_build
from .data import check_data
from .ignored import check_agreement, ignored_labels
from .loaders import check_loaders
from .model import check_model, frozen_plugins
from .place import check_room, check_work_directory, check_writable
from .settings import advice, check_settings, switch_on_amp
from .training_state import check_training_state
from .weights import check_weights

__all__ = ['check_build', 'check_loaders', 'check_model', 'check_room', 'check_test', 'check_train',
           'check_training_state', 'check_work_directory', 'check_writable', 'ignored_labels', 'switch_on_amp']


def check_train(config: Config, processes: int | None, skip_bad_images: bool = False, data: bool = True) -> list[str]:
    """Check what a training reads, and its settings.

    Args:
        config: an OpenMMLab config whose model is checked.
        processes: of the job; None where they are not known.
        skip_bad_images: whether training leaves out images that cannot be opened.
        data: whether the data are read, too: of several processes on a machine one does.

    Returns:
        Warnings.

    Raises:
        UsageError: the first thing that would end it; a ProcessError if it is the data's.
    """
    check_settings(config)
    with _reported_by_each_machine():
        found = check_data(config, ('train_dataloader', 'val_dataloader'), skip_bad_images) if data else []
    check_weights(config)
    return [*found, *check_agreement(config), *frozen_plugins(config), *advice(config, processes)]


def check_test(config: Config, measured: bool = True, data: bool = True) -> list[str]:
    """Check what a test reads.

    Args:
        config: an OpenMMLab config whose model is checked.
        measured: whether the evaluators run, too.
        data: see :func:`check_train`.

    Returns:
        Warnings.

    Raises:
        UsageError: the first thing that would end it; a ProcessError if it is the data's.
    """
    with _reported_by_each_machine():
        found = check_data(config, ('test_dataloader',), measured=measured) if data else []
    check_weights(config)
    return found


@contextmanager
def _reported_by_each_machine() -> Iterator[None]:
    """A disk can lack what another machine's has, so an error of the data is this machine's own."""
    try:
        yield
    except UsageError as error:
        raise ProcessError(str(error)) from None
