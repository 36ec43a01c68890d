"""Valid arguments are normalized; dmsca/test_module.py tests the refused ones."""
from fractions import Fraction

import numpy as np
import pytest
import torch

from dmsca_mm.attention import DMSCA, checks


def test_numbers_of_any_kind_become_plain_ones():
    assert type(checks.positive_int('n', np.int64(3))) is int
    assert type(checks.positive_float('t', Fraction(1, 2))) is float
    assert checks.odd_ints('k', [1, np.int32(3)]) == (1, 3)


@pytest.mark.parametrize('value', [10 ** 400, Fraction(1, 10 ** 400), float('inf'), 0.0])
def test_a_number_that_is_no_positive_float_is_named(value):
    with pytest.raises(ValueError, match=r'temperature must be a finite float > 0, got '):
        DMSCA(8, temperature=value)


def test_feature_map_of_any_floating_point_type_passes():
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        checks.feature_map(torch.zeros(0, 2, 1, 1, dtype=dtype), 2)


@pytest.mark.parametrize('x', [None, [1.0], np.zeros((1, 2, 1, 1)), 'image'])
def test_what_is_no_tensor_is_refused_with_its_type(x):
    with pytest.raises(TypeError, match=rf'expected a Tensor of shape .*, got a value of type {type(x).__name__}'):
        DMSCA(2)(x)
