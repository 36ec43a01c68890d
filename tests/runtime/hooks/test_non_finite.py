"""A run with non-finite values ends with an error that names them, and never saves them."""
import pytest
import torch
import toy
from mmengine.optim import AmpOptimWrapper

from dmsca_mm.checkpoint.newest import newest
from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.hooks import non_finite


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), float('-inf')])
def test_bad_loss_stops_with_iteration_losses_and_images(bad, tmp_path):
    with pytest.raises(UsageError) as caught:
        toy.runner(tmp_path, (1.0, 2.0, bad, 4.0)).train()
    message = str(caught.value)
    assert 'iteration 3: loss ' in message
    assert f'loss_one {bad:.4g}, loss_two 0.8' in message
    assert 'images: 2.jpg. Nothing was saved since' in message
    assert not list(tmp_path.glob('*.pth'))


def test_good_checkpoint_outlives_bad_weights(tmp_path):
    training = toy.runner(tmp_path, epochs=2)
    training.train()
    good = (tmp_path / 'epoch_2.pth').read_bytes()
    with torch.no_grad():
        training.model.weight.fill_(float('nan'))
    with pytest.raises(UsageError, match='1 weights are not finite, such as weight; they were not saved'):
        training.save_checkpoint(str(tmp_path), 'epoch_2.pth')
    assert (tmp_path / 'epoch_2.pth').read_bytes() == good
    assert newest(tmp_path)[0] == str(tmp_path / 'epoch_2.pth')


def test_mixed_precision_skips_a_few_and_stops_at_many(tmp_path, monkeypatch):
    class Amp(AmpOptimWrapper):
        def __init__(self):
            pass

    training = toy.runner(tmp_path)
    training.optim_wrapper = Amp()
    warned = []
    monkeypatch.setattr(training.logger, 'warning', warned.append)
    hook, good, bad = non_finite.StopOnBadNumbers(), dict(loss=torch.ones(())), dict(loss=torch.tensor(float('inf')))
    batch = dict(data_samples=[toy.Sample(f'{i}.jpg') for i in range(10)])
    for _ in range(non_finite.PATIENCE - 1):
        hook.after_train_iter(training, 0, batch, bad)
    hook.after_train_iter(training, 0, batch, good)
    for _ in range(non_finite.PATIENCE - 1):
        hook.after_train_iter(training, 0, batch, bad)
    assert len(warned) == 2 * (non_finite.PATIENCE - 1)
    assert '6.jpg, 7.jpg, 2 more' in warned[0]
    with pytest.raises(UsageError, match='the loss is not finite'):
        hook.after_train_iter(training, 0, batch, bad)


def test_healthy_run_is_not_disturbed(tmp_path):
    with_hook, without = toy.runner(tmp_path / 'a'), toy.runner(tmp_path / 'b', hooks=())
    with_hook.train()
    without.train()
    assert torch.equal(with_hook.model.weight, without.model.weight)
