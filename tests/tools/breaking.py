"""Setups with one thing broken, chosen by a seed: a config entry, an option, or the machine of the run."""
import copy
import os
import random
import resource
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

READ = ('model', 'train_dataloader', 'val_dataloader', 'train_cfg', 'val_cfg', 'val_evaluator', 'optim_wrapper',
        'param_scheduler', 'default_hooks', 'custom_hooks', 'env_cfg', 'randomness', 'visualizer', 'log_processor',
        'auto_scale_lr', 'default_scope', 'log_level', 'load_from')
"""Config entries that a training reads; the others are intermediate variables."""
NOBODY = 65534


@dataclass
class Setup:
    """A training to start, with one thing broken.

    Attributes:
        fault: what was done, for the report.
        words: at least one must be in the error.
        config: the entries of a config.
        arguments: of the command, after the config.
        environment: variables to set; None removes one.
        prepare: called in the process, in its folder, before the command.
        files: content by name, written to the folder before the command; None makes a folder.
        expected: exit codes; with a harmless fault the training succeeds.
    """

    fault: str
    words: tuple[str, ...]
    config: dict[str, Any]
    arguments: tuple[str, ...] = ()
    environment: dict[str, str | None] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None
    files: dict[str, bytes | None] = field(default_factory=dict)
    expected: tuple[int, ...] = (0, 2)


# One entry of the config

def nodes(node, path=()):
    """Paths of all entries below a node."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from nodes(value, (*path, key))


def at(node, path):
    for key in path:
        node = node[key]
    return node


def of_another_kind(holder, key, seeded):
    choices = [None, 'wrong', 3.5, -1, 0, [], {}, True, [1, 'a'], dict(a=1), '', ('x',), [None], dict(type=3)]
    holder[key] = seeded.choice([one for one in choices if one != holder[key]])
    return f'= {holder[key]!r}'


def removed(holder, key, seeded):
    del holder[key]
    return 'removed'


def misspelled(holder, key, seeded):
    if not isinstance(key, str) or len(key) < 3:
        return of_another_kind(holder, key, seeded)
    place = seeded.randrange(1, len(key) - 1)
    wrong = key[:place] + key[place + 1] + key[place] + key[place + 2:]
    wrong = wrong if wrong != key else key + key[-1]
    holder[wrong] = holder.pop(key)
    return f'spelt {wrong}'


def nested(holder, key, seeded):
    inner = holder[key]
    holder[key] = seeded.choice([[inner], dict(inner=inner), [[inner, inner]]])
    return f'nested as {str(holder[key])[:40]}'


def of_another_size(holder, key, seeded):
    value = holder[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return nested(holder, key, seeded)
    holder[key] = seeded.choice([value * 2, value + 1, 0, -value - 1, float(value) / 3])
    return f'= {holder[key]!r}'


def empty(holder, key, seeded):
    holder[key] = type(holder[key])() if isinstance(holder[key], (dict, list, tuple, str)) else None
    return 'empty'


FAULTS = (of_another_kind, of_another_kind, removed, misspelled, nested, of_another_size, empty)


def broken_config(settings, seeded):
    """A config with one entry broken; all parts are equally likely, regardless of their size."""
    config = copy.deepcopy(settings)
    part = seeded.choice([key for key in READ if config.get(key) is not None])
    path = seeded.choice([(part,), *nodes(config[part], (part,))])
    holder = at(config, path[:-1])
    before = repr(holder[path[-1]])
    how = seeded.choice(FAULTS)(holder, path[-1], seeded)
    owners = [at(config, path[:length]) for length in range(len(path) - 1, 0, -1)]
    types = [str(one['type']) for one in owners if isinstance(one, dict) and one.get('type')]
    words = (*(str(key) for key in path[-2:] if isinstance(key, str)), *types[:2], before[:20], how.split()[-1])
    return Setup(f'{".".join(map(str, path))} {how}', tuple(word for word in words if len(word) > 2), config)


# One option

def broken_option(settings, seeded, number):
    """A command with one argument broken."""
    choices = [
        (('--cfg-options', 'model.backbone.depth.x=3'), ('depth',), {}),
        (('--cfg-options', 'train_dataloader.dataset.pipeline.99.type=A'), ('99',), {}),
        (('--cfg-options', 'nothing'), ('KEY=VALUE',), {}),
        (('--cfg-options', '=3'), ('cannot be read', 'KEY=VALUE', 'error'), {}),
        (('--cfg-options', 'train_cfg=3'), ('train_cfg',), {}),
        (('--cfg-options', 'model=None'), ('model',), {}),
        (('--cfg-options', 'model.backbone.plugins=dmsca'), ('plugins', 'list'), {}),
        (('--cfg-options', 'default_scope=mmnothing'), ('mmnothing',), {}),
        (('--cfg-options', 'work_dir=file/below'), ('file',), {'file': b''}),
        (('--cfg-options', 'work_dir=[1]'), ('work_dir',), {}),
        (('--cfg-options', 'load_from=none.pth'), ('none.pth',), {}),
        (('--cfg-options', 'load_from=folder'), ('folder',), {'folder': None}),
        (('--cfg-options', 'randomness.seed=much'), ('seed',), {}),
        (('--cfg-options', 'custom_imports.imports=[no_such_module]'), ('no_such_module',), {}),
        (('--resume', 'none.pth'), ('none.pth',), {}),
        (('--resume', 'folder'), ('folder',), {'folder': None}),
        (('--resume', 'weights.pth'), ('weights.pth',), {'weights.pth': b''}),
        (('--resume', 'weights.pth'), ('weights.pth',), {'weights.pth': seeded.randbytes(500)}),
        (('--resume', 'config.py'), ('config.py',), {}),
        (('--plugin', 'nothing'), ('nothing',), {}),
        (('--work-dir', 'file'), ('file',), {'file': b''}),
        (('--work-dir', 'file/below/it'), ('file',), {'file': b''}),
        (('--work-dir', '/dev/null'), ('/dev/null',), {}),
        (('--work-dir', '/proc/nothing'), ('/proc',), {}),
        (('--work-dir', 'x' * 300), ('xxx',), {}),
        (('--work-dir', 'work', '--resume'), ('epoch_1.pth',), {'work/epoch_1.pth': b'cut'}),
        (('--work-dir', 'work'), ('epoch_1.pth',), {'work/epoch_1.pth': b'cut'}),
        (('--launcher', 'pytorch'), ('RANK',), {}),
        (('--launcher', 'slurm'), ('SLURM',), {}),
        (('--launcher', 'nothing'), ('nothing',), {}),
        (('--amp',), ('--amp',), {}),
        (('--auto-scale-lr', '--cfg-options', 'auto_scale_lr=None'), ('auto_scale_lr',), {}),
        (('--no-such-option',), ('--no-such-option',), {}),
        (('--work-dir',), ('--work-dir',), {})]
    arguments, words, files = choices[number % len(choices)]
    return Setup(' '.join(arguments)[:60], words, copy.deepcopy(settings), arguments, files=files, expected=(2,))


# The machine around the run

def unprivileged():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def no_temporary_folder():
    tempfile._candidate_tempdir_list = lambda: ['/proc/nothing']
    tempfile.tempdir = None


def gone():
    folder = Path('gone').absolute()
    folder.mkdir()
    os.chdir(folder)
    folder.rmdir()


def redirected(path):
    def prepare():
        os.dup2(os.open(path, os.O_WRONLY), 1)
    return prepare


def limited(kind, value):
    return lambda: resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def broken_machine(settings, seeded, number):
    """A command on a machine where one thing is missing, full or forbidden."""
    config = copy.deepcopy(settings)
    root = os.geteuid() == 0
    choices = [
        dict(fault='no HOME', environment=dict(HOME=None), expected=(0,)),
        dict(fault='a HOME that is not there', environment=dict(HOME='/proc/nothing'), expected=(0,)),
        dict(fault='a TMPDIR that is not there', environment=dict(TMPDIR='/proc/nothing'), expected=(0,)),
        dict(fault='locale C', environment=dict(LC_ALL='C', LANG='C'), expected=(0,)),
        dict(fault='ASCII alone on the terminal', environment=dict(PYTHONIOENCODING='ascii'),
             arguments=('--work-dir', 'wörk'), expected=(0,)),
        dict(fault='no temporary folder', prepare=no_temporary_folder, words=('temporary',)),
        dict(fault='a folder that has gone', prepare=gone, words=('folder', 'does not exist'), expected=(2,)),
        dict(fault='stdout full', prepare=redirected('/dev/full'), words=('output',), expected=(2,)),
        dict(fault='files of at most 20 kB', prepare=limited(resource.RLIMIT_FSIZE, 20_000), words=('epoch_1', 'large'),
             expected=(2,)),
        dict(fault='RANK no number', environment=dict(RANK='x', WORLD_SIZE='2', MASTER_ADDR='localhost',
                                                      MASTER_PORT='29500'),
             arguments=('--launcher', 'pytorch'), words=('RANK',), expected=(2,)),
        dict(fault='WORLD_SIZE no number', environment=dict(RANK='0', WORLD_SIZE='x', MASTER_ADDR='localhost',
                                                            MASTER_PORT='29500'),
             arguments=('--launcher', 'pytorch'), words=('WORLD_SIZE',), expected=(2,)),
        dict(fault='MASTER_PORT no number', environment=dict(RANK='0', WORLD_SIZE='1', MASTER_ADDR='localhost',
                                                             MASTER_PORT='x'),
             arguments=('--launcher', 'pytorch'), words=('MASTER_PORT',), expected=(2,)),
        dict(fault='a link to nowhere', prepare=lambda: os.path.lexists('work') or os.symlink('nowhere', 'work'),
             arguments=('--work-dir', 'work'), words=('work',), expected=(2,))]
    if root:
        choices += [
            dict(fault='unprivileged, folder of root', prepare=unprivileged, words=('work_dirs', 'Permission'),
                 expected=(2,)),
            dict(fault='unprivileged, work directory of root', prepare=unprivileged, files={'work': None},
                 arguments=('--work-dir', 'work'), words=('work', 'Permission'), expected=(2,)),
            dict(fault='unprivileged, no temporary folder',
                 prepare=lambda: (no_temporary_folder(), unprivileged()),
                 words=('temporary', 'work_dirs'), expected=(2,))]
    chosen = choices[number % len(choices)]
    return Setup(**{'words': (), 'config': config, **chosen})


def setup(number, settings):
    """Return the setup of a number: of 500, 400 break the config, 60 an option, 40 the machine.

    Args:
        number: the seed.
        settings: entries of configs that train.
    """
    seeded = random.Random(number)
    chosen = settings[number % len(settings)]
    if number % 25 in (3, 11, 19):
        return broken_option(chosen, seeded, number // 25 * 3 + (number % 25) // 8)
    if number % 25 in (7, 21):
        return broken_machine(chosen, seeded, number // 25 * 2 + (number % 25) // 15)
    return broken_config(chosen, seeded)
