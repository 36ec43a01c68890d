"""A config and a checkpoint give figures, and a mistake leaves no files behind."""
import pytest

from dmsca_mm.analysis.attention_maps import showing
from dmsca_mm.analysis.attention_maps.showing import show_attention
from dmsca_mm.errors import ImageError, UsageError


def test_models_are_side_by_side_in_one_figure(untrained, image, tmp_path):
    first, plain = untrained('detector'), untrained('detector', 'none')
    drawn = []

    def keep(picture, cams, title):
        drawn.extend(cams)
        return original(picture, cams, title)
    original = showing.figures.cam_figure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(showing.figures, 'cam_figure', keep)
        plain_config = tmp_path / 'plain.py'
        plain_config.write_text(f"_base_ = {plain[0]!r}\nmodel = dict(backbone=dict(plugins=None))\n")
        figure, = show_attention(*first, [image], str(tmp_path / 'out'), beside=[(str(plain_config), plain[1])])
    assert figure.name.endswith('.grad_cam.png')
    assert figure.exists()
    assert len({cam.model for cam in drawn}) == 2


@pytest.mark.parametrize(('options', 'words'), [
    (dict(stages=[5]), 'stage 5 has no map: choose from 1, 2, 3, 4'),
    (dict(plugin='none', weights='none'), 'has no DMSCA in its backbone.*--grad-cam'),
    (dict(weights='none'), 'is not of'),
    (dict(twice=True), 'have the same name')])
def test_mistakes_are_named_and_nothing_is_written(options, words, untrained, image, tmp_path):
    config, weights = untrained('detector')
    if options.pop('weights', None):
        weights = untrained('detector', 'none')[1]
    images = [image] * (1 + options.pop('twice', False))
    with pytest.raises(UsageError, match=words):
        show_attention(config, weights, images, str(tmp_path / 'out'), **options)
    assert not (tmp_path / 'out').exists()


def test_image_that_cannot_be_read_is_named_before_any_figure(untrained, image, tmp_path):
    with pytest.raises(ImageError, match=r'none\.jpg cannot be read'):
        show_attention(*untrained('detector'), [image, str(tmp_path / 'none.jpg')], str(tmp_path / 'out'))
    assert not (tmp_path / 'out').exists()
