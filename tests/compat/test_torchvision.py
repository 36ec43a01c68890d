"""A library that imports torchvision can be imported without it, and no stand-in for torchvision remains."""
import sys
from importlib.util import find_spec
from types import ModuleType

import pytest

from dmsca_mm.compat import torchvision
from dmsca_mm.compat.torchvision import stand_ins
from dmsca_mm.errors import UsageError


@pytest.fixture
def absent(monkeypatch):
    """Act as if torchvision were not installed."""
    for name in [name for name in sys.modules if name.partition('.')[0] == 'torchvision']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(torchvision, 'find_spec', lambda name: None)


def test_imports_work_inside_and_torchvision_is_gone_afterwards(absent):
    before = find_spec('torchvision')
    with stand_ins():
        import torchvision  # noqa: F401
        import torchvision.transforms.functional as F  # noqa: F401
        from torchvision import transforms
        from torchvision.transforms.transforms import InterpolationMode  # noqa: F401
        assert [name for name in dir(transforms) if name[0].isupper()] == []
    assert not [name for name in sys.modules if name.partition('.')[0] == 'torchvision']
    assert find_spec('torchvision') == before


def test_it_is_gone_after_an_error_too(absent):
    with pytest.raises(KeyError), stand_ins():
        raise KeyError
    assert 'torchvision' not in sys.modules


def test_an_entry_that_forbids_the_import_is_put_back(absent, monkeypatch):
    monkeypatch.setitem(sys.modules, 'torchvision', None)
    with stand_ins():
        import torchvision
        assert torchvision is not None
    assert sys.modules['torchvision'] is None


@pytest.mark.parametrize(('use', 'name'), [
    (lambda boxes, transforms: boxes.box_iou(1, 2), 'torchvision.ops.boxes.box_iou'),
    (lambda boxes, transforms: transforms.InterpolationMode.NEAREST, 'torchvision.transforms.InterpolationMode'),
    (lambda boxes, transforms: type('Mine', (transforms.RandomResizedCrop,), {})(224),
     'Mine: torchvision.transforms.RandomResizedCrop')])
def test_what_uses_it_says_so_in_one_line(use, name, absent):
    with stand_ins():
        from torchvision import transforms
        from torchvision.ops import boxes
    with pytest.raises(UsageError) as caught:
        use(boxes, transforms)
    assert str(caught.value).startswith(f'{name} needs torchvision, which is not installed')
    assert '\n' not in str(caught.value)


def test_an_installed_one_is_left_alone(monkeypatch):
    real = ModuleType('torchvision')
    monkeypatch.setitem(sys.modules, 'torchvision', real)
    monkeypatch.setattr(torchvision, 'find_spec', lambda name: object())
    with stand_ins():
        assert sys.modules['torchvision'] is real
    assert sys.modules['torchvision'] is real
