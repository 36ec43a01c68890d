"""Resume from a checkpoint; report or reject each difference from the run that wrote it."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.config import Config

from ... import checkpoint
from ...checkpoint import stored_config
from ...errors import UsageError
from .network import compare_network
from .training import STEP, compare_training


def go_on(config: Config, begun: str, processes: int) -> list[str]:
    """Set a config to resume from a checkpoint, with the seed stored in it.

    Args:
        config: config of the run; changed in place.
        begun: path or address of the checkpoint; one at an address is not read.
        processes: number of processes of the job.

    Returns:
        One line for each difference from the run that wrote the checkpoint, with its effect.

    Raises:
        UsageError: as :func:`checkpoint.seed`; or the run cannot resume with this config, because the network, plugin,
            optimizer, schedule, type of loop or classes differ, or its length is already reached.
    """
    config.resume, config.load_from = True, begun
    if '://' in begun:
        return []
    randomness, seed = config.get('randomness') or {}, checkpoint.seed(begun)
    config.randomness = {**randomness, 'seed': seed}
    found = []
    if randomness.get('seed') not in (None, seed):
        found = [f'randomness.seed is {randomness["seed"]}: no effect, the run keeps its seed {seed}']
    content = checkpoint.read(begun)
    old, new = stored_config.parse(content['meta'].get('cfg')), stored_config.parse(config.pretty_text)
    if not old:
        return [*found, f'checkpoint {begun} holds no config: changes since then cannot be checked']
    try:
        return [*found, *_compare_machine(content['meta'], processes), *compare_training(old, new, content['meta']),
                *compare_network(old.get('model'), new.get('model'), config, content['state_dict'])]
    except UsageError as error:
        raise UsageError(f'checkpoint {begun} cannot be resumed with this config: {error}; set it back, or start a new '
                         'run') from None


def _compare_machine(meta: dict[str, Any], processes: int) -> Iterator[str]:
    if meta.get('processes', processes) != processes:
        yield f'the number of processes was {meta["processes"]} and is {processes}: {STEP}'
    threads = torch.get_num_threads()
    if meta.get('threads', threads) != threads and not torch.cuda.is_available():
        yield (f'the number of threads was {meta["threads"]} and is {threads}: sums are computed in another order, so '
               'the run continues equal up to rounding, not bit for bit')
