"""Objects come from the annotations, every kind of map is measured, and a mistake leaves no files behind."""
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dmsca_mm.analysis.alignment import measuring
from dmsca_mm.analysis.alignment.numbers import score
from dmsca_mm.datasets.composing import BACKGROUND_LABEL
from dmsca_mm.errors import UsageError
from dmsca_mm.runtime.config import load_config

CLASSES = dict(detector=tuple('0123456789'), segmenter=('background', *'0123456789'))


@pytest.fixture
def options(digits):
    return {'test_dataloader.dataset.data_root': f'{digits}/',
            'test_evaluator.ann_file': f'{digits}/annotations/instances_validation.json'}


def annotated(kind, untrained, options, **arguments):
    return measuring.Annotated(load_config(untrained(kind)[0], options), CLASSES[kind], **arguments)


def test_data_of_a_classifier_are_refused(untrained):
    with pytest.raises(UsageError, match='is of a classifier, whose data have no boxes'):
        measuring.Annotated(load_config(untrained('classifier')[0]), CLASSES['detector'])


def test_boxes_are_objects(untrained, options, digits):
    data = annotated('detector', untrained, options)
    content = json.loads((digits / 'annotations/instances_validation.json').read_text())
    for place, image in enumerate(content['images']):
        path, objects = data.image(place)
        assert path.endswith(image['file_name'])
        boxes = [entry['bbox'] for entry in content['annotations'] if entry['image_id'] == image['id']]
        for (x, y, width, height), mask in zip(boxes, objects.masks, strict=True):
            assert mask.sum() == round(width) * round(height)
            assert mask[y, x]
            assert not mask[y - 1, x]


def test_connected_areas_of_a_label_map_are_objects(untrained, options, digits):
    data = annotated('segmenter', untrained, options)
    for place in range(len(data)):
        path, objects = data.image(place)
        image = Path(path)
        labels = np.asarray(Image.open(digits / 'annotations' / image.parent.name / f'{image.stem}.png'))
        assert np.array_equal(objects.masks.any(0), labels > BACKGROUND_LABEL)
        assert np.array_equal(objects.ignored, labels == 0)
        assert all(len(np.unique(labels[mask])) == 1 for mask in objects.masks)


def test_sizes_of_images_may_be_written_as_decimals(untrained, options, digits, tmp_path):
    data = shutil.copytree(digits, tmp_path / 'digits')
    annotations = data / 'annotations/instances_validation.json'
    content = json.loads(annotations.read_text())
    for image in content['images']:
        image.update(width=float(image['width']), height=float(image['height']))
    annotations.write_text(json.dumps(content))
    _, objects = annotated('detector', untrained, {'test_dataloader.dataset.data_root': f'{data}/',
                                                   'test_evaluator.ann_file': str(annotations)}).image(0)
    assert objects.ignored.shape == (160, 160)


def test_image_without_a_label_map_is_named(untrained, options):
    loaded = {'test_dataloader.dataset.data_prefix.seg_map_path': 'none', 'test_dataloader.dataset.pipeline': [
        dict(type='LoadImageFromFile'), dict(type='Resize', scale=(160, 160)), dict(type='PackSegInputs')]}
    with pytest.raises(UsageError, match=r'image .* has no label map'):
        annotated('segmenter', untrained, {**options, **loaded}).image(0)


def test_classes_that_are_not_chosen_count_neither_way(untrained, options, digits):
    every = annotated('detector', untrained, options)
    content = json.loads((digits / 'annotations/instances_validation.json').read_text())
    chosen = str(content['annotations'][0]['category_id'] - 1)
    some = annotated('detector', untrained, options, chosen=[chosen])
    count = sum(len(some.image(place)[1].masks) for place in range(len(some)))
    assert count == sum(entry['category_id'] == int(chosen) + 1 for entry in content['annotations'])
    for place in range(len(some)):
        masks, ignored = some.image(place)[1]
        assert np.array_equal(masks.any(0) | ignored, every.image(place)[1].masks.any(0))


def test_every_map_is_measured_at_every_stage(untrained, options, tmp_path):
    plain = untrained('detector', 'none')
    config = tmp_path / 'plain.py'
    config.write_text(f"_base_ = {plain[0]!r}\nmodel = dict(backbone=dict(plugins=None))\n")
    rows = measuring.measure_alignment(*untrained('detector'), str(tmp_path / 'out'), beside=[(str(config), plain[1])],
                                       images=2, cfg_options=options)
    every = {(row['map'], row['stage']) for row in rows if row['size'] == 'all'}
    kinds = ('total', 'total, other image', 'departure', 'departure, other image', 'spatial gate',
             'activation', 'Grad-CAM', 'Grad-CAM, other image')
    assert every == {(kind, stage) for kind in kinds for stage in (1, 2, 3, 4)}
    assert len({row['model'] for row in rows}) == 2
    assert {row['map'] for row in rows if row['model'] == rows[-1]['model']} == {'Grad-CAM', 'Grad-CAM, other image'}
    # The identity initialization multiplies every pixel by 1: a flat map scores at chance.
    flat = [row for row in rows if row['map'] == 'total']
    assert all(row[name] == pytest.approx(row['area']) for row in flat for name in ('pointing', 'energy', 'precision'))
    assert json.loads((tmp_path / 'out/alignment.json').read_text())['rows'] == rows
    assert Image.open(tmp_path / 'out/alignment.png').size[0] > 1000


def test_a_map_that_follows_the_objects_of_its_image_does_not_follow_those_of_the_other(untrained, options, monkeypatch,
                                                                                          tmp_path):
    data = annotated('detector', untrained, options)
    every = [data.image(place)[1] for place in range(3)]
    values = [objects.masks.any(0).astype('float32') for objects in every]
    left = iter(values)
    monkeypatch.setattr(measuring, '_maps', lambda *given: [('departure', 1, next(left))])
    rows = measuring.measure_alignment(*untrained('detector'), str(tmp_path), images=3, cfg_options=options)
    own, other = (row['precision'] for row in rows if row['size'] == 'all')
    before = [every[place - 1].targets()[0][1:] for place in range(3)]  # the first image's is the last
    assert own == 1
    assert other == pytest.approx(np.mean([score(map_, *of_other).precision
                                           for map_, of_other in zip(values, before, strict=True)]))


def test_the_departure_is_large_where_the_total_is_far_from_its_median_in_either_direction(monkeypatch):
    total = np.array([[1, 1, 1], [1, 0.2, 1.6]])
    shown = SimpleNamespace(place=SimpleNamespace(stage=2), total=total, spatial=total, activation=total)
    prediction = SimpleNamespace(model=SimpleNamespace(model=None), attentions=lambda places: [shown],
                                 grad_cam=lambda places: SimpleNamespace(maps={}))
    monkeypatch.setattr(measuring, 'maps', SimpleNamespace(
        attentions=lambda model: ['a module'], choose=lambda places, stages: places, stage_ends=lambda model: []))
    maps = {kind: values for kind, _, values in measuring._maps(prediction, None)}
    assert maps['departure'] == pytest.approx(np.array([[0, 0, 0], [0, 0.8, 0.6]]))


def test_image_that_its_exif_orientation_turns_to_another_size_is_named(untrained, digits, tmp_path):
    data = tmp_path / 'digits'
    shutil.copytree(digits, data)
    annotations = data / 'annotations/instances_validation.json'
    content = json.loads(annotations.read_text())
    content['images'][0]['height'] = 120
    annotations.write_text(json.dumps(content))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = next(data.glob(f'images/validation/{content["images"][0]["file_name"]}'))
    Image.new('RGB', (160, 120)).save(path, exif=exif)
    with pytest.raises(UsageError, match=f'{path.name} is loaded with 120×160 pixels, .* for 160×120: .*EXIF'):
        measuring.measure_alignment(*untrained('detector'), str(tmp_path / 'out'), images=2, cfg_options={
            'test_dataloader.dataset.data_root': f'{data}/', 'test_evaluator.ann_file': str(annotations)})
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(('arguments', 'words'), [
    (dict(images=1), '--images is 1, must be at least 2'), (dict(stages=[7]), 'stage 7 has no map'),
    (dict(classes=['cat']), "class 'cat' is unknown to the model: it has 0, 1, 2"),
    (dict(cfg_options={'test_dataloader.dataset.data_root': 'none/'}), 'none/images/validation does not exist')])
def test_mistakes_are_named_and_nothing_is_written(arguments, words, untrained, options, tmp_path):
    with pytest.raises(UsageError, match=words):
        measuring.measure_alignment(*untrained('detector'), str(tmp_path / 'out'),
                                    **{**dict(images=2, cfg_options=options), **arguments})
    assert not (tmp_path / 'out').exists()
