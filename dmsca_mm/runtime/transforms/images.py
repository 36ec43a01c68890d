"""Images that cannot be trained on: named, or left out and counted."""
from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import mmcv
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from mmengine.config import Config
from mmengine.registry import TRANSFORMS
from PIL import Image, UnidentifiedImageError

from ...config_tree import REGISTRY, add_import, walk
from ...errors import ImageError
from ...preflight.config_parts import stands_for

SKIPPED = 'skipped_images.txt'
"""File of the work directory that names the images left out, a line each with the reason."""


@TRANSFORMS.register_module()
class LoadWholeImage(LoadImageFromFile):
    """mmcv's LoadImageFromFile, which also refuses a truncated image by name.

    OpenCV decodes a JPEG that is cut short without an error: the rest is grey.

    Args:
        skipped: file to which a bad image's name is added; the data set then takes another image in its place. None
            makes it an error.
        options: those of LoadImageFromFile.
    """

    def __init__(self, skipped: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.skipped = skipped

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Load ``results['img_path']``, and check the label map beside it where there is one.

        Raises:
            ImageError: it is missing, cut short, no image, a pixel wide or high, or of another size than its label map.
        """
        try:
            image = self._decoded(results['img_path'])
            if results.get('seg_map_path'):
                self._check_label_map(results['seg_map_path'], image.shape[:2])
        except ImageError as error:
            if self.skipped is None:
                raise
            with Path(self.skipped).open('a') as file:
                file.write(f'{error}\n')
            return None
        results['img'] = image.astype('float32') if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _decoded(self, path: str) -> Any:
        content = self._content(path)
        try:
            image = mmcv.imfrombytes(content, flag=self.color_type, backend=self.imdecode_backend)
        except (cv2.error, UnidentifiedImageError, OSError, ValueError) as error:
            raise ImageError(f'image {path} ({len(content)} bytes) cannot be decoded ({_short(error)})') from None
        if image is None:
            raise ImageError(f'image {path} ({len(content)} bytes) is no image that OpenCV can decode')
        height, width = image.shape[:2]
        if min(height, width) < 2:
            raise ImageError(f'image {path} has {width}×{height} pixels')
        return image

    def _check_label_map(self, path: str, size: tuple[int, int]) -> None:
        content = self._content(path, 'label map')
        try:
            with Image.open(BytesIO(content)) as label_map:
                width, height = label_map.size
        except OSError as error:
            raise ImageError(f'label map {path} ({len(content)} bytes) is no image ({_short(error)})') from None
        if (height, width) != size:
            raise ImageError(f'label map {path} has {width}×{height} pixels, its image {size[1]}×{size[0]}')

    def _content(self, path: str, what: str = 'image') -> bytes:
        try:
            content = bytes(fileio.get(path, backend_args=self.backend_args))
        except OSError as error:
            raise ImageError(f'{what} {path} cannot be read ({error.strerror or error})') from None
        if not content:
            raise ImageError(f'{what} {path} is empty')
        if is_cut_short(content):
            raise ImageError(f'{what} {path} ({len(content)} bytes) is cut short')
        return content


def is_cut_short(content: bytes) -> bool:
    """Whether a JPEG or PNG ends before its end mark; other formats are left to the decoder.

    Args:
        content: of the file.
    """
    if content.startswith(b'\xff\xd8'):
        return not _has_jpeg_end(content)
    return content.startswith(b'\x89PNG') and b'IEND' not in content[-64:]


def _has_jpeg_end(content: bytes) -> bool:
    """Whether the end mark comes after the start of the first scan.

    Previews are inside segments, which have a length, and are passed over; whatever follows the end does not matter.
    """
    place = 2
    while place + 4 <= len(content):
        if content[place] != 0xff:
            return True  # no segment: left to the decoder
        marker = content[place + 1]
        if marker == 0xda:
            return content.find(b'\xff\xd9', place) >= 0
        place += 1 if marker == 0xff else 2 + int.from_bytes(content[place + 2:place + 4], 'big')
    return False


def install(config: Config, skip: bool) -> None:
    """Make a run load images with :class:`LoadWholeImage`.

    Args:
        config: changed in place, with ``work_dir``: every LoadImageFromFile of its data loaders.
        skip: whether training leaves bad images out; validation and testing never do.
    """
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        options = dict(skipped=str(Path(config.work_dir) / SKIPPED)) if skip and loader.startswith('train') else {}
        replace_loaders(config.get(loader), options)
    add_import(config, REGISTRY)


def replace_loaders(node: Any, options: dict[str, Any]) -> None:
    """Put :class:`LoadWholeImage` in place of every LoadImageFromFile.

    Args:
        node: any part of a config; changed in place.
        options: for the new ones, beside those that the old ones have.
    """
    for _, part in walk(node):
        if stands_for(part.get('type'), LoadImageFromFile) and 'file_client_args' not in part:
            part.update(type=LoadWholeImage.__name__, **options)


def skipped(work_dir: Path) -> int:
    """How many images the runs in a work directory have left out.

    Args:
        work_dir: of the runs.
    """
    path = work_dir / SKIPPED
    return len(set(path.read_text().splitlines())) if path.exists() else 0


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0].removeprefix('OpenCV(').strip()[:120] or type(error).__name__
