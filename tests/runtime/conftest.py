"""Fixture that the tests of runs share."""
import copy
from types import SimpleNamespace

import pytest

from dmsca_mm.runtime import run


@pytest.fixture
def kept(monkeypatch):
    """Stop a run before it starts; return the config that it would run and store.

    Its attribute ``position`` is a function that returns the checkpoint that the run would resume from, or None.
    """
    class Stopped(Exception):
        pass

    runners = []

    def end():
        raise Stopped

    def stop(config):
        runners.append(SimpleNamespace(
            cfg=copy.deepcopy(config), _resume=config.get('resume', False), _load_from=config.get('load_from'),
            log_dir='', test_evaluator=SimpleNamespace(metrics=[]), dump_config=lambda: None, train=end, test=end))
        return runners[-1]
    monkeypatch.setattr(run.Runner, 'from_cfg', stop)
    monkeypatch.setattr(run.preflight, 'check_train', lambda *arguments: [])
    monkeypatch.setattr(run.preflight, 'check_test', lambda *arguments, **options: [])
    monkeypatch.setattr(run.preflight, 'check_training_state', lambda *arguments: None)

    def begin(function, *arguments, **options):
        with pytest.raises(Stopped):
            function(*arguments, **options)
        return runners[-1].cfg
    begin.position = lambda: runners[-1]._load_from if runners[-1]._resume else None
    return begin
