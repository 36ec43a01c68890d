"""The operator's arguments by name."""
import pytest
import torch

from dmsca_mm import DMSCA
from dmsca_mm.attention.dmsca.signature import Parameters


@pytest.mark.parametrize('kernel_sizes', [(3, 5, 7), (1,)])
def test_parameters_come_back_in_their_places(kernel_sizes):
    parameters = DMSCA(8, kernel_sizes=kernel_sizes).operator_arguments()
    again = parameters.nest(parameters.flat())
    assert again == parameters
    assert len(parameters.flat()) == len(list(DMSCA(8, kernel_sizes=kernel_sizes).parameters()))
    assert parameters._replace(gce_fc1_weight=None) != parameters


def test_every_parameter_of_the_module_is_an_argument_under_its_own_name():
    module = DMSCA(8)
    state = dict(module.named_parameters())
    for name, value in zip(Parameters._fields, module.operator_arguments(), strict=True):
        entries = value if isinstance(value, list) else [value]
        for index, tensor in enumerate(entries):
            own = name.replace('convs_', f'convs_{index}_')
            assert state.pop(next(key for key in state if key.replace('.', '_') == own)) is tensor
    assert not state


@pytest.mark.parametrize(('x', 'parameters', 'expected'), [
    (torch.float32, torch.float32, torch.float32), (torch.bfloat16, torch.float32, torch.float32),
    (torch.bfloat16, torch.bfloat16, torch.float32), (torch.float64, torch.float32, torch.float64)])
def test_what_is_small_is_computed_in_single_precision_at_least(x, parameters, expected):
    module = DMSCA(4).to(parameters)
    assert module.operator_arguments().stats_dtype(torch.empty(1, 4, 1, 1, dtype=x)) is expected


def test_a_parameter_of_another_type_is_left_for_pytorch_to_refuse():
    module = DMSCA(4).bfloat16()
    module.gce.fc2.double()
    converted = module.operator_arguments().to(torch.float32)
    assert converted.gce_fc1_weight.dtype is torch.float32
    assert converted.gce_fc2_weight.dtype is torch.float64
