"""Small valid user data on disk and a config that trains on it; each test breaks one thing."""
import json

import numpy as np
from mmengine.runner import Runner
from PIL import Image

from dmsca_mm.checkpoint import sources
from dmsca_mm.runtime.config import load_config

SIZE = (64, 48)
CLASSES = ('oak', 'elm')


def coco(images=4):
    """The content of an annotation file with two boxes per image."""
    boxes = [dict(id=2 * image + place + 1, image_id=image, category_id=7 + place, area=500, iscrowd=0,
                  bbox=[5 + 20 * place, 6, 20, 25], segmentation=[[5, 6, 25, 6, 25, 31]])
             for image in range(images) for place in (0, 1)]
    return dict(images=[dict(id=image, file_name=f'{image}.jpg', width=SIZE[0], height=SIZE[1])
                        for image in range(images)],
                categories=[dict(id=7, name='oak'), dict(id=8, name='elm')], annotations=boxes)


def pictures(folder, names, size=SIZE):
    """Write images of noise."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        values = np.random.default_rng(place).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(values).save(folder / name)


def detector(root, repository, extra=''):
    """Write data for a detector and its config, with ``extra`` at the config's end; return the config's path."""
    pictures(root / 'images', [image['file_name'] for image in coco()['images']])
    for split in ('train', 'val'):
        (root / f'{split}.json').write_text(json.dumps(coco()))
    text = f"""
_base_ = '{repository}/configs/digits/retinanet_r50_dmsca_digits.py'
loader = dict(num_workers=0, persistent_workers=False, dataset=dict(
    data_root='{root}/', metainfo=dict(classes={CLASSES}), ann_file='val.json', data_prefix=dict(img='images/')))
train_dataloader = dict(loader, batch_size=2, dataset=dict(loader['dataset'], ann_file='train.json'))
val_dataloader = loader
test_dataloader = loader
val_evaluator = dict(ann_file='{root}/val.json')
test_evaluator = val_evaluator
model = dict(bbox_head=dict(num_classes=2), test_cfg=dict(score_thr=0))
train_cfg = dict(max_epochs=1, val_interval=1)
auto_scale_lr = dict(base_batch_size=2)
{extra}
"""
    (root / 'own.py').write_text(text)
    return root / 'own.py'


def segmenter(root, repository, extra=''):
    """Write data for a segmenter and its config, with ``extra`` at the config's end; return the config's path."""
    for split in ('train', 'val'):
        pictures(root / f'images/{split}', [f'{number}.jpg' for number in range(4)])
        for number in range(4):
            label_map(root / f'labels/{split}/{number}.png', number)
    text = f"""
_base_ = '{repository}/configs/digits/upernet_r50_dmsca_digits.py'
dataset = dict(data_root='{root}/', metainfo=dict(_delete_=True, classes={CLASSES}), reduce_zero_label=False)
loader = dict(num_workers=0, persistent_workers=False, dataset=dict(
    dataset, data_prefix=dict(img_path='images/val', seg_map_path='labels/val')))
train_dataloader = dict(loader, batch_size=2, dataset=dict(
    dataset, data_prefix=dict(img_path='images/train', seg_map_path='labels/train')))
val_dataloader = loader
test_dataloader = loader
model = dict(decode_head=dict(num_classes=2),
             auxiliary_head=dict(num_classes=2, loss_decode=dict(class_weight=None)))
train_cfg = dict(max_iters=2, val_interval=2)
auto_scale_lr = dict(base_batch_size=2)
{extra}
"""
    (root / 'own.py').write_text(text)
    return root / 'own.py'


def label_map(path, seed=0, labels=2, size=SIZE, channels=None, lowest=0):
    """Write a label map of random labels from ``lowest`` to ``lowest + labels - 1``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0]) if channels is None else (size[1], size[0], channels)
    Image.fromarray(np.random.default_rng(seed).integers(lowest, lowest + labels, shape, dtype=np.uint8)).save(path)


def change(path, **parts):
    """Change an annotation file: each part is replaced by a list or by the result of a function."""
    content = json.loads(path.read_text())
    for part, new in parts.items():
        content[part] = new(content[part]) if callable(new) else new
    path.write_text(json.dumps(content))


def train_as_the_library_does(path, work_dir):
    """Train and validate with mmengine's Runner only, without this package's checks of the data."""
    sources.install()
    config = load_config(str(path))
    config.work_dir, config.experiment_name, config.log_level = str(work_dir), work_dir.parent.name, 'ERROR'
    runner = Runner.from_cfg(config)
    runner.train()
    return runner
