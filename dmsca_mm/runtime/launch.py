"""Start a tool in several processes with torchrun, and report a failure in one line.

``tools/dist_train.sh`` calls ``python -m dmsca_mm.runtime.launch SCRIPT N [ARGUMENTS...]``. The other settings are
environment variables, as in mmdet and mmseg: NNODES, NODE_RANK, MASTER_ADDR, PORT.
"""
from __future__ import annotations

import logging
import os
import socket
import sys

import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.run import parse_args, run

from ..errors import UsageError, exit_on_usage_error


def launch(script: str, processes: int, arguments: list[str]) -> None:
    """Run ``script`` in ``processes`` processes on this node.

    Args:
        script: path of a Python file.
        processes: at least 1; with GPUs, at most the number of GPUs.
        arguments: those of the script; ``--launcher pytorch`` is added.

    Raises:
        UsageError: too many processes, or as :func:`rendezvous`.
        SystemExit: the exit code of the first process that failed, or 1 if a signal ended it; 128 + the signal number
            if the launcher receives a signal.
    """
    gpus = torch.cuda.device_count()
    if gpus and processes > gpus:
        raise UsageError(f'{processes} processes asked for, but this machine has {gpus} GPU(s): give at most {gpus}, '
                         'or hide the GPUs with CUDA_VISIBLE_DEVICES= to run on the CPU')
    if not gpus:
        os.environ.setdefault('OMP_NUM_THREADS', str(max(1, len(os.sched_getaffinity(0)) // processes)))
    # Torch's own report of a failed process takes over forty lines; _describe takes one.
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    options = [f'--nproc-per-node={processes}', *rendezvous(), script, *arguments, '--launcher', 'pytorch']
    try:
        run(parse_args(options))
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode != 2 and failure.exitcode < 128:  # the process has printed its own line
            print(f'error: process {rank} ended with {_describe(failure.exitcode)}; its own output is above',
                  file=sys.stderr)
        raise SystemExit(failure.exitcode if failure.exitcode > 0 else 1) from None
    except SignalException as stop:
        raise SystemExit(128 + stop.sigval) from None
    except (dist.DistError, RendezvousError) as error:
        raise UsageError(f'the nodes cannot meet ({" ".join(str(error).split())[:200]}): start the command on all '
                         'NNODES nodes, each with MASTER_ADDR and PORT of the first') from None


def rendezvous() -> list[str]:
    """Return torchrun's rendezvous arguments, read from the environment.

    Raises:
        UsageError: a variable is not a number in its range, or PORT is taken on this node.
    """
    nodes = _number('NNODES', 1, lowest=1)
    if nodes == 1 and 'PORT' not in os.environ:
        return ['--standalone']  # picks a free port by itself
    node_rank = _number('NODE_RANK', 0, lowest=0)
    if node_rank >= nodes:
        raise UsageError(f'NODE_RANK={node_rank} must be below NNODES={nodes}: nodes count from 0')
    port = _number('PORT', 29500, lowest=1)
    if node_rank > 0 and 'MASTER_ADDR' not in os.environ:
        raise UsageError(f'NODE_RANK={node_rank} needs MASTER_ADDR: give the address of the node with NODE_RANK=0')
    address = os.environ.get('MASTER_ADDR', '127.0.0.1')
    if node_rank == 0 and not _is_free(port):
        raise UsageError(f'PORT={port} is taken on this machine: give another, or leave PORT out on a single node')
    return [f'--nnodes={nodes}', f'--node-rank={node_rank}', f'--master-addr={address}', f'--master-port={port}']


def positive_number(name: str, text: str) -> int:
    """Return ``text`` as an int of at least 1.

    Raises:
        UsageError: it is not such a number.
    """
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UsageError(f'{name} must be a positive number, got {text!r}: '
                         'tools/dist_train.sh CONFIG N, tools/dist_test.sh CONFIG CHECKPOINT N')
    return int(text)


def _number(name: str, default: int, lowest: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isascii() or not text.isdigit() or int(text) < lowest or int(text) > 65535:
        raise UsageError(f'{name} must be an integer from {lowest} to 65535, got {text!r}')
    return int(text)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('', port))
        except OSError:
            return False
    return True


def _describe(exit_code: int) -> str:
    return f'exit code {exit_code}' if exit_code >= 0 else f'signal {-exit_code}'


def main() -> None:
    """Parse ``SCRIPT N [ARGUMENTS...]`` and launch."""
    script, processes, *arguments = sys.argv[1:]
    launch(script, positive_number('N', processes), arguments)


if __name__ == '__main__':
    exit_on_usage_error(main)
