"""Find broken images: name them in an error, or skip and count them."""
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
from ...preflight.config_parts import name_of, stands_for
from ...preflight.samples import is_tiff

SKIPPED = 'skipped_images.txt'
"""File in the work directory that lists the skipped images with the reason, one per line."""


@TRANSFORMS.register_module()
class LoadWholeImage(LoadImageFromFile):
    """mmcv's LoadImageFromFile with an error that names a truncated image.

    OpenCV decodes a truncated JPEG without an error and fills the rest with gray.

    Args:
        skipped: file to which the name of a bad image is appended; the data set then loads another image instead. With
            None a bad image is an error.
        check_label_map: refuse a label map that is broken or of another size than the image. For pipelines that load
            it with the library's LoadAnnotations.
        options: those of LoadImageFromFile; with ``ignore_empty=True`` the data set loads another image without a
            record, too.
    """

    def __init__(self, skipped: str | None = None, check_label_map: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.skipped = skipped
        self.check_label_map = check_label_map

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Load ``results['img_path']``, and check its label map.

        Raises:
            ImageError: missing, truncated, not an image, under 2 pixels wide or high, or its label map differs in size.
        """
        try:
            image = self._decoded(results['img_path'])
            if self.check_label_map and results.get('seg_map_path'):
                self._check_label_map(results['seg_map_path'], image.shape[:2])
        except ImageError as error:
            if self.skipped is None and not self.ignore_empty:
                raise
            if self.skipped is not None:
                with Path(self.skipped).open('a', encoding='utf-8', errors='backslashreplace') as file:
                    file.write(f'{error}\n')
            return None
        results['img'] = image.astype('float32') if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _decoded(self, path: str) -> Any:
        content = self._content(path)
        try:
            image = mmcv.imfrombytes(content, flag=self.color_type, backend=self.imdecode_backend)
        except (cv2.error, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ImageError(f'image {path} ({len(content)} bytes) cannot be decoded ({_short(error)})') from None
        if image is None or image.ndim < 2:
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
        except Image.DecompressionBombError:
            return  # large but valid
        except OSError as error:
            if isinstance(error, UnidentifiedImageError) and is_tiff(content):
                return
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
    """Return whether a JPEG or PNG lacks its end marker; other formats are left to the decoder.

    Args:
        content: bytes of the file.
    """
    if content.startswith(b'\xff\xd8'):
        return not _has_jpeg_end(content)
    return content.startswith(b'\x89PNG') and b'IEND' not in content


def _has_jpeg_end(content: bytes) -> bool:
    """Return whether the end marker comes after the start of the first scan.

    Thumbnails lie within segments of known length, which are skipped. Bytes after the end marker do not matter.
    """
    place = 2
    while place + 4 <= len(content):
        if content[place] != 0xff:
            return True  # not a segment: left to the decoder
        marker = content[place + 1]
        if marker == 0xda:
            return content.find(b'\xff\xd9', place) >= 0
        place += 1 if marker == 0xff else 2 + int.from_bytes(content[place + 2:place + 4], 'big')
    return False


def install(config: Config, splits: tuple[str, ...], skip: bool = False) -> None:
    """Make a run load images with :class:`LoadWholeImage`.

    Args:
        config: changed in place, with ``work_dir``: every LoadImageFromFile of the data loaders.
        splits: of these data loaders: ``'train'``, ``'val'``, ``'test'``. The config that a training stores keeps
            its ``test_dataloader``, in which the libraries' inferencers look for LoadImageFromFile by name.
        skip: whether training skips bad images; validation and testing never do.
    """
    for split in splits:
        options = dict(skipped=str(Path(config.work_dir) / SKIPPED)) if skip and split == 'train' else {}
        replace_loaders(config.get(f'{split}_dataloader'), options)
        if split == 'train':
            replace_loaders([hook.get('switch_pipeline') for hook in config.get('custom_hooks') or ()], options)
    add_import(config, REGISTRY)


def replace_loaders(node: Any, options: dict[str, Any]) -> None:
    """Replace every LoadImageFromFile by :class:`LoadWholeImage`.

    Args:
        node: any part of a config; changed in place.
        options: arguments to add to those that each LoadImageFromFile has.
    """
    parts = [part for _, part in walk(node)]
    if any(name_of(part) == 'LoadAnnotations' and part.get('with_seg', 'with_bbox' not in part) for part in parts):
        options = dict(options, check_label_map=True)
    for part in parts:
        if name_of(part) == LoadWholeImage.__name__:  # of a config that a run stored
            part.pop('skipped', None)
            part.pop('check_label_map', None)
            part.update(options)
        elif stands_for(part.get('type'), LoadImageFromFile) and 'file_client_args' not in part:
            part.update(type=LoadWholeImage.__name__, **options)


def skipped(work_dir: Path) -> int:
    """Return the number of images that the runs in a work directory skipped.

    Args:
        work_dir: of the runs.
    """
    path = work_dir / SKIPPED
    return len(set(path.read_text(encoding='utf-8').splitlines())) if path.exists() else 0


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0].removeprefix('OpenCV(').strip()[:120] or type(error).__name__
