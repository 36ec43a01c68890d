"""A config is read by path or by its name in a library; a config that cannot be read is a one-line error."""
import sys

import pytest
from mmengine.config import Config
from mmengine.utils import package_utils

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime import config as configs
from dmsca_mm.runtime.config import default_work_dir, load_config

RETINANET = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'


def test_published_config_is_read_by_name_and_by_path_alike():
    by_name = load_config(RETINANET)
    assert load_config(by_name.filename).model.to_dict() == by_name.model.to_dict()


def test_options_override():
    assert load_config(RETINANET, {'model.bbox_head.num_classes': 3}).model.bbox_head.num_classes == 3


def test_an_option_that_nothing_reads_is_refused_if_it_resembles_one_that_is_read():
    with pytest.raises(UsageError, match=r'--cfg-options load_form: nothing reads load_form; did you mean load_from\?'):
        load_config(RETINANET, dict(load_form='plain.pth'))
    with pytest.raises(UsageError, match=r'did you mean train_dataloader\?'):
        load_config(RETINANET, {'train_dataloder.batch_size': 4})
    assert load_config(RETINANET, dict(auto_scale_lr=None, of_my_own=3)).of_my_own == 3


def test_config_that_fails_is_one_error(tmp_path):
    (tmp_path / 'bad.py').write_text('model = dict(\n')
    with pytest.raises(UsageError, match=r'bad\.py cannot be read: SyntaxError'):
        load_config(str(tmp_path / 'bad.py'))


def test_modules_that_an_option_names_are_imported(tmp_path, monkeypatch):
    (tmp_path / 'module_of_an_option.py').write_text('')
    monkeypatch.syspath_prepend(tmp_path)
    load_config(RETINANET, {'custom_imports.imports': ['module_of_an_option']})
    assert 'module_of_an_option' in sys.modules
    with pytest.raises(UsageError, match=r'cannot be read: ImportError: .*no_such_module'):
        load_config(RETINANET, {'custom_imports.imports': ['no_such_module']})


def test_no_temporary_folder_is_one_error(tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile._candidate_tempdir_list', lambda: [str(tmp_path / 'none')])
    monkeypatch.setattr('tempfile.tempdir', None)
    with pytest.raises(UsageError, match=r'no temporary folder to write into .*: name one in TMPDIR'):
        load_config(RETINANET)


def test_library_that_is_not_there_is_named_and_not_installed(monkeypatch):
    monkeypatch.setattr(package_utils, 'call_command', lambda command: pytest.fail(' '.join(command)))
    with pytest.raises(UsageError, match='mmaction is not installed: run "pip install mmaction2"'):
        load_config('mmaction::recognition/tsn/tsn_r50.py')


def test_library_that_only_a_comment_names_is_not_required(tmp_path):
    (tmp_path / 'config.py').write_text('# as in mmaction::tsn.py\nmodel = dict(backbone=dict(type="A"))\n')
    assert load_config(str(tmp_path / 'config.py')).model.backbone.type == 'A'


def test_backbone_without_plugins_gets_no_such_key():
    config = load_config('mmdet::hrnet/faster-rcnn_hrnetv2p-w18-1x_coco.py')
    assert 'plugins' not in config.model.backbone


@pytest.mark.parametrize('name', ['mmdet::retinanet/a.py', 'configs/a.py', 'a.py'])
def test_results_of_a_config_lie_in_a_folder_of_its_name(name):
    assert str(default_work_dir(name)) == 'work_dirs/a'


def test_what_a_runner_would_give_the_model_is_there_for_every_tool():
    config = load_config('mmpretrain::resnet/resnet18_8xb32_in1k.py')
    assert config.model.data_preprocessor.mean == [123.675, 116.28, 103.53]


def test_a_library_that_a_backbone_is_of_is_required(monkeypatch, repository):
    asked = []
    monkeypatch.setattr('dmsca_mm.compat.requirements.require', lambda *libraries: asked.extend(libraries))
    load_config(str(repository / 'configs/pretrain/resnet18_dmsca_cifar10.py'))
    assert set(asked) == {'mmpretrain', 'mmdet'}


@pytest.mark.parametrize('wrapped', [lambda inner: inner, lambda inner: dict(type='RepeatDataset', dataset=inner),
                                     lambda inner: dict(type='ConcatDataset', datasets=[inner, dict(pipeline=[])])])
def test_test_pipeline_is_found_as_mmdet_finds_it(wrapped):
    from mmdet.utils import get_test_pipeline_cfg
    steps = [dict(type='LoadImageFromFile')]
    config = Config(dict(test_dataloader=dict(dataset=wrapped(dict(type='CocoDataset', pipeline=steps)))))
    assert configs.test_pipeline(config) == get_test_pipeline_cfg(config) == steps


def test_config_without_test_data_has_an_empty_test_pipeline():
    assert configs.test_pipeline(Config()) == []
