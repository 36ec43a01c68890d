"""Images that break a training are named or skipped; unusual but complete ones are trained on."""
import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from PIL import Image
from torch.utils.data import DataLoader

from dmsca_mm.errors import ImageError
from dmsca_mm.runtime.transforms import images
from dmsca_mm.runtime.transforms.images import LoadWholeImage


def encoded(mode='RGB', size=(40, 30), form='JPEG', **options):
    random = np.random.default_rng(0)
    kind = np.uint16 if mode.startswith('I;16') else np.uint8
    bands = len(Image.new(mode, (1, 1)).getbands())
    values = random.integers(0, np.iinfo(kind).max, (size[1], size[0], bands), dtype=kind)
    picture = Image.fromarray(values[..., 0] if bands == 1 else values)
    file = io.BytesIO()
    (picture if picture.mode == mode else picture.convert(mode)).save(file, form, **options)
    return file.getvalue()


WHOLE = encoded()
HUGE = bytearray(encoded(form='PNG'))
HUGE[16:24] = (100_000).to_bytes(4, 'big') * 2  # width and height in the header
BAD = {
    'empty': (b'', 'is empty'),
    'cut JPEG': (WHOLE[:len(WHOLE) // 2], 'is cut short'),
    'JPEG without its end': (WHOLE[:-2], 'is cut short'),
    'cut PNG': (encoded(form='PNG')[:-20], 'is cut short'),
    'cut BMP': (encoded(form='BMP')[:40], 'no image that OpenCV can decode'),
    'text': (b'not found', 'no image that OpenCV can decode'),
    'zeros': (bytes(1000), 'no image that OpenCV can decode'),
    'one pixel': (encoded(size=(1, 1)), 'has 1×1 pixels'),
    'huge by its header': (bytes(HUGE), 'decode'),
}
UNUSUAL = {
    'grey': encoded('L'), 'alpha': encoded('RGBA', form='PNG'), '16 bit': encoded('I;16', form='PNG'),
    'palette': encoded('P', form='PNG'), 'CMYK': encoded('CMYK'), 'progressive': encoded(progressive=True),
    'another format than its name': encoded(form='PNG'), 'bytes behind the end': WHOLE + b'\0' * 100,
    'bytes behind the end of a PNG': encoded(form='PNG') + b'\0' * 100,
    'a video behind the end': WHOLE + b'ftyp\xff\xda' * 10,
}


@pytest.fixture
def load(tmp_path):
    def run(content, **options):
        path = tmp_path / 'image.jpg'
        path.write_bytes(content)
        return path, LoadWholeImage(**options)
    return run


@pytest.mark.parametrize('kind', BAD)
def test_bad_image_is_named(kind, load):
    content, reason = BAD[kind]
    path, loader = load(content)
    with pytest.raises(ImageError, match=reason) as caught:
        loader(dict(img_path=str(path)))
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('kind', UNUSUAL)
def test_unusual_image_loads_in_three_channels(kind, load):
    path, loader = load(UNUSUAL[kind], to_float32=True)
    found = loader(dict(img_path=str(path)))
    assert found['img'].shape == (30, 40, 3)
    assert found['img'].dtype == np.float32
    assert found['ori_shape'] == found['img_shape'] == (30, 40)


def test_whole_image_loads_as_mmcv_loads_it(load):
    from mmcv.transforms import LoadImageFromFile
    path, loader = load(WHOLE)
    np.testing.assert_array_equal(loader(dict(img_path=str(path)))['img'],
                                  LoadImageFromFile()(dict(img_path=str(path)))['img'])


def test_preview_in_a_cut_jpeg_does_not_make_it_whole():
    small = encoded(size=(8, 8))
    image = WHOLE[:2] + b'\xff\xe1' + (2 + len(small)).to_bytes(2, 'big') + small + WHOLE[2:]
    assert not images.is_cut_short(image)
    assert images.is_cut_short(image[:-10])


def test_missing_image_is_named(tmp_path):
    with pytest.raises(ImageError, match=r'none.jpg cannot be read \(No such file or directory\)'):
        LoadWholeImage()(dict(img_path=str(tmp_path / 'none.jpg')))


@pytest.mark.parametrize(('content', 'reason'), [
    (encoded('L', (40, 31), 'PNG'), 'has 40×31 pixels, its image 40×30'), (b'text', 'is no image'),
    (b'', 'label map .* is empty'), (encoded('L', form='PNG')[:-20], 'label map .* is cut short')])
def test_label_map_that_does_not_fit_is_named(content, reason, load, tmp_path):
    path, loader = load(WHOLE, check_label_map=True)
    labels = tmp_path / 'labels.png'
    labels.write_bytes(content)
    with pytest.raises(ImageError, match=reason) as caught:
        loader(dict(img_path=str(path), seg_map_path=str(labels)))
    assert 'labels.png' in str(caught.value)


def test_label_map_that_opencv_alone_reads_is_left_to_it(load, tmp_path):
    path, loader = load(WHOLE, check_label_map=True)
    cv2.imwrite(str(tmp_path / 'labels.tif'), np.zeros((30, 40), np.float64))
    assert loader(dict(img_path=str(path), seg_map_path=str(tmp_path / 'labels.tif'))) is not None


def test_large_label_map_is_no_error(load, tmp_path, monkeypatch):
    path, loader = load(WHOLE, check_label_map=True)
    (tmp_path / 'labels.png').write_bytes(encoded('L', form='PNG'))
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    assert loader(dict(img_path=str(path), seg_map_path=str(tmp_path / 'labels.png'))) is not None


def test_broken_chunk_is_an_error_of_the_image_with_pillow_too(load):
    content = bytearray(encoded(form='PNG'))
    content[content.index(b'IDAT') + 1] = 0xff
    path, loader = load(bytes(content), imdecode_backend='pillow')
    with pytest.raises(ImageError, match='cannot be decoded'):
        loader(dict(img_path=str(path)))


class Pictures(BaseDataset):
    """Images of a folder."""

    def load_data_list(self):
        return [dict(img_path=path) for path in sorted(map(str, self.data_root.iterdir()))]


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for number in range(6):
        (folder / f'{number}.jpg').write_bytes(BAD['cut JPEG'][0] if number < 2 else WHOLE)

    def made(**options):
        return Pictures(data_root=folder, pipeline=[LoadWholeImage(**options)])
    return made


def test_bad_images_are_replaced_without_a_record_where_the_pipeline_ignores_them(pictures, tmp_path):
    assert len(list(DataLoader(pictures(ignore_empty=True), collate_fn=list))) == 6
    assert not (tmp_path / images.SKIPPED).exists()


def test_error_of_a_data_worker_arrives_as_one_line(pictures):
    with pytest.raises(ImageError) as caught:
        list(DataLoader(pictures(), num_workers=1, collate_fn=list))
    assert '\n' not in str(caught.value)
    assert str(caught.value).startswith('image ')
    assert str(caught.value).endswith('is cut short')


def test_skipped_images_are_replaced_by_others_and_counted_once(pictures, tmp_path):
    noted = tmp_path / images.SKIPPED
    for _ in range(2):
        found = list(DataLoader(pictures(skipped=str(noted)), num_workers=2, collate_fn=list))
        assert len(found) == 6
        assert all(item['img'].shape == (30, 40, 3) for batch in found for item in batch)
    assert images.skipped(tmp_path) == 2
    assert all('is cut short' in line for line in noted.read_text().splitlines())


def test_a_bad_image_whose_name_is_not_utf_8_is_skipped_and_counted(tmp_path):
    path = os.fsdecode(bytes(tmp_path) + b'/m\xfcll.jpg')
    Path(path).write_bytes(b'text')
    assert LoadWholeImage(skipped=str(tmp_path / images.SKIPPED))(dict(img_path=path)) is None
    assert images.skipped(tmp_path) == 1


def test_install_reaches_every_pipeline_and_skips_in_training_alone():
    load = dict(type='LoadImageFromFile')
    config = Config(dict(
        work_dir='work', train_dataloader=dict(dataset=dict(type='Mix', dataset=dict(pipeline=[dict(load)]),
                                                            pipeline=[dict(type='Choice', transforms=[[dict(load)]])])),
        val_dataloader=dict(dataset=dict(pipeline=[dict(load, to_float32=True), dict(type='LoadAnnotations')])),
        test_dataloader=dict(dataset=dict(pipeline=[dict(load)])),
        custom_hooks=[dict(type='PipelineSwitchHook', switch_pipeline=[dict(load)]), dict(type='EMAHook')]))
    images.install(config, ('train', 'val'), skip=True)
    dataset, skipping = config.train_dataloader.dataset, dict(type='LoadWholeImage', skipped='work/skipped_images.txt')
    assert dataset.dataset.pipeline == [skipping]
    assert dataset.pipeline[0].transforms == [[skipping]]
    assert config.custom_hooks[0].switch_pipeline == [skipping]
    assert config.val_dataloader.dataset.pipeline[0] == dict(
        type='LoadWholeImage', to_float32=True, check_label_map=True)
    assert config.test_dataloader.dataset.pipeline == [load], 'the libraries\' inferencers look for it by name'
