"""The names and addresses of published weights match mmengine's tables."""
import mmengine
import pytest

from dmsca_mm.checkpoint import model_zoo


@pytest.mark.parametrize(('name', 'expected'), [
    ('torchvision://resnet18', 'https://download.pytorch.org/models/resnet18-f37072fd.pth'),
    ('modelzoo://wide_resnet101_2', 'https://download.pytorch.org/models/wide_resnet101_2-32ee1156.pth'),
    ('open-mmlab://resnet50_v1c', '/pretrain/third_party/resnet50_v1c-2cccc1ad.pth'),
    ('openmmlab://resnet50_caffe',  # an old name, kept by mmengine
     '/pretrain/third_party/resnet50_caffe-788b5fa3.pth'),
    ('torchvision://resnet19', None), ('s3://resnet18', None), ('resnet18', None)])
def test_address_of_a_name(name, expected):
    found = model_zoo.address(name)
    if expected is None:
        assert found is None
    else:  # the libraries and their forks use different hosts
        assert found.startswith('https://')
        assert found.endswith(expected)


def test_name_is_unknown_only_where_the_table_is_complete():
    assert model_zoo.is_unknown('open-mmlab://resnet34_v1c')
    assert not any(map(model_zoo.is_unknown, ('open-mmlab://resnet18_v1c', 'torchvision://resnet50.imagenet1k_v2',
                                              'mmcls://resnet18', 's3://any', 'https://any.org/x.pth', 'x.pth')))


def test_every_backbone_that_is_named_has_an_address():
    """The tables may differ between versions of mmengine."""
    depths = {'ResNet': (18, 34, 50, 101, 152), 'ResNetV1c': (18, 50, 101), 'ResNeSt': (50, 101, 200)}
    names = [model_zoo.weights_of(dict(depth=depth), kind) for kind, numbers in depths.items() for depth in numbers]
    assert all(model_zoo.address(name).endswith('.pth') for name in names)


@pytest.mark.parametrize(('backbone', 'kind', 'expected'), [
    (dict(depth=50, base_channels=128, expansion=2), 'ResNet', 'torchvision://wide_resnet50_2'),
    (dict(depth=50, deep_stem=True), 'ResNet', 'open-mmlab://resnet50_v1c'),
    (dict(depth=50, groups=32, width_per_group=4), 'ResNeXt', 'torchvision://resnext50_32x4d'),
    (dict(depth=101, groups=64), 'ResNeXt', 'open-mmlab://resnext101_64x4d'),
    (dict(depth=101, groups=32, base_width=8), 'ResNeXt', 'torchvision://resnext101_32x8d'),
    (dict(depth=50, style='caffe'), 'ResNet', 'open-mmlab://detectron2/resnet50_caffe'),
    (dict(depth=50, base_channels=16), 'ResNet', None), (dict(depth=18, small_stem=True), 'ResNet', None),
    (dict(depth=50, norm_cfg=dict(type='GN')), 'ResNet', None), (dict(depth=50, avg_down=True), 'ResNet', None),
    (dict(depth=50), 'ResNetV1d', None), (dict(depth=34), 'ResNetV1c', None), (dict(), 'SwinTransformer', None)])
def test_weights_of_a_variant(backbone, kind, expected):
    assert model_zoo.weights_of(backbone, kind) == expected


def test_tables_of_the_installed_mmengine_are_read():
    table = mmengine.load(f'{mmengine.__path__[0]}/hub/torchvision_0.12.json')
    assert model_zoo.address('torchvision://resnet50') == table['resnet50']
    assert model_zoo.near('torchvision://resnet51')[0].removeprefix('torchvision://') in table
