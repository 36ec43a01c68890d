"""The random data sets pass preflight, and their images have the annotated sizes."""
import json

import numpy as np
from PIL import Image
from random_images import ADE_SIZE, COCO_SIZES, make_ade, make_coco

from dmsca_mm.preflight.annotations import check_coco
from dmsca_mm.preflight.coco import read_coco


def test_coco_has_boxes_inside_images_of_both_orientations(tmp_path):
    make_coco(tmp_path / 'coco', 4)
    path = tmp_path / 'coco/annotations/instances_train2017.json'
    assert check_coco(read_coco(path, 'the file'), 'the file', for_metrics=True) == []
    content = json.loads(path.read_text())
    assert len(content['categories']) == 80
    for entry, size in zip(content['images'], COCO_SIZES * 2, strict=True):
        with Image.open(tmp_path / 'coco/train2017' / entry['file_name']) as image:
            assert (image.height, image.width) == (entry['height'], entry['width']) == size
        boxes = np.array([one['bbox'] for one in content['annotations'] if one['image_id'] == entry['id']])
        assert (boxes[:, 2:] > 0).all()
        assert (boxes[:, :2] + boxes[:, 2:] <= size[::-1]).all()


def test_ade_has_a_label_map_for_each_image(tmp_path):
    make_ade(tmp_path, 2)
    images, labels = (sorted((tmp_path / kind / 'training').iterdir()) for kind in ('images', 'annotations'))
    assert [path.stem for path in images] == [path.stem for path in labels]
    for path in (*images, *labels):
        with Image.open(path) as image:
            assert (image.height, image.width) == ADE_SIZE
    assert len({int(label) for path in labels for label in np.unique(np.asarray(Image.open(path)))}) > 100
