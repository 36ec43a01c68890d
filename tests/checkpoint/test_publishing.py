"""A published checkpoint holds the model without its training state, with its hash in its name."""
import pytest
import torch

from dmsca_mm import checkpoint
from dmsca_mm.checkpoint.publishing import publish
from dmsca_mm.errors import UsageError


@pytest.fixture
def trained(tmp_path):
    """A checkpoint as mmengine saves it, of a small network with momentum and history."""
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    path = tmp_path / 'epoch_3.pth'
    torch.save(dict(state_dict=net.state_dict(), optimizer=optimizer.state_dict(), message_hub=dict(log_scalars={}),
                    param_schedulers=[], meta=dict(seed=0, dataset_meta=dict(classes=('cat', 'dog')))), path)
    return path


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_published_file_holds_the_weights_and_its_own_hash(trained, suffix, tmp_path):
    made = publish(trained, tmp_path / f'out/cats{suffix}')
    assert made.parent == tmp_path / 'out'
    assert made.name == f'cats-{checkpoint.sha256(made)[:8]}{suffix}'
    before, after = checkpoint.read(trained), checkpoint.read(made)
    assert set(after) == ({'state_dict', 'meta'} if suffix == '.pth' else {'state_dict'})
    assert after['state_dict'].keys() == before['state_dict'].keys()
    assert all(torch.equal(after['state_dict'][name], value) for name, value in before['state_dict'].items())
    if suffix == '.pth':
        assert after['meta'] == before['meta']


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_same_weights_give_the_same_file_whatever_they_were_read_from(trained, suffix, tmp_path):
    first = publish(trained, tmp_path / f'a/model{suffix}')
    again = publish(first, tmp_path / f'b/model{suffix}')
    assert again.name == first.name
    assert again.read_bytes() == first.read_bytes()


def test_changed_file_is_refused_by_its_name(trained, tmp_path):
    made = publish(trained, tmp_path / 'model.pth')
    made.write_bytes(made.read_bytes()[:-1] + b'?')
    with pytest.raises(UsageError, match='is not what its name says'):
        checkpoint.read(made)


def test_part_of_a_large_tensor_does_not_bring_the_rest_along(tmp_path):
    torch.save(dict(state_dict=dict(weight=torch.zeros(1_000_000)[:10])), tmp_path / 'view.pth')
    assert publish(tmp_path / 'view.pth', tmp_path / 'small.pth').stat().st_size < 10_000


@pytest.mark.parametrize(('content', 'out', 'words'), [
    (dict(state_dict={}), 'model.pth', ['in.pth', 'holds no weights']),
    (dict(epoch=3), 'model.pth', ['in.pth', 'holds no weights']),
    (dict(state_dict=dict(w=torch.zeros(1))), 'model.onnx', ['model.onnx', '.pth or .safetensors']),
    (None, 'model.pth', ['in.pth', 'does not exist'])])
def test_what_cannot_be_published_is_named_and_nothing_is_written(content, out, words, tmp_path):
    if content is not None:
        torch.save(content, tmp_path / 'in.pth')
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError) as caught:
        publish(tmp_path / 'in.pth', tmp_path / out)
    assert all(word in str(caught.value) for word in words)
    assert sorted(tmp_path.iterdir()) == before
