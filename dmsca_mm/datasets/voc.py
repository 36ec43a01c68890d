"""Convert Pascal VOC boxes, one XML file for each image, to COCO instances, one JSON file.

Formats: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/index.html and https://cocodataset.org/#format-data.
"""
from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from PIL import ExifTags, Image

from ..errors import UsageError

XML, IMAGES = 'Annotations', 'JPEGImages'
"""The folders of Pascal VOC."""


class Conversion(NamedTuple):
    """Result of a conversion: number of images, number of boxes of each class, and warnings, one line each."""

    images: int
    boxes: dict[str, int]
    warnings: list[str]


def convert_voc(root: str | Path, out: str | Path, classes: Sequence[str], listed: str | Path | None = None,
                mend_boxes: bool = False) -> Conversion:
    """Write the boxes of a folder in Pascal VOC's layout as COCO instances, with an atomic write.

    VOC counts pixels from 1 and both corners belong to the box: 1 to 640 is the whole width of 640 pixels. A left or
    top edge of 0, from tools that count from 0, is read as 1. VOC's difficult objects become ``iscrowd`` in COCO,
    which are neither trained on nor counted.

    Args:
        root: holds ``Annotations/*.xml`` and ``JPEGImages``.
        out: path of the JSON file, which must not exist.
        classes: names of the classes, in the order of the categories.
        listed: text file that names one XML file on each line, without suffix, as in ``ImageSets/Main``; None converts
            all.
        mend_boxes: clip boxes to their image and drop those without area, instead of refusing them.

    Raises:
        UsageError: ``out`` exists, a folder or file is missing or broken, the size of an image differs from its XML
            file, a class is unknown, two XML files name one image, a box is as above, or there is no object.
    """
    root, out = Path(root), Path(out)
    if out.exists():
        raise UsageError(f'{out} exists: move it away or choose another name')
    if len(set(classes)) < len(classes):
        raise UsageError(f'class {Counter(classes).most_common(1)[0][0]!r} is named twice: name each once')
    images, boxes, warnings, wrong = [], [], [], []
    paths, seen = _files(root, listed), {}
    for path in paths:
        try:
            image, found = _read(path, root / IMAGES, classes, mend_boxes, warnings)
            if seen.setdefault(image['file_name'], path) != path:
                raise UsageError(f'{path} names image {image["file_name"]}, and so does {seen[image["file_name"]]}: '
                                 'each image needs one XML file')
        except UsageError as error:
            wrong.append(str(error))
            continue
        image['id'] = len(images) + 1
        images.append(image)
        boxes += [dict(box, id=len(boxes) + place, image_id=image['id']) for place, box in enumerate(found, start=1)]
    if wrong:
        raise UsageError(wrong[0] + f' (wrong: {len(wrong)} of {len(paths)} XML files)')
    if not boxes:
        raise UsageError(f'none of the {len(paths)} XML files in {root / XML} has an object: there is nothing to learn')
    categories = [dict(id=number, name=name) for number, name in enumerate(classes, start=1)]
    _write(out, json.dumps(dict(images=images, annotations=boxes, categories=categories)))
    counts = Counter(box['category_id'] for box in boxes)
    return Conversion(len(images), {entry['name']: counts[entry['id']] for entry in categories}, warnings)


def _files(root: Path, listed: str | Path | None) -> list[Path]:
    for folder in (XML, IMAGES):
        if not (root / folder).is_dir():
            raise UsageError(f'{root / folder} is no folder: {root} must hold {XML}/*.xml and {IMAGES}')
    if listed is None:
        paths = sorted(path for path in (root / XML).iterdir() if path.suffix.lower() == '.xml')
        source = f'{root / XML} holds no XML files'
    else:
        try:
            names = [line.strip() for line in Path(listed).read_text(encoding='utf-8-sig').splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f'list {listed} cannot be read ({error})') from None
        paths, source = [root / XML / f'{name}.xml' for name in names], f'list {listed} is empty'
        for name, path in zip(names, paths, strict=True):
            if not path.is_file():
                raise UsageError(f'list {listed} names {name!r}, and {path} does not exist: correct the list')
        if len(set(names)) < len(names):
            raise UsageError(f'list {listed} names {Counter(names).most_common(1)[0][0]!r} twice: name each once')
    if not paths:
        raise UsageError(source)
    return paths


def _read(path: Path, images: Path, classes: Sequence[str], mend_boxes: bool, warnings: list[str]
          ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the image and boxes of an XML file in COCO format, without ids. Warnings are appended to ``warnings``."""
    try:
        top = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise UsageError(f'{path} is no XML ({error}): replace it') from None
    name = _text(top, 'filename', str(path))
    size = tuple(int(_number(top, f'size/{side}', str(path))) for side in ('width', 'height'))
    if not (images / name).is_file():
        raise UsageError(f'{path} names image {name}, which is not in {images}: correct its filename, or add the image')
    real, turned = size, False
    try:
        with suppress(Image.DecompressionBombError), Image.open(images / name) as image:  # large but valid
            turned = image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
            real = image.size[::-1] if turned else image.size  # as OpenCV loads it
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f'image {images / name} cannot be opened ({type(error).__name__}): replace it') from None
    if size != real:
        loaded = ' as its EXIF orientation turns it' if turned else ''
        raise UsageError(f'{path} has size {size[0]}x{size[1]}, its image {name} is {real[0]}x{real[1]}{loaded}: '
                         'correct the size if the boxes fit the image, else give it the image that they were drawn on')
    if Path(name).stem != path.stem:
        warnings.append(f'{path} names image {name}: its boxes go to that one, not to one of its own name')
    objects = top.findall('object')
    if not objects:
        warnings.append(f'{path} has no objects: its image is kept, without boxes')
    found = [_box(item, f'{path}: object {place}', size, classes, mend_boxes, warnings)
             for place, item in enumerate(objects, start=1)]
    return dict(file_name=name, width=size[0], height=size[1]), [box for box in found if box]


def _box(item: ElementTree.Element, where: str, size: tuple[int, ...], classes: Sequence[str], mend_boxes: bool,
         warnings: list[str]) -> dict[str, Any] | None:
    """Return an object's box, or None if it is dropped."""
    name = _text(item, 'name', where)
    if name not in classes:
        raise UsageError(f'{where} is of class {name!r}, which is not among {", ".join(classes)}: name it in '
                         '--classes, or correct it')
    given = [_number(item, f'bndbox/{corner}', where) for corner in ('xmin', 'ymin', 'xmax', 'ymax')]
    left, top, right, bottom = given
    low, high = (max(left, 1), max(top, 1)), (min(right, size[0]), min(bottom, size[1]))  # VOC counts pixels from 1
    is_left_out = high[0] <= low[0] or high[1] <= low[1]
    box = f'{where} ({name}): the box from ({left:g}, {top:g}) to ({right:g}, {bottom:g})'
    problem = ''
    if min(given) < 0 or right > size[0] or bottom > size[1]:
        problem = f'reaches beyond the image of {size[0]}x{size[1]} pixels'
    elif is_left_out:
        problem = 'has no area'
    if problem and not mend_boxes:
        raise UsageError(f'{box} {problem}: correct it, or give --mend-boxes')
    if problem:
        warnings.append(f'{box} {problem}: {"left out" if is_left_out else "cut to the image"}')
    if is_left_out:
        return None
    width, height = (end - begin + 1 for begin, end in zip(low, high, strict=True))
    difficult = item.findtext('difficult', '0').strip() == '1'
    return dict(category_id=classes.index(name) + 1, bbox=[low[0] - 1, low[1] - 1, width, height], area=width * height,
                iscrowd=int(difficult))


def _text(node: ElementTree.Element, name: str, where: str) -> str:
    text = (node.findtext(name) or '').strip()
    if not text:
        raise UsageError(f'{where} has no {name}')
    return text


def _number(node: ElementTree.Element, name: str, where: str) -> float:
    text = _text(node, name, where)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f'{where}: {name} is {text!r}, it must be a number')
    return value


def _write(out: Path, content: str) -> None:
    partial = out.with_name(f'.{out.name}.{os.getpid()}')
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(content)
        partial.rename(out)
    except OSError as error:
        raise UsageError(f'cannot write {out}: {error.strerror or error}') from error
    finally:
        partial.unlink(missing_ok=True)
