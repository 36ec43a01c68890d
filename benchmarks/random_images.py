"""Random images in the layouts of COCO and ADE20K, with the most common image sizes of each."""
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mmdet.datasets import CocoDataset
from PIL import Image

COCO_SIZES = ((480, 640), (640, 480))
"""Height and width in pixels, used alternately."""
ADE_SIZE = (512, 683)
BOXES = 7
"""Objects per image; COCO's average."""
ADE_CLASSES = 150
CELL = 16
"""Side in pixels of cells with one colour or label, so that files are about as large as photographs."""


def make_coco(root: Path, images: int) -> None:
    """Write training images with boxes of all 80 categories.

    Args:
        root: folder of the data set, made here.
        images: how many.
    """
    generator, names = np.random.default_rng(0), CocoDataset.METAINFO['classes']
    entries, boxes = [], []
    for index in range(images):
        height, width = COCO_SIZES[index % 2]
        name = f'{index:012d}.jpg'
        _photograph(generator, root / 'train2017' / name, (height, width))
        entries.append(dict(id=index, file_name=name, width=width, height=height))
        for box in _boxes(generator, height, width):
            boxes.append(dict(id=len(boxes), image_id=index, category_id=int(generator.integers(len(names))), bbox=box,
                              area=box[2] * box[3], iscrowd=0))
    path = root / 'annotations' / 'instances_train2017.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(dict(images=entries, annotations=boxes,
                                    categories=[dict(id=i, name=name) for i, name in enumerate(names)])))


def make_ade(root: Path, images: int) -> None:
    """Write training images with label maps.

    Args:
        root: folder of the data set, made here.
        images: how many.
    """
    generator = np.random.default_rng(0)
    for index in range(images):
        _photograph(generator, root / 'images' / 'training' / f'{index:08d}.jpg', ADE_SIZE)
        labels = generator.integers(0, ADE_CLASSES + 1, [-(-side // CELL) for side in ADE_SIZE], dtype=np.uint8)
        _save(labels, root / 'annotations' / 'training' / f'{index:08d}.png', ADE_SIZE)


def _boxes(generator: np.random.Generator, height: int, width: int) -> Iterator[list[int]]:
    """Generate boxes (x, y, width, height) with sides from a twentieth to half of the image's."""
    for _ in range(BOXES):
        w, h = (int(side * generator.uniform(0.05, 0.5)) for side in (width, height))
        yield [int(generator.integers(width - w)), int(generator.integers(height - h)), w, h]


def _photograph(generator: np.random.Generator, path: Path, size: tuple[int, int]) -> None:
    _save(generator.integers(0, 256, [*(-(-side // CELL) for side in size), 3], dtype=np.uint8), path, size)


def _save(cells: np.ndarray, path: Path, size: tuple[int, int]) -> None:
    """Save an image whose pixels repeat the cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    large = cells.repeat(CELL, 0).repeat(CELL, 1)[:size[0], :size[1]]
    Image.fromarray(large).save(path)
