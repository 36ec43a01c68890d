"""The kernels on CPU tensors, by Triton's interpreter, where there is no GPU."""
import warnings

import pytest
import torch

from dmsca_mm.attention.dmsca import op, triton


@pytest.fixture(autouse=True)
def _quiet():
    """numpy warns of pixels beside the map, which the interpreter computes and does not store."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', '.*encountered in', RuntimeWarning)
        yield


@pytest.fixture(autouse=True)
def _exact(monkeypatch):
    """What the kernels are compared with would round the inputs of convolutions on a GPU to TF32."""
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


@pytest.fixture(scope='session')
def device():
    return 'cuda' if torch.cuda.is_available() else 'cpu'


@pytest.fixture
def used(monkeypatch):
    """Lets the operator take these kernels for CPU tensors; gives the shapes that they took."""
    from dmsca_mm.attention.dmsca.triton import passes
    taken, attend = [], passes.attend

    def recorded(x, *arguments):
        taken.append(tuple(x.shape))
        return attend(x, *arguments)

    monkeypatch.setattr(op, 'cpu', triton)
    monkeypatch.setattr(passes, 'attend', recorded)
    return taken
