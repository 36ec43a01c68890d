"""A training logs the statistics of its attention with the losses, at the log interval only."""
import json

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner

from dmsca_mm.attention import DMSCA
from dmsca_mm.runtime.hooks import attention_log


class Attended(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = DMSCA(4, init='paper')

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.layer(torch.stack(list(inputs))).square().mean())


def test_numbers_come_at_the_interval_with_the_modules_name(tmp_path):
    torch.manual_seed(0)
    data = [dict(inputs=torch.randn(4, 6, 6)) for _ in range(6)]
    runner = Runner(
        Attended(), str(tmp_path), train_cfg=dict(by_epoch=True, max_epochs=1),
        train_dataloader=dict(dataset=data, batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False)),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), default_hooks=dict(checkpoint=None, logger=None),
        custom_hooks=[dict(type='LogAttention', interval=2)], log_level='ERROR', experiment_name=tmp_path.name)
    runner.train()
    lines = [json.loads(line) for line in next(tmp_path.glob('*/vis_data/*.json')).read_text().splitlines()]
    found = [line for line in lines if 'attention/layer/temperature' in line]
    assert [line['step'] for line in found] == [2, 4, 6]
    assert all(0 < line['attention/layer/gate_mean'] < 1 for line in found)
    assert all(line['attention/layer/gradient_norm'] > 0 for line in found)


def test_install_takes_the_loggers_interval_and_dumps_its_import():
    config = Config(dict(default_hooks=dict(logger=dict(type='LoggerHook', interval=20))))
    attention_log.install(config)
    assert config.custom_hooks == [dict(type='LogAttention', interval=20)]
    assert config.custom_imports.imports == ['dmsca_mm.registry']
