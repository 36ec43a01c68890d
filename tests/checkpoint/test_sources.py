"""Weights from a path and from a URL use the same loader: weights only, hash checked, safetensors supported."""
import hashlib
import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from hostile import touching
from mmengine.runner import CheckpointLoader, load_checkpoint
from safetensors.torch import save_file

from dmsca_mm.checkpoint import sources
from dmsca_mm.errors import UsageError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder and its URL, with our loaders in mmengine; downloads go to a temporary folder."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    before = dict(CheckpointLoader._schemes)
    sources.install()
    folder = tmp_path / 'served'
    folder.mkdir()
    with ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f'http://127.0.0.1:{server.server_port}'
        server.shutdown()
    CheckpointLoader._schemes = before


def stored(folder, name='net-{hash}.pth', **more):
    """A checkpoint whose name holds its hash."""
    path = folder / 'any'
    torch.save(dict(state_dict=dict(weight=torch.arange(3.0)), **more), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return path.rename(folder / name.format(hash=digest))


def test_path_and_address_load_the_same(served):
    folder, address = served
    path = stored(folder)
    for name in (str(path), f'{address}/{path.name}'):
        found = CheckpointLoader.load_checkpoint(name, map_location='cpu')
        assert torch.equal(found['state_dict']['weight'], torch.arange(3.0))
    (folder / path.name).unlink()
    assert 'state_dict' in CheckpointLoader.load_checkpoint(f'{address}/{path.name}'), 'it was kept'


def test_wrong_hash_is_an_error_by_path_and_by_address(served):
    folder, address = served
    stored(folder, 'net-deadbeef.pth')
    for name in (str(folder / 'net-deadbeef.pth'), f'{address}/net-deadbeef.pth'):
        with pytest.raises(UsageError, match=r'is not what its name says.*not deadbeef'):
            CheckpointLoader.load_checkpoint(name)


def test_safetensors_file_goes_into_a_model(served):
    folder, _ = served
    save_file({'weight': torch.ones(1, 2), 'bias': torch.zeros(1)}, folder / 'net.safetensors')
    model = torch.nn.Linear(2, 1)
    load_checkpoint(model, str(folder / 'net.safetensors'))
    assert torch.equal(model.weight, torch.ones(1, 2))


def test_hostile_file_from_an_address_executes_nothing(served, tmp_path):
    folder, address = served
    path = stored(folder, extra=touching(tmp_path / 'executed'))
    with pytest.raises(UsageError, match='holds more than weights'):
        CheckpointLoader.load_checkpoint(f'{address}/{path.name}')
    assert not (tmp_path / 'executed').exists()


@pytest.mark.parametrize('prefix', ['torchvision', 'modelzoo', 'open-mmlab', 'openmmlab'])
def test_name_of_a_model_is_fetched_from_its_librarys_address(prefix, served, monkeypatch):
    folder, address = served
    path = stored(folder)
    monkeypatch.setattr(sources.model_zoo, '_table', lambda zoo: {'resnet50': f'{address}/{path.name}'})
    assert 'state_dict' in CheckpointLoader.load_checkpoint(f'{prefix}://resnet50')


@pytest.mark.parametrize('name', ['none.pth', 'http://127.0.0.1:9/none.pth'])
def test_what_cannot_be_fetched_is_one_line_and_leaves_no_file(name, served, tmp_path):
    _, address = served
    name = name if '://' in name else f'{address}/{name}'
    with pytest.raises(UsageError, match=r'could not be fetched \(.*\): fetch them by hand'):
        CheckpointLoader.load_checkpoint(name)
    assert not list((tmp_path / 'hub' / 'checkpoints').iterdir())


@pytest.mark.parametrize('name', ['net.pth', 'net-{hash}.pth'])
def test_a_download_that_breaks_off_is_not_kept(name, served, monkeypatch):
    folder, address = served
    path = stored(folder, name)
    content = path.read_bytes()
    path.write_bytes(content[:len(content) // 2])
    with pytest.raises(UsageError, match=r'were fetched and not kept, so that the next run fetches them again: check'):
        CheckpointLoader.load_checkpoint(f'{address}/{path.name}')
    path.write_bytes(content)
    assert 'state_dict' in CheckpointLoader.load_checkpoint(f'{address}/{path.name}')


def test_a_download_that_stalls_ends(served, monkeypatch):
    folder, address = served
    seen, download = [], torch.hub.download_url_to_file

    def watched(*given, **options):
        seen.append(socket.getdefaulttimeout())
        download(*given, **options)

    monkeypatch.setattr(torch.hub, 'download_url_to_file', watched)
    CheckpointLoader.load_checkpoint(f'{address}/{stored(folder).name}')
    assert seen == [sources.PATIENCE]
    assert socket.getdefaulttimeout() is None


def test_only_the_first_process_of_a_machine_downloads(served, monkeypatch):
    folder, address = served
    name = f'{address}/{stored(folder).name}'
    monkeypatch.setattr(sources.dist, 'is_initialized', lambda: True)
    monkeypatch.setattr(sources.dist, 'barrier', lambda: None)
    monkeypatch.setenv('LOCAL_RANK', '1')
    with pytest.raises(UsageError, match='does not exist'):
        CheckpointLoader.load_checkpoint(name)
    monkeypatch.setenv('LOCAL_RANK', '0')
    CheckpointLoader.load_checkpoint(name)
    monkeypatch.setenv('LOCAL_RANK', '1')
    assert 'state_dict' in CheckpointLoader.load_checkpoint(name)


def test_a_process_without_others_downloads_whatever_its_environment(served, monkeypatch):
    folder, address = served
    monkeypatch.setenv('LOCAL_RANK', '1')
    assert 'state_dict' in CheckpointLoader.load_checkpoint(f'{address}/{stored(folder).name}')
