"""What the check of a data set costs beside mmdet's own loading of it: ``python benchmarks/check_cost.py``.

It writes a stand-in for COCO's training set, by default of its size, into a temporary folder: 0.4 GB and a name for
each image.
"""
from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from PIL import Image

from dmsca_mm.preflight.data import check_data

LINKS = 60_000
"""Names that one file gets: file systems allow no more than about 65,000."""


def stand_in(root: Path, images: int, boxes: int) -> dict[str, Any]:
    """Write images and an annotation file of COCO's 80 categories; gives the config of the data set.

    Args:
        root: an empty folder.
        images: their number.
        boxes: their number, each with a polygon of 20 points.
    """
    from mmdet.datasets import CocoDataset
    random = np.random.default_rng(0)
    (root / 'images').mkdir()
    noise = Image.fromarray(random.integers(0, 256, (480, 640, 3), dtype=np.uint8))
    for number in range(images):
        source = root / f'{number // LINKS}.jpg'
        if not source.exists():
            noise.save(source)
        os.link(source, root / f'images/{number:012d}.jpg')
    polygon = random.uniform(0, 400, 40).round(2).tolist()
    corners, owners = random.uniform(0, 400, (boxes, 2)).round(2).tolist(), random.integers(0, images, boxes).tolist()
    names = CocoDataset.METAINFO['classes']
    (root / 'train.json').write_text(json.dumps(dict(
        images=[dict(id=number, file_name=f'{number:012d}.jpg', width=640, height=480) for number in range(images)],
        categories=[dict(id=number, name=name) for number, name in enumerate(names)],
        annotations=[dict(id=number, image_id=owners[number], category_id=number % len(names), area=3000, iscrowd=0,
                          bbox=[*corners[number], 50.5, 60.25], segmentation=[polygon]) for number in range(boxes)])))
    return dict(type='CocoDataset', data_root=f'{root}/', ann_file='train.json', data_prefix=dict(img='images/'),
                filter_cfg=dict(filter_empty_gt=True, min_size=32))


def seconds(function: Callable[[], Any]) -> float:
    """Seconds of the processor that a call takes."""
    before = time.process_time()
    function()
    return time.process_time() - before


def main() -> None:
    """Write the data, check them, load them with mmdet, print seconds of each."""
    parser = argparse.ArgumentParser(description='What the check of a data set costs')
    parser.add_argument('--images', type=int, default=118_287, help='default: those of COCO 2017')
    parser.add_argument('--boxes', type=int, default=860_001, help='default: those of COCO 2017')
    values = parser.parse_args()
    from mmdet.datasets import CocoDataset
    with tempfile.TemporaryDirectory() as folder:
        dataset = stand_in(Path(folder), values.images, values.boxes)
        checked = dict(dataset, pipeline=[dict(type='LoadAnnotations', with_bbox=True, with_mask=True)])
        config = Config(dict(default_scope='mmdet', train_dataloader=dict(dataset=checked)))
        print(f'check: {seconds(lambda: check_data(config, ("train_dataloader",))):.1f} s of processor time')
        options = {key: value for key, value in dataset.items() if key != 'type'}
        print(f'mmdet: {seconds(lambda: CocoDataset(**options, pipeline=[])):.1f} s of processor time')


if __name__ == '__main__':
    main()
