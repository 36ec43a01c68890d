"""Tiny data in place of the data that a config reads, for the libraries' common kinds of data sets."""
import json
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

IMAGES = 3
NAMES = [f'{i:06d}' for i in range(IMAGES)]
SIZE = (48, 64)
"""Height and width."""


def make(config, library):
    """Make the missing data of a config, below the working directory."""
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for dataset in _datasets(config.get(loader)):
            if kind := library.DATASETS.get(str(dataset['type'])):
                _make(dataset, kind)


def _datasets(node):
    if isinstance(node, dict):
        if 'type' in node and not {'ann_file', 'data_prefix', 'data_root'}.isdisjoint(node):
            yield node
        node = list(node.values())
    for value in node if isinstance(node, (list, tuple)) else ():
        yield from _datasets(value)


def _make(dataset, kind):
    bases = {base.__name__ for base in getattr(kind, '__mro__', ())}
    root = Path(dataset.get('data_root') or '')
    prefix = dataset.get('data_prefix') or {}
    folders = {key: root / (value or '') for key, value in prefix.items()} if isinstance(prefix, dict) else {}
    listed = root / (dataset.get('ann_file') or '')
    classes = kind.METAINFO.get('classes') or ()
    if 'MOTChallengeDataset' in bases:
        classes = classes[:1]  # MOT annotates only pedestrians
    chosen = (dataset.get('metainfo') or {}).get('classes') or ()
    classes = [*classes, *(name for name in chosen if name not in classes)] or ['thing']
    if {'CocoDataset', 'BaseVideoDataset'} & bases:
        _coco(listed, folders, classes, bases)
    elif 'XMLDataset' in bases:
        _voc(listed, folders.get('sub_data_root', root), classes)
    elif {'BaseSegDataset', 'BaseCDDataset'} & bases:
        for folder in folders.values():  # some data sets look for them when they are built
            folder.mkdir(parents=True, exist_ok=True)
        if dataset.get('ann_file'):
            _write(listed, '\n'.join(NAMES))
        options = {key: value for key, value in dataset.items() if key != 'type'}
        with suppress(RuntimeError):  # the DSDL data set needs a package
            _segmentation(kind(**{**options, 'pipeline': [], 'lazy_init': True}), len(classes))
    elif 'ReIDDataset' in bases:
        _list(listed, folders['img_path'], [f'{i}.jpg {i // 2}' for i in range(8)])
    elif 'CrowdHumanDataset' in bases:
        _crowds(listed, root / dataset.get('extra_ann_file', 'none.json'), folders['img'])
    elif 'CustomDataset' in bases:
        split = dataset.get('split') or ''
        folder = root / ((prefix.get('img_path') if isinstance(prefix, dict) else prefix) or split)
        lines = [f'{i}.jpg' + (f' {i}' if dataset.get('with_label', True) else '') for i in range(IMAGES)]
        _list(listed if dataset.get('ann_file') else root / f'meta/{split}.txt', folder, lines)
    elif 'CUB' in bases:
        _cub(root)


def _image(path, size=SIZE):
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        path.write_text(content)


def _list(path, folder, lines):
    _write(path, '\n'.join(lines))
    for line in lines:
        _image(folder / line.split()[0])


def _coco(path, folders, classes, bases):
    """Write one file for the APIs of COCO, COCO panoptic, LVIS and videos."""
    (height, width), categories = SIZE, [dict(id=i, name=name, isthing=1) for i, name in enumerate(classes, start=1)]
    numbers = range(1, IMAGES + 1)
    box = dict(bbox=[4, 6, 40, 30], area=1200, iscrowd=0)
    mask = dict(segmentation=[[4, 6, 44, 6, 44, 36, 4, 36]])
    images = [dict(id=i, file_name=f'{i:012d}.jpg', coco_url=f'http://images/{i:012d}.jpg', height=height, width=width,
                   video_id=1, frame_id=i - 1, neg_category_ids=[], not_exhaustive_category_ids=[])
              for i in numbers]
    boxes = [dict(id=i, image_id=i, category_id=1 + (i - 1) % len(classes), video_id=1, instance_id=1, mot_conf=1.0,
                  category='', visibility=1.0, **box, **mask) for i in numbers]
    if 'CocoPanopticDataset' in bases:
        boxes = [dict(image_id=i, file_name=f'{i:012d}.png', segments_info=[dict(id=1, category_id=1, **box)])
                 for i in numbers]
    _write(path, json.dumps(dict(images=images, annotations=boxes, categories=categories,
                                 videos=[dict(id=1, name='video', height=height, width=width)])))
    for key, folder in folders.items():
        for image in images:
            if key == 'seg':
                _label_map(folder / image['file_name'].replace('.jpg', '.png'), 1)
            else:
                _image(folder / image['file_name'])


def _label_map(path, highest):
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(0).integers(0, highest + 1, SIZE, dtype=np.uint8)).save(path)


def _voc(path, root, classes):
    _write(path, '\n'.join(NAMES))
    for name in NAMES:
        _image(root / f'JPEGImages/{name}.jpg')
        _write(root / f'Annotations/{name}.xml', (
            f'<annotation><folder>.</folder><size><width>{SIZE[1]}</width><height>{SIZE[0]}</height></size>'
            f'<object><name>{classes[0]}</name><bndbox><xmin>5</xmin><ymin>7</ymin><xmax>45</xmax><ymax>37</ymax>'
            '</bndbox></object></annotation>'))


def _segmentation(built, classes):
    for name in NAMES:
        for key, folder in built.data_prefix.items():
            if key == 'seg_map_path':
                _label_map(Path(folder) / (name + built.seg_map_suffix), classes - 1 + built.reduce_zero_label)
            elif key.startswith('img_path'):
                suffix = built.img_suffix2 if key.endswith('2') else built.img_suffix
                _image(Path(folder) / (name + suffix))


def _crowds(listed, sizes, folder):
    _write(listed, '\n'.join(json.dumps(dict(ID=name, gtboxes=[dict(
        tag='person', fbox=[4, 6, 40, 30], hbox=[4, 6, 9, 9], vbox=[4, 6, 40, 30], extra={}, head_attr={})]))
        for name in NAMES))
    _write(sizes, json.dumps(dict.fromkeys(NAMES, SIZE)))
    for name in NAMES:
        _image(folder / f'{name}.jpg')


def _cub(root):
    rows = range(1, IMAGES + 1)
    _write(root / 'images.txt', '\n'.join(f'{i} {i}.jpg' for i in rows))
    _write(root / 'image_class_labels.txt', '\n'.join(f'{i} {i}' for i in rows))
    _write(root / 'train_test_split.txt', '\n'.join(f'{i} {i % 2}' for i in rows))
    for i in rows:
        _image(root / f'images/{i}.jpg')
