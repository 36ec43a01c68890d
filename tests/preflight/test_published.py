"""OpenMMLab's published ResNet configs are refused if, and only if, their library cannot build them."""
import copy
import gc
import os
import re
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import pytest
import stand_in
import torch
from mmengine.config import Config

from dmsca_mm.compat import requirements
from dmsca_mm.config_tree import backbones
from dmsca_mm.errors import UsageError

LIBRARIES = ('mmdet', 'mmseg', 'mmpretrain')


@dataclass(frozen=True)
class Outcome:
    """The outcome of a config: why it was refused and why its library failed; empty if it did not."""

    library: str
    name: str
    refused: str = ''
    failed: str = ''

    @property
    def reason(self):
        """The kind of reason for a refusal."""
        for words, reason in ((r'AmpOptimWrapper', 'mixed precision needs a GPU'),
                              (r'No module named|not installed|[Pp]lease (run|install)|Failed to import|torchvision/',
                               'it needs a package that is not here'),
                              (r'does not exist|No such file|is empty', 'it reads files that have no stand-in'),
                              (r'process group', 'its norms need a job of several processes')):
            if re.search(words, self.refused):
                return reason
        return self.refused


def published(library):
    """Return a library's configs, without those in ``_base_``."""
    folder = Path(find_spec(library).origin).parent / '.mim/configs'
    return sorted(path for path in folder.rglob('*.py') if '_base_' not in path.parts)


def of_resnets(config):
    """Whether a model has a ResNet backbone."""
    return any(re.match(r'(mm\w+\.)?ResNet', str(getattr(backbone['type'], '__name__', backbone['type'])))
               for backbone in backbones(config))


def loaded(path):
    """Load a config without pretrained weights, which would be downloaded. Returns it with the reason if only
    this package refuses to read it; None if mmengine cannot read it either."""
    from dmsca_mm.checkpoint.sources import forget_pretrained
    from dmsca_mm.runtime.config import load_config
    refused = ''
    try:
        config = load_config(str(path))
    except UsageError as error:
        refused = str(error)
        try:
            config = Config.fromfile(str(path))
            backbones(config)
        except Exception:  # configs that cannot be read, or have no backbone
            return None, ''
    forget_pretrained(config.model)
    config.load_from = None
    if 'teacher_ckpt' in config.model:
        config.model.teacher_ckpt = None
    return config, refused


def without_memory(check_build, config):
    """Build a model on the meta device for speed, or on the CPU if that fails."""
    try:
        with torch.device('meta'):
            return check_build(config)
    except Exception:
        return check_build(config)


def prepare(folder):
    """Prepare a worker to check many configs."""
    from dmsca_mm import preflight
    os.chdir(folder)
    torch.set_num_threads(1)
    preflight.check_build = partial(without_memory, preflight.check_build)


def outcome(library, path):
    """Check a config as a user does, then build it with its library; None if it has no ResNet."""
    from dmsca_mm.runtime import run
    with open(os.devnull, 'w') as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        config, refused = loaded(path)
        if config is None or not of_resnets(config):
            return None
        run.load_config = lambda *_: copy.deepcopy(config)
        stand_in.make(config, import_module(f'{config.default_scope}.registry'))
        gc.freeze()  # building a data set collects garbage, which takes seconds with all these modules
        try:
            if not refused:
                run.check(str(path), work_dir='work')
        except UsageError as error:
            refused = str(error)
        failed = failure(config, with_model=bool(refused))
    return Outcome(library, f'{path.parent.name}/{path.name}', refused, failed)


def failure(config, with_model):
    """Build the parts of a run and load an image of each split; return the library's error, or an empty string."""
    from mmengine.evaluator import Evaluator
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import EVALUATOR, MODELS, init_default_scope
    from mmengine.runner import Runner

    from dmsca_mm.preflight.classes import argument_of
    from dmsca_mm.preflight.config_parts import datasets
    config = copy.deepcopy(config)
    init_default_scope(config.default_scope)
    for split, third in (('train', 'optim_wrapper'), ('val', 'val_evaluator'), ('test', 'test_evaluator')):
        if len({config.get(key) is None for key in (f'{split}_dataloader', f'{split}_cfg', third)}) > 1:
            return f'{split} is there in parts, where mmengine\'s Runner asks for all or none'
    if config.get('train_dataloader') is None:
        return 'there is nothing to train'
    try:
        if with_model:
            build_optim_wrapper(MODELS.build(config.model), config.optim_wrapper)
        for split in ('train', 'val', 'test'):
            data = config.get(f'{split}_dataloader')
            if data and not any(argument_of(one, 'download', config.default_scope) for one in datasets(data)):
                loader = Runner.build_dataloader(data)
                of_videos = hasattr(loader.dataset, 'get_len_per_video')  # neighbouring frames are drawn at random
                with suppress(OverflowError):  # mmpretrain's random augmentations fail on some images with NumPy 2
                    assert of_videos or loader.dataset[next(iter(loader.batch_sampler), [0])[0]] is not None
            evaluator = config.get(f'{split}_evaluator')
            if isinstance(evaluator, dict) and 'metrics' in evaluator:
                EVALUATOR.build({'type': 'Evaluator', **evaluator})
            elif evaluator:
                Evaluator(evaluator)
    except Exception as error:
        return f'{type(error).__name__}: {" ".join(str(error).split())[:300]}'
    return ''


@pytest.mark.soak
def test_published_configs_of_resnets_are_accepted_exactly_where_their_library_builds_them(tmp_path):
    for library in LIBRARIES:
        requirements.require(library)
    files = [(library, path) for library in LIBRARIES for path in published(library)]
    with get_context('spawn').Pool(os.cpu_count(), prepare, (tmp_path,)) as pool:
        found = [one for one in pool.starmap(outcome, files, chunksize=8) if one]
    report(found)
    assert len(found) > 100
    assert [one for one in found if one.refused and not one.failed] == [], 'refused, and the library builds them'
    assert [one for one in found if one.failed and not one.refused] == [], 'accepted, and the library fails'


def report(found):
    """Print the table of docs/reliability.md."""
    reasons = Counter((one.library, one.reason) for one in found if one.refused)
    for library in LIBRARIES:
        ours = [one for one in found if one.library == library]
        print(f'\n{library}: {len(ours)} configs, {sum(not one.refused for one in ours)} accepted')
        for (which, reason), number in reasons.most_common():
            if which == library:
                print(f'  {number} refused: {reason}')
    for one in found:
        if bool(one.refused) != bool(one.failed):
            print(f'{one.name}\n  check: {one.refused or "accepted"}\n  library: {one.failed or "built"}')
