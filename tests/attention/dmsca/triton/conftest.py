"""Without a GPU, Triton's interpreter runs the kernels on CPU tensors."""
import warnings

import pytest
import torch

from dmsca_mm.attention.dmsca import op, triton


@pytest.fixture(autouse=True)
def _quiet():
    """Ignore numpy's warnings about pixels outside the map, which the interpreter computes but does not store."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', '.*encountered in', RuntimeWarning)
        yield


@pytest.fixture(autouse=True)
def _exact(monkeypatch):
    """Disable TF32, to which the reference would round the inputs of convolutions on a GPU."""
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


@pytest.fixture(scope='session')
def device():
    return 'cuda' if torch.cuda.is_available() else 'cpu'


@pytest.fixture
def used(monkeypatch):
    """Make the operator use these kernels for CPU tensors; return the shapes that they computed."""
    from dmsca_mm.attention.dmsca.triton import passes
    taken, attend = [], passes.attend

    def recorded(x, *arguments):
        taken.append(tuple(x.shape))
        return attend(x, *arguments)

    monkeypatch.setattr(op, 'cpu', triton)
    monkeypatch.setattr(passes, 'attend', recorded)
    return taken
