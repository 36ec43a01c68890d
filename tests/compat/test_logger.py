"""A test in several processes leaves one complete file of metrics."""
from types import SimpleNamespace

import mmengine.dist.utils
import pytest
from mmengine.hooks import LoggerHook

from dmsca_mm.compat import logger


@pytest.mark.parametrize('rank', [0, 1])
def test_first_process_alone_writes_the_figures(rank, tmp_path, monkeypatch):
    monkeypatch.setattr(LoggerHook, 'after_test_epoch', LoggerHook.after_test_epoch)
    monkeypatch.setattr(mmengine.dist.utils, 'get_rank', lambda group=None: rank)
    logger.write_in_one_process()
    hook = LoggerHook()
    hook.json_log_path = 'figures.json'
    runner = SimpleNamespace(log_dir=tmp_path, test_dataloader=[1], logger=SimpleNamespace(info=lambda text: None),
                             log_processor=SimpleNamespace(get_log_after_epoch=lambda *_, **__: ({'mAP': 0.5}, 'text')))
    hook.after_test_epoch(runner)
    assert (tmp_path / 'figures.json').exists() == (rank == 0)
