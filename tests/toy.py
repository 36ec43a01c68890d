"""A training that takes milliseconds: one weight, four numbers, mmengine's own Runner."""
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

from dmsca_mm.runtime.hooks.non_finite import StopOnBadNumbers


class Sample:
    """A data sample as a hook sees it: an object with metainfo."""

    def __init__(self, name):
        self.metainfo = dict(img_path=name)


class Toy(BaseModel):
    """The loss is the weight times the input."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs, data_samples, mode='loss'):
        return dict(loss_one=self.weight * torch.stack(list(inputs)).mean(), loss_two=self.weight.square())


def runner(work_dir, values=(1.0, 2.0, 3.0, 4.0), epochs=3, hooks=(StopOnBadNumbers.__name__,), **checkpoint):
    """A Runner over these inputs, one per step, with a checkpoint each epoch."""
    dataset = [dict(inputs=torch.tensor(value), data_samples=Sample(f'{i}.jpg')) for i, value in enumerate(values)]
    return Runner(
        Toy(), str(work_dir), train_cfg=dict(by_epoch=True, max_epochs=epochs),
        train_dataloader=dict(dataset=dataset, batch_size=1, num_workers=0, collate_fn=dict(type='pseudo_collate'),
                              sampler=dict(type='DefaultSampler', shuffle=False)),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)), log_level='ERROR', experiment_name=work_dir.name,
        default_hooks=dict(checkpoint=dict(type='WholeCheckpointHook', interval=1, **checkpoint)),
        custom_hooks=[dict(type=hook) for hook in hooks])
