"""Statistics of batch norms in a checkpoint of several processes."""
import shutil

import noisy
import pytest
import torch
from processes import finished, started


@pytest.mark.slow
def test_two_processes_end_the_same_when_resumed_before_a_validation(tmp_path):
    """Their batch norms have seen other images; a validation averages the statistics, and so does a checkpoint."""
    command = 'loop="SameIterLoop"', 'validate=True', 'interval=30'
    code, output = finished(started([*noisy.IN_TWO, tmp_path / 'whole', *command]))
    assert code == 0, output
    (tmp_path / 'resumed').mkdir()
    shutil.copy(tmp_path / 'whole/iter_30.pth', tmp_path / 'resumed')
    code, output = finished(started([*noisy.IN_TWO, tmp_path / 'resumed', *command]))
    assert code == 0, output
    expected, found = (noisy.outcome(tmp_path / name) for name in ('whole', 'resumed'))
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
