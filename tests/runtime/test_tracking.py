"""``--track``: the backend of a tracker, which continues its run if a training is resumed."""
import os
import sys
from types import SimpleNamespace

import pytest
from mmengine.config import Config

from dmsca_mm.errors import UsageError
from dmsca_mm.runtime import tracking


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Add a tracker to the config of a run as if its package were installed; return the backend."""
    monkeypatch.setattr(tracking, 'find_spec', lambda name: name)
    for name in ('WANDB_PROJECT', 'MLFLOW_TRACKING_URI', 'MLFLOW_EXPERIMENT_NAME'):
        monkeypatch.delenv(name, raising=False)

    def run(tracker, goes_on=False):
        config = Config(dict(work_dir=str(tmp_path), visualizer=dict(
            type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])))
        tracking.install(config, tracker, goes_on)
        assert config.visualizer.vis_backends[0].type == 'LocalVisBackend'
        config.dump(tmp_path / 'config.py')
        return config.visualizer.vis_backends[1].to_dict()
    return run


def test_tensorboard_needs_no_identity(installed):
    assert installed('tensorboard') == dict(type='TensorboardVisBackend')


def test_a_config_that_a_tracked_run_stored_has_one_backend_of_the_tracker(installed, tmp_path):
    installed('tensorboard')
    config = Config.fromfile(tmp_path / 'config.py')
    tracking.install(config, 'tensorboard', goes_on=False)
    assert [backend.type for backend in config.visualizer.vis_backends] == ['LocalVisBackend', 'TensorboardVisBackend']


def test_a_test_in_between_starts_no_new_run(installed, tmp_path):
    """It stores its own config, without the tracker, in the work directory."""
    first = installed('wandb')
    for run in ('20261128_000000', '20261129_000000'):
        (tmp_path / run / 'vis_data').mkdir(parents=True)
    (tmp_path / 'config.py').rename(tmp_path / '20261128_000000/vis_data/config.py')
    for path in (tmp_path / 'config.py', tmp_path / '20261129_000000/vis_data/config.py'):
        Config(dict(visualizer=dict(type='Visualizer'))).dump(path)
    assert installed('wandb', goes_on=True) == first


def test_run_of_wandb_is_new_unless_it_goes_on(installed):
    first, second = installed('wandb'), installed('wandb')
    assert first['init_kwargs']['id'] != second['init_kwargs']['id']
    assert installed('wandb', goes_on=True) == second
    assert second['init_kwargs']['resume'] == 'allow'


def test_mlflow_goes_on_in_the_run_with_its_tag(installed, monkeypatch, tmp_path):
    asked = {}

    def search_runs(**options):
        asked.update(options)
        return [SimpleNamespace(info=SimpleNamespace(run_id='abc'))]
    monkeypatch.setitem(sys.modules, 'mlflow', SimpleNamespace(
        search_runs=search_runs, set_tracking_uri=lambda where: asked.update(where=where)))
    monkeypatch.setenv('MLFLOW_RUN_ID', '')
    first = installed('mlflow')
    assert os.environ['MLFLOW_RUN_ID'] == ''
    assert first['tracking_uri'] == f'sqlite:///{tmp_path}/mlflow.db'
    assert installed('mlflow', goes_on=True) == first
    assert os.environ['MLFLOW_RUN_ID'] == 'abc'
    assert first['tags'][tracking.IDENTITY] in asked['filter_string']
    assert asked['where'] == first['tracking_uri']


def test_run_that_goes_on_without_an_earlier_part_is_new(installed):
    assert installed('wandb', goes_on=True)['init_kwargs']['id']


def test_missing_package_is_named_with_the_command(monkeypatch):
    monkeypatch.setattr(tracking, 'find_spec', lambda name: None)
    with pytest.raises(UsageError, match='--track wandb needs the package wandb: pip install wandb'):
        tracking.install(Config(dict(work_dir='w')), 'wandb', False)


def test_config_without_a_visualizer_is_refused():
    with pytest.raises(UsageError, match='--track needs a visualizer'):
        tracking.install(Config(dict(work_dir='w')), 'tensorboard', False)
