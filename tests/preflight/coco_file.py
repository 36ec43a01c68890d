"""Read content in COCO's format as the check does."""
import json
import tempfile
from pathlib import Path

from dmsca_mm.preflight.coco import read_coco


def read(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'file.json'
        path.write_text(json.dumps(content))
        return read_coco(path, 'x')
