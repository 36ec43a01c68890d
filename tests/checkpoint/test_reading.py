"""Weights-only loading: mmengine's checkpoints load, and nothing in a file is executed."""
import os
import pickle
import shlex
import subprocess
import sys

import numpy as np
import pytest
import torch
from hostile import Calls
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

from dmsca_mm import checkpoint
from dmsca_mm.errors import UsageError


def test_training_history_loads(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    torch.save(dict(state_dict=dict(weight=torch.ones(2)), meta=dict(epoch=1, score=np.float64(0.5)),
                    message_hub=dict(log_scalars=dict(loss=history))), path)
    loaded = checkpoint.read(path)
    restored = loaded['message_hub']['log_scalars']['loss']
    assert restored.mean(2) == 2.0
    assert restored.statistics('max', 2) == 3.0
    assert loaded['meta']['score'] == 0.5
    assert torch.equal(loaded['state_dict']['weight'], torch.ones(2))


def hostile(marker):
    command = f'touch {shlex.quote(str(marker))}'
    return {
        'system': Calls(os.system, command),
        'getattr on a function': Calls(getattr, os.system, '__call__'),
        'eval': Calls(eval, f'__import__("os").system({command!r})'),
        'getattr on an allowed class': Calls(getattr, HistoryBuffer, '__init__'),
        'numpy object array': np.array([Calls(os.system, command)], dtype=object),
        'a process': Calls(subprocess.Popen, ['touch', str(marker)]),
        'numpy scalar of objects': Calls(np._core.multiarray.scalar, np.dtype(object), Calls(os.system, command)),
        'in place of a class': Calls(type, 'Any', (), {'__del__': os.system}),
        'nested': dict(meta=[dict(deep=(1, Calls(os.system, command)))]),
    }


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('kind', list(hostile('')))
def test_hostile_checkpoint_is_refused_and_runs_nothing(kind, zipped, tmp_path):
    marker, path = tmp_path / 'executed', tmp_path / 'bad.pth'
    torch.save(dict(state_dict={}, extra=hostile(marker)[kind]), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UsageError, match='holds more than weights') as caught:
        checkpoint.read(path)
    assert str(path) in str(caught.value)
    assert not marker.exists()


def test_hostile_text_that_mmengine_would_execute_on_resuming_is_left_out(tmp_path):
    """mmcv kept a run's config as ``meta['config']``; mmengine's Runner executes it to look for ``gpu_ids``."""
    path, marker = tmp_path / 'bad.pth', tmp_path / 'executed'
    text = f'gpu_ids = [__import__("os").system({f"touch {shlex.quote(str(marker))}"!r})]'
    torch.save(dict(state_dict={}, meta=dict(epoch=1, config=text)), path)
    Config.fromstring(text, '.py')
    assert marker.exists(), 'the text is executed'
    assert checkpoint.read(path)['meta'] == dict(epoch=1)


def test_the_hostile_files_above_would_run_without_the_guard(tmp_path):
    marker = tmp_path / 'executed'
    pickle.loads(pickle.dumps(hostile(marker)['system']))
    assert marker.exists()


def test_every_loader_of_the_process_is_guarded(tmp_path):
    marker, path = tmp_path / 'executed', tmp_path / 'bad.pth'
    torch.save(hostile(marker)['system'], path)
    checkpoint.load_weights_only()
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=False)
    assert not marker.exists()


def test_importing_the_package_allows_a_training_and_nothing_hostile(tmp_path):
    """As in a tool of mmdet or mmseg whose config imports the package."""
    marker = tmp_path / 'executed'
    training = dict(loss=HistoryBuffer([1.0, 3.0], [1, 1]), score=np.float64(0.5), box=np.ones(3, np.float32))
    for name, content in {**hostile(marker), 'training': training}.items():
        torch.save(content, tmp_path / f'{name}.pth')
    code = """if True:
        import dmsca_mm, pathlib, pickle, sys, torch
        for path in sorted(pathlib.Path(sys.argv[1]).glob('*.pth')):
            try:
                print('loaded', path.stem, torch.load(path)['loss'].mean(2))
            except pickle.UnpicklingError:
                print('refused', path.stem)"""
    finished = subprocess.run([sys.executable, '-c', code, tmp_path], capture_output=True, text=True, timeout=100)
    expected = [f'refused {name}' for name in sorted(hostile(''))] + ['loaded training 2.0']
    assert sorted(finished.stdout.splitlines()) == sorted(expected), finished.stderr
    assert not marker.exists()


@pytest.mark.parametrize('content', [b'', b'hello', b'PK\x03\x04', b'\x80\x02'])
def test_what_is_no_checkpoint_is_named(content, tmp_path):
    path = tmp_path / 'broken.pth'
    path.write_bytes(content)
    with pytest.raises(UsageError, match='is cut short or is no checkpoint') as caught:
        checkpoint.read(path)
    assert str(path) in str(caught.value)


def test_what_hinders_reading_is_not_taken_for_a_truncated_file(tmp_path, monkeypatch):
    (tmp_path / 'net.safetensors').touch()
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    with pytest.raises(UsageError, match=r'net\.safetensors needs the package safetensors: pip install'):
        checkpoint.read(tmp_path / 'net.safetensors')


@pytest.mark.parametrize('share', [0.1, 0.5, 0.9, 0.999])
def test_cut_checkpoint_is_named(share, tmp_path):
    path = tmp_path / 'cut.pth'
    torch.save(dict(state_dict=dict(weight=torch.randn(1000))), path)
    path.write_bytes(path.read_bytes()[:int(share * path.stat().st_size)])
    with pytest.raises(UsageError, match='cut short'):
        checkpoint.read(path)


def test_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(UsageError, match='does not exist'):
        checkpoint.read(tmp_path / 'none.pth')


def test_seed_is_that_of_the_run_and_bare_weights_have_none(tmp_path):
    torch.save(dict(state_dict={}, optimizer={}, message_hub={},
                    meta=dict(seed=7, iter=1, epoch=1)), tmp_path / 'complete.pth')
    assert checkpoint.seed(tmp_path / 'complete.pth') == 7
    torch.save(dict(state_dict={}, meta={}), tmp_path / 'bare.pth')
    with pytest.raises(UsageError, match=r'bare.pth holds no training state to resume \(no optimizer\): start a '
                                         r'new run from its weights with --cfg-options load_from='):
        checkpoint.seed(tmp_path / 'bare.pth')


@pytest.mark.parametrize(('name', 'good'), [
    ('epoch_1.pth', True), ('net_20200130.pth', True), ('net-20200130.pth', True), ('net-0676ba61.pth', False),
    ('net_1x_coco_20200130-047c8118.pth', False), ('net-1732834567.pth', True), ('net-abc.pth', True)])
def test_hash_in_a_name_is_checked_and_digits_alone_are_none(name, good, tmp_path):
    torch.save(dict(state_dict={}), tmp_path / name)
    if good:
        assert checkpoint.read(tmp_path / name) == dict(state_dict={})
    else:
        with pytest.raises(UsageError, match='is not what its name says: its SHA-256 begins with'):
            checkpoint.read(tmp_path / name)


def test_safetensors_file_is_a_state_dict_and_a_broken_one_is_named(tmp_path):
    path = tmp_path / 'net.safetensors'
    save_file({'weight': torch.ones(2)}, path)
    assert torch.equal(checkpoint.read(path)['state_dict']['weight'], torch.ones(2))
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(UsageError, match=r'net.safetensors \(20 bytes\) is cut short or is no checkpoint'):
        checkpoint.read(path)
