"""Compare the cost of ``tools/check.py`` with mmdet's loading of the data: ``python benchmarks/check_cost.py``.

It writes a stand-in for COCO, by default of the same size, to a temporary folder: 0.4 GB and a link for each image.
"""
from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dmsca_mm.errors import UsageError, exit_on_usage_error

ROOT = Path(__file__).parents[1]
LINKS = 60_000
"""Hard links per file; file systems allow at most about 65,000."""


def stand_in(root: Path, images: int, boxes: int) -> dict[str, Any]:
    """Write images and an annotation file with COCO's 80 categories; return the config of the data set.

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


def options(root: Path) -> list[str]:
    """Return config entries that point the headline detector at the data of :func:`stand_in`."""
    result = ['model.backbone.init_cfg=None']
    for split, folder in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = f'{split}_dataloader.dataset'
        result += [f'{dataset}.data_root={root / folder}/', f'{dataset}.ann_file=train.json',
                   f'{dataset}.data_prefix.img=images/']
        result += [f'{split}_evaluator.ann_file={root / folder}/train.json'] if split != 'train' else []
    return result


def cost(*command: str) -> str:
    """Run a Python command and return its processor time and peak memory as text."""
    process = subprocess.Popen([sys.executable, '-W', 'ignore', *command], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise UsageError(f'{" ".join(command)} ended with {status}')
    return f'{used.ru_utime + used.ru_stime:.1f} s of processor time, {used.ru_maxrss / 1e6:.2f} GB of memory'


def main() -> None:
    """Write the data, check it, load it with mmdet, print the cost of each."""
    parser = argparse.ArgumentParser(description='What the check of a data set costs')
    parser.add_argument('--images', type=int, default=118_287, help='default: those of COCO 2017')
    parser.add_argument('--boxes', type=int, default=860_001, help='default: those of COCO 2017')
    values = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for split, part in (('train', 1), ('val', 24)):
            (Path(folder) / split).mkdir()
            # in a separate process: a child's peak memory is at least what its parent holds when it starts
            writer = multiprocessing.get_context('spawn').Process(
                target=stand_in, args=(Path(folder) / split, -(-values.images // part), -(-values.boxes // part)))
            writer.start()
            writer.join()
        check = cost('tools/check.py', 'configs/faster_rcnn_r50_dmsca.py', '--cfg-options', *options(Path(folder)))
        print(f'check: {check}')
        load = ("import sys; from mmdet.datasets import CocoDataset; CocoDataset(data_root=sys.argv[1], "
                "ann_file='train.json', data_prefix=dict(img='images/'), pipeline=[])")
        print(f'mmdet: {cost("-c", load, f"{folder}/train/")}')


if __name__ == '__main__':
    exit_on_usage_error(main)
