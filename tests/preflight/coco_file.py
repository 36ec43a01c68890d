"""What the check reads of a file in COCO's format."""
import json
import tempfile
from pathlib import Path

from dmsca_mm.preflight.coco import read_coco


def read(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'file.json'
        path.write_text(json.dumps(content))
        return read_coco(path, 'x')
