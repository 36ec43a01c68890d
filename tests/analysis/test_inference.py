"""A trained model outside a run: all weights are loaded, and images are prepared as in a test."""
import pytest
import torch
from mmdet.apis import inference_detector, init_detector

from dmsca_mm.analysis.inference import Images, open_model
from dmsca_mm.errors import ImageError, UsageError


def test_detector_finds_what_mmdet_finds(untrained, digits):
    name, weights = untrained('detector')
    paths = sorted(map(str, (digits / 'images/validation').glob('*')))[:2]
    config, model = open_model(name, weights)
    with torch.no_grad():
        found = model.test_step(Images(config).batch(paths))
    theirs = inference_detector(init_detector(name, weights, device='cpu'), paths)
    for ours, other in zip(found, theirs, strict=True):
        assert len(ours.pred_instances) > 0
        torch.testing.assert_close(ours.pred_instances.bboxes, other.pred_instances.bboxes)
        torch.testing.assert_close(ours.pred_instances.scores, other.pred_instances.scores)
    assert model.dataset_meta['classes'] == tuple('0123456789')
    assert not model.backbone.layer1[0].training


def test_segmenter_gives_a_label_for_each_pixel_of_the_image(untrained, digits):
    config, model = open_model(*untrained('segmenter'))
    path = next((digits / 'images/validation').glob('*'))
    with torch.no_grad():
        found, = model.test_step(Images(config).batch([path]))
    assert found.pred_sem_seg.data.shape == (1, 160, 160)
    assert model.dataset_meta['classes'][0] == 'background'


@pytest.mark.parametrize(('plugin', 'difference'), [
    ('none', r'has \d+ tensor\(s\) that the model lacks'), ('se', r'lacks \d+ tensor')])
def test_checkpoint_of_another_config_is_refused(plugin, difference, untrained):
    name, weights = untrained('detector')
    with pytest.raises(UsageError, match=rf'is not of .*faster_rcnn.*: it {difference}'):
        open_model(name, weights, plugin=plugin)


def test_checkpoint_of_another_width_is_refused(untrained):
    name, weights = untrained('detector')
    with pytest.raises(UsageError, match=r'has \d+ tensor\(s\) in another shape'):
        open_model(name, weights, {'model.rpn_head.feat_channels': 32})


def test_the_checkpoint_that_the_training_began_with_may_be_gone(untrained):
    config, _ = open_model(*untrained('detector'), {'load_from': 'interrupted.pth'})
    assert config.load_from is None


@pytest.mark.parametrize(('palette', 'expected'), [
    ((220, 20, 60), ((220, 20, 60),) * 10), ('random', ()), ([[1, 2, 3]] * 10, ((1, 2, 3),) * 10), ((), ())])
def test_colours_are_one_for_each_class_or_none(palette, expected, untrained, tmp_path):
    config, weights = untrained('detector')
    meta = dict(dataset_meta=dict(classes=tuple('0123456789'), palette=palette))
    torch.save(dict(torch.load(weights), meta=meta), tmp_path / 'other.pth')
    assert open_model(config, str(tmp_path / 'other.pth'))[1].dataset_meta['palette'] == expected


def test_image_that_cannot_be_read_is_named(untrained, tmp_path):
    config, _ = open_model(*untrained('detector'))
    (tmp_path / 'half.jpg').write_bytes(b'\xff\xd8\xff\xda')
    for name, words in (('half.jpg', 'is cut short'), ('none.jpg', 'cannot be read')):
        with pytest.raises(ImageError, match=f'{name}.*{words}'):
            Images(config).batch([tmp_path / name])


def test_config_without_a_test_pipeline_is_refused(untrained):
    config, _ = open_model(*untrained('detector'))
    config.pop('test_dataloader')
    with pytest.raises(UsageError, match='no test_dataloader with a pipeline'):
        Images(config)


def test_weights_trained_with_another_range_of_the_gates_are_refused(untrained, tmp_path):
    name, weights = untrained('detector')
    stored = "model = dict(backbone=dict(plugins=[dict(cfg=dict(type='DMSCA', init='paper'))]))"
    torch.save(dict(torch.load(weights), meta=dict(cfg=stored)), tmp_path / 'paper.pth')
    with pytest.raises(UsageError, match="of init='paper', and the config has DMSCA of init='identity'"):
        open_model(name, str(tmp_path / 'paper.pth'))
    open_model(name, str(tmp_path / 'paper.pth'), plugin='dmsca_paper')
