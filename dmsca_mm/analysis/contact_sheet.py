"""Contact sheets: several pictures on one sheet."""
from __future__ import annotations

from pathlib import Path

from PIL import Image

from ..errors import UsageError

PICTURES = ('.png', '.jpg', '.jpeg')
JPEG_LIMIT = 65500  # pixels; of libjpeg


def contact_sheet(folder: str | Path, out: str | Path, count: int = 8, columns: int = 2,
                  width: int = 640) -> list[Path]:
    """Combine the first pictures of a folder on one sheet, scaled to the same width.

    Args:
        folder: searched recursively; pictures are sorted by path, and ``out`` is not one of them.
        out: path of the sheet, a .png or .jpg file.
        count: maximum number of pictures, at least 1.
        columns: pictures in each row, at least 1.
        width: width of each picture on the sheet, in pixels.

    Returns:
        The paths of the pictures on the sheet.

    Raises:
        UsageError: the folder has no pictures or a broken one, ``count`` is below 1, the suffix of ``out`` is unknown,
            the sheet is too large for it.
    """
    if count < 1:
        raise UsageError(f'--count is {count}, must be at least 1')
    if Path(out).suffix.lower() not in PICTURES:
        raise UsageError(f'the sheet {out} must end in one of {", ".join(PICTURES)}')
    found = sorted(path for path in Path(folder).rglob('*')
                   if path.suffix.lower() in PICTURES and path.resolve() != Path(out).resolve())[:count]
    if not found:
        raise UsageError(f'no pictures in {folder}: make some with tools/test.py CONFIG CHECKPOINT --show-dir {folder}')
    tiles = []
    for path in found:
        try:
            with Image.open(path) as picture:
                height = round(picture.height * width / picture.width)
                tiles.append(picture.convert('RGB').resize((width, height), Image.Resampling.BICUBIC))
        except (OSError, SyntaxError, ValueError) as error:  # Pillow's, for files that are no pictures or broken
            raise UsageError(f'{path} is no picture that can be opened ({type(error).__name__}): remove it') from None
    rows = [tiles[start:start + columns] for start in range(0, len(tiles), columns)]
    gap, heights = 8, [max(tile.height for tile in row) for row in rows]
    sheet = Image.new('RGB', (columns * (width + gap) - gap, sum(heights) + gap * (len(rows) - 1)), 'white')
    if Path(out).suffix.lower() != '.png' and max(sheet.size) > JPEG_LIMIT:
        raise UsageError(f'the sheet {out} has {sheet.width}×{sheet.height} pixels, JPEG takes {JPEG_LIMIT} a side: '
                         'give a .png file, or a lower --count')
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            sheet.paste(tile, (column * (width + gap), top))
        top += height + gap
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    return found
