"""Malformed input of every kind, from a seeded generator: each ends in a clear message; none executes code or hangs."""
import copy
import io
import json
import os
import pickle
import random
import shlex
import string
import zipfile

import numpy as np
import pytest
import torch
from commands import DETECTOR, data_options
from hostile import Calls
from mmengine.config import Config, DictAction
from PIL import Image
from safetensors.torch import save as safetensors

from dmsca_mm import checkpoint
from dmsca_mm.errors import UsageError
from dmsca_mm.runtime import run
from dmsca_mm.runtime.config import load_config
from dmsca_mm.runtime.transforms.images import LoadWholeImage

EACH = 60
"""Inputs of each kind; test_broken_setups.py breaks configs."""


def assert_one_clear_line(function, *named):
    """Assert a UsageError, as in a command, whose message is one line with the names."""
    with pytest.raises(UsageError) as caught:
        function()
    message = str(caught.value)
    assert 20 < len(message) < 2000
    assert '\n' not in message, message
    for word in named:
        assert str(word) in message, message


@pytest.fixture(scope='module')
def settings(repository, digits):
    """The complete config of a detector, as a dict."""
    options = {}
    for pair in data_options(digits, True):
        key, value = pair.split('=')
        options[key] = DictAction._parse_iterable(value)
    return load_config(str(repository / DETECTOR), options).to_dict()


# Annotations

def entry_of(content, seeded, *parts):
    return seeded.choice(content[seeded.choice(parts or ('images', 'annotations', 'categories'))])


def without_field(content, seeded):
    part, field = seeded.choice([('images', 'id'), ('images', 'file_name'), ('images', 'width'), ('images', 'height'),
                                 ('annotations', 'id'), ('annotations', 'image_id'), ('annotations', 'category_id'),
                                 ('annotations', 'bbox'), ('annotations', 'area'), ('categories', 'id'),
                                 ('categories', 'name')])
    del entry_of(content, seeded, part)[field]


def wrong_field(content, seeded):
    part, field = seeded.choice([('images', 'width'), ('images', 'height'), ('annotations', 'bbox'),
                                 ('annotations', 'area'), ('annotations', 'category_id'), ('images', 'file_name')])
    entry_of(content, seeded, part)[field] = seeded.choice([None, {}, [], float('nan'), float('inf')])


def wrong_box(content, seeded):
    box = entry_of(content, seeded, 'annotations')['bbox']
    if seeded.random() < 0.5:
        box.pop(seeded.randrange(4))
    else:
        box[seeded.randrange(4)] = seeded.choice(['3', None, float('nan'), float('-inf')])


def given_twice(content, seeded):
    part = seeded.choice(['annotations', 'categories'])
    content[part].append(copy.deepcopy(seeded.choice(content[part])))


def no_list(content, seeded):
    content[seeded.choice(['images', 'annotations', 'categories'])] = seeded.choice([None, {}, 3, 'none'])


def no_entry(content, seeded):
    part = content[seeded.choice(['images', 'annotations', 'categories'])]
    part[seeded.randrange(len(part))] = seeded.choice([None, 3, 'one', []])


def renamed(content, seeded):
    entry_of(content, seeded, 'categories')['name'] = 'eleven'


def moved(content, seeded):
    for image in content['images']:
        image['file_name'] = f'{seeded.randrange(10 ** 9)}/{image["file_name"]}'


ANNOTATION_FAULTS = (without_field, wrong_field, wrong_box, given_twice, no_list, no_entry, renamed, moved)


@pytest.mark.slow
def test_malformed_annotations(settings, digits, tmp_path):
    good = (digits / 'annotations/instances_training.json').read_text()
    path = tmp_path / 'annotations.json'
    config = copy.deepcopy(settings)
    config['train_dataloader']['dataset']['ann_file'] = str(path)
    Config(config).dump(tmp_path / 'config.py')
    path.write_text(good)
    run.check(str(tmp_path / 'config.py'))
    for number in range(EACH):
        seeded = random.Random(number)
        if number % 5:
            content = json.loads(good)
            ANNOTATION_FAULTS[number % len(ANNOTATION_FAULTS)](content, seeded)
            path.write_text(json.dumps(content))
        else:
            cut = good[:seeded.randrange(len(good) - 1)].encode()
            path.write_bytes(seeded.choice([cut, b'', seeded.randbytes(99)]))
        named = 'does not exist, though' if path.read_text(errors='replace').count('/0') > 5 else path
        assert_one_clear_line(lambda: run.check(str(tmp_path / 'config.py')), named)


# Images

def encoded(seeded, form):
    values = np.random.default_rng(seeded.randrange(99)).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, form)
    return file.getvalue()


def bad_image(seeded):
    form = seeded.choice(['JPEG', 'PNG'])
    complete = encoded(seeded, form)
    header = complete[:seeded.randrange(4)]
    return seeded.choice([
        lambda: complete[:seeded.randrange(len(complete) - 12)],
        lambda: seeded.randbytes(seeded.randrange(1, 5000)),
        lambda: bytes(seeded.randrange(5000)),
        lambda: header + bytes(seeded.randrange(100)),
        lambda: ''.join(seeded.choices(string.printable, k=seeded.randrange(1, 500))).encode(),
        lambda: complete[:30] + bytes(len(complete) - 30),
        lambda: complete[::-1],
        lambda: encoded(seeded, 'PNG')[:16] + seeded.randbytes(17) + encoded(seeded, 'PNG')[33:],
    ])()


def test_malformed_images(tmp_path):
    path, loader = tmp_path / 'image.jpg', LoadWholeImage()
    path.write_bytes(encoded(random.Random(0), 'JPEG'))
    assert loader(dict(img_path=str(path)))['img'].shape == (40, 50, 3)
    for number in range(EACH):
        path.write_bytes(bad_image(random.Random(number)))
        assert_one_clear_line(lambda: loader(dict(img_path=str(path))), path)


# Checkpoints

def buried(thing, seeded, depth):
    """Nest a thing in containers that a checkpoint may hold."""
    if depth == 0:
        return thing
    inner = buried(thing, seeded, depth - 1)
    return seeded.choice([lambda: [1, inner], lambda: dict(weight=torch.ones(2), other=inner), lambda: (inner, 'x'),
                          lambda: np.array([inner, None], dtype=object), lambda: {1: {2: inner}}])()


def bad_checkpoint(seeded, marker):
    command = f'touch {shlex.quote(str(marker))}'
    inner = b'cos\nsystem\n(S"' + command.encode() + b'"\ntR.'
    call = seeded.choice([
        (os.system, command), (eval, f'__import__("os").system({command!r})'), (getattr, os.path.join, '__globals__'),
        (exec, f'open({str(marker)!r}, "w")'), (os.mkdir, str(marker)), (open, str(marker), 'w'),
        (__import__, 'antigravity'), (pickle.loads, inner)])
    good = io.BytesIO()
    torch.save(dict(state_dict=dict(weight=torch.randn(300))), good)
    hostile = io.BytesIO()
    torch.save(dict(state_dict={}, extra=buried(Calls(*call), seeded, seeded.randrange(4))), hostile,
               _use_new_zipfile_serialization=seeded.random() < 0.5)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, 'w') as file:
        file.writestr('readme', 'no checkpoint')
    tensors = safetensors({'weight': torch.ones(50)})
    return seeded.choice([
        lambda: ('any.pth', hostile.getvalue()), lambda: ('any.pth', hostile.getvalue()),
        lambda: ('any.pth', hostile.getvalue()),
        lambda: ('any.pth', pickle.dumps(Calls(*call))),
        lambda: ('any.pth', good.getvalue()[:seeded.randrange(good.tell() - 30)]),
        lambda: ('any.pth', seeded.randbytes(seeded.randrange(1, 3000))),
        lambda: ('any.pth', b'<html>404</html>'), lambda: ('any.pth', archive.getvalue()),
        lambda: (f'any-{seeded.randrange(16 ** 8):08x}.pth', good.getvalue()),
        lambda: ('any.safetensors', tensors[:seeded.randrange(len(tensors) - 1)]),
        lambda: ('any.safetensors', hostile.getvalue()),
    ])()


def test_malformed_checkpoints_execute_nothing(tmp_path):
    marker = tmp_path / 'executed'
    for number in range(EACH):
        name, content = bad_checkpoint(random.Random(number), marker)
        path = tmp_path / name
        path.write_bytes(content)
        assert_one_clear_line(lambda path=path: checkpoint.read(path), path)
        assert not marker.exists()
        path.unlink()
