"""A traceback leads to the config entry that caused the exception."""
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import MODELS, PARAM_SCHEDULERS
from torch.utils.data import DataLoader

from dmsca_mm.attention import DMSCA
from dmsca_mm.errors import UsageError
from dmsca_mm.failures import blame, readable_errors


def caught(function):
    try:
        function()
    except Exception as error:
        return error, blame.frames_of(error)
    raise AssertionError('no exception')


def test_error_of_a_library_is_a_refusal_and_of_the_users_own_module_is_not():
    def own():
        raise KeyError('mine')
    _, frames = caught(lambda: BaseDataset(metainfo=3))
    assert frames[-1].package == 'mmengine'
    assert blame.is_refusal(frames, of_a_user=False)
    _, frames = caught(own)
    assert not blame.is_refusal(frames, of_a_user=False)
    assert blame.is_refusal(frames, of_a_user=True)


def test_check_of_this_package_is_a_refusal_and_a_mishap_in_it_is_a_bug(monkeypatch):
    _, frames = caught(lambda: DMSCA(8)(torch.ones(1, 4, 2, 2)))
    assert blame.is_refusal(frames, of_a_user=False)
    monkeypatch.setattr('dmsca_mm.attention.dmsca.op.attend', None)
    _, frames = caught(lambda: DMSCA(8)(torch.ones(1, 8, 2, 2)))
    assert not blame.is_refusal(frames, of_a_user=True)


def test_entry_at_work_is_named_by_path_and_type():
    config = Config(dict(model=dict(type='Detector', neck=dict(type='DMSCA', in_channels=8, reduction=0))))
    error, frames = caught(lambda: MODELS.build(config.model.neck))
    assert blame.part_of(frames, config) == 'model.neck (DMSCA)'
    assert blame.part_of(frames, None) is None
    assert blame.what(error, frames).startswith('ValueError: reduction must be an int >= 1, got 0')


def test_bare_assertion_is_told_by_its_source():
    weight = torch.optim.SGD([torch.ones((), requires_grad=True)], lr=1)
    error, frames = caught(lambda: PARAM_SCHEDULERS.build(dict(
        type='CosineRestartLR', optimizer=weight, periods=[3], eta_min=0, eta_min_ratio=0.1)))
    assert blame.what(error, frames) == 'AssertionError: assert (eta_min is None) ^ (eta_min_ratio is None)'


class Bad(BaseDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.get_data_info(index)


def test_error_in_a_data_worker_is_that_of_the_library_there():
    loader = DataLoader(Bad(ann_file='none.json', lazy_init=True), num_workers=1, collate_fn=list)
    error, frames = caught(lambda: next(iter(loader)))
    assert frames[-1].line > 0
    assert blame.is_refusal(frames, of_a_user=False)
    assert blame.what(error, frames).startswith('FileNotFoundError: ')


class Transform:
    """A step of a pipeline that fails."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise KeyError('scale')


def test_entry_at_work_in_a_data_worker_is_named():
    _, frames = caught(lambda: next(iter(DataLoader(Transform(), num_workers=1))))
    config = dict(val_dataloader=dict(dataset=dict(pipeline=[dict(type='Transform')])))
    assert blame.part_of(frames, config) == 'val_dataloader.dataset.pipeline.0 (Transform)'


def test_traceback_of_a_run_is_kept(tmp_path):
    words = rf'ended the run: TypeError.*the traceback is in {tmp_path}/traceback_0\.txt'
    with pytest.raises(UsageError, match=words), readable_errors(None, tmp_path):
        BaseDataset(metainfo=3)
    assert 'Traceback (most recent call last)' in (tmp_path / 'traceback_0.txt').read_text()
