"""A resumed run keeps its seed and reports what differs from the earlier run."""
import re

import pytest
import torch
from mmengine.config import Config

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.resume import go_on

CONFIG = dict(train_cfg=dict(type='SameIterLoop', max_iters=100), train_dataloader=dict(batch_size=2),
              optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), model=dict(type='Toy'))


@pytest.fixture
def stored(tmp_path):
    """Write a checkpoint of a run with CONFIG; return the path."""
    def store(cfg=Config(CONFIG).pretty_text, **meta):  # noqa: B008 (text)
        path = tmp_path / 'iter_50.pth'
        torch.save(dict(state_dict={}, optimizer={}, message_hub={},
                        meta=dict(seed=7, iter=50, epoch=0, cfg=cfg, **meta)), path)
        return str(path)
    return store


def test_same_config_goes_on_with_the_runs_seed_and_without_a_word(stored):
    config, path = Config(CONFIG), stored(processes=1, threads=torch.get_num_threads())
    assert go_on(config, path, 1) == []
    assert (config.resume, config.load_from, config.randomness.seed) == (True, path, 7)


def test_each_change_is_a_line(stored):
    config = Config({**CONFIG, 'randomness': dict(seed=8), 'train_dataloader': dict(batch_size=4)})
    found = go_on(config, stored(processes=4, threads=torch.get_num_threads() + 1), 2)
    expected = ['randomness.seed is 8: no effect, the run keeps its seed 7',
                'the number of processes was 4 and is 2: ', 'the number of threads was ',
                'train_dataloader.batch_size was 2 and is 4: ']
    assert len(found) == (4 if not torch.cuda.is_available() else 3)
    assert all(any(line.startswith(start) for line in found) for start in expected
               if 'threads' not in start or not torch.cuda.is_available())
    assert config.randomness.seed == 7


def test_change_that_cannot_be_meant_names_the_checkpoint_and_the_way_out(stored):
    path = stored()
    config = Config({**CONFIG, 'optim_wrapper': dict(optimizer=dict(type='AdamW', lr=0.1))})
    with pytest.raises(UsageError, match=re.escape(f'checkpoint {path} cannot be resumed with this config: '
                                                   'optim_wrapper.optimizer was SGD and is AdamW')) as caught:
        go_on(config, path, 1)
    assert 'set it back, or start a new run' in str(caught.value)


@pytest.mark.parametrize('text', ['', 'model: yaml'])
def test_checkpoint_without_a_config_is_said_to_have_none(stored, text):
    path = stored(cfg=text)
    assert go_on(Config(CONFIG), path, 1) == [
        f'checkpoint {path} holds no config: changes since then cannot be checked']


def test_checkpoint_at_an_address_is_left_to_the_run():
    config = Config(CONFIG)
    assert go_on(config, 'http://127.0.0.1:9/x.pth', 1) == []
    assert (config.resume, config.load_from) == (True, 'http://127.0.0.1:9/x.pth')
