"""Safeguards added to every training run: loops, hooks, image loaders and atomic writes."""
from __future__ import annotations

from mmengine.config import Config

from ..config_tree import REGISTRY, add_import
from ..preflight.config_parts import name_of
from .hooks import OWN, checkpoint
from .hooks.non_finite import StopOnBadNumbers
from .hooks.processes import StoreProcesses
from .hooks.signals import SaveOnSignal
from .hooks.trial import TrialValidation
from .resume import loops
from .resume.sampler import start_worker
from .transforms import images


def install(config: Config, skip_bad_images: bool = False) -> None:
    """Add every safeguard to a config. The dumped config imports what it needs, so it also runs with mmdet's tools.

    Args:
        config: with ``work_dir``; changed in place.
        skip_bad_images: see :func:`images.install`.
    """
    checkpoint.install(config)
    loops.install(config)
    images.install(config, ('train', 'val'), skip_bad_images)
    for name in ('train_dataloader', 'val_dataloader'):
        if loader := config.get(name):
            quiet = loader.pop('disable_subprocess_warning', False)
            loader.setdefault('worker_init_fn', dict(type=start_worker.__name__, quiet=quiet))
    add_import(config, REGISTRY)
    # A config that a run stored has them.
    others = [hook for hook in config.get('custom_hooks') or [] if name_of(hook) not in OWN]
    config.custom_hooks = [*others, *(
        dict(type=hook.__name__) for hook in (TrialValidation, StopOnBadNumbers, SaveOnSignal, StoreProcesses))]
