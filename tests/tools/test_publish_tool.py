"""A published model opens with its config like the original checkpoint."""
import pytest
import torch
from commands import assert_one_line

from dmsca_mm.analysis.inference import open_model


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_published_model_is_the_model(call_here, untrained, suffix, tmp_path):
    config, weights = untrained('detector')
    finished = call_here('publish_model.py', weights, f'digits{suffix}')
    assert finished.returncode == 0, finished.stderr
    published = tmp_path / finished.stdout.strip()
    assert published.is_file()
    before, after = (open_model(config, str(path))[1].state_dict() for path in (weights, published))
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_missing_checkpoint_is_one_line(call_here):
    assert_one_line(call_here('publish_model.py', 'nothing.pth', 'model.pth'), 'nothing.pth', 'does not exist')
