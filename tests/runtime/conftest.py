"""Fixture that the tests of runs share."""
import pytest

from dmsca_mm.runtime import run


@pytest.fixture
def kept(monkeypatch):
    """Stop a run before it starts; return the config that it would run."""
    class Stopped(Exception):
        pass

    configs = []

    def stop(config):
        configs.append(config)
        raise Stopped
    monkeypatch.setattr(run.Runner, 'from_cfg', stop)
    monkeypatch.setattr(run.preflight, 'check_train', lambda *arguments: [])
    monkeypatch.setattr(run.preflight, 'check_test', lambda *arguments, **options: [])
    monkeypatch.setattr(run.preflight, 'check_training_state', lambda *arguments: None)

    def begin(function, *arguments, **options):
        with pytest.raises(Stopped):
            function(*arguments, **options)
        return configs[-1]
    return begin
