"""Assemble the report of a training as one HTML page."""
from __future__ import annotations

import base64
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from PIL import Image

from ...checkpoint.newest import newest
from ...checkpoint.writing import write_atomically
from ...errors import UsageError
from ...runtime.config import load_config
from ..attention_maps.prediction import Model
from ..drawing import SCORE
from . import charts, sections
from .costs import costs
from .examples import Example, examples
from .logs import History, read_history
from .results import environment, last_test

_PATH = re.compile(r"""(?<=['"])/[^'"\n]+|(?<![\w.:/<-])/[\w.+@~%-]+(?:/[\w.+@~%-]*)*""")


def write_report(work_dir: str | Path, out: str | Path | None = None, images: int = 4) -> Path:
    """Write the report of a training as one self-contained HTML file.

    If a section cannot be made, such as pictures without the data, it shows the reason instead.

    Args:
        work_dir: work directory of the training.
        out: path of the file; by default ``report.html`` in the work directory.
        images: number of test images, from the first, shown with the newest checkpoint's predictions; 0 for none.

    Returns:
        The path of the file.

    Raises:
        UsageError: the work directory has no training logs, ``images`` is negative, or the file cannot be written.
    """
    directory = Path(work_dir)
    path = directory / 'report.html' if out is None else Path(out)
    if images < 0:
        raise UsageError(f'--images {images}: give how many images the report shows, 0 for none')
    history = read_history(directory)
    if path.is_dir():
        raise UsageError(f'{path} is a folder: give the name of a file with --out')
    page = _render(_contents(directory, history, images))
    write_atomically(page.encode(), path, 'run the command again, or choose another file with --out')
    return path


def without_places(text: str) -> str:
    """Shorten every absolute path in a text to its last part, so that a report names no folder of the machine."""
    return _PATH.sub(lambda match: f'…/{Path(match[0]).name}', text.replace('file://', ''))


def _render(contents: dict[str, Any]) -> str:
    def private(value: Any) -> Any:
        return without_places(value) if isinstance(value, str) and not isinstance(value, Markup) else value
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=private)
    page.filters['uri'] = _uri
    return page.from_string((Path(__file__).parent / 'page.html').read_text()).render(contents)


def _contents(directory: Path, history: History, images: int) -> dict[str, Any]:
    """Return the variables of the template."""
    dumped = sorted(directory.glob('*.py'), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    # A test overwrites the config in the work directory; the one of the training is next to its scalars.
    source = next((path for path in (history.runs[-1] / 'vis_data/config.py', *dumped) if path.is_file()), None)
    config, reason = _tried(lambda: _config(source))
    cost, reason = (None, reason) if config is None else _tried(lambda: costs(config))
    shown, note = _tried(lambda: _examples(directory, source, images)) if images else (None, '')
    if shown:
        note, shown = shown
    test, trained_in = last_test(directory), environment(history.runs[-1])
    return dict(
        name=directory.resolve().name, subtitle=sections.subtitle(history, dumped[0].name if dumped else ''),
        tiles=sections.tiles(history, test, cost, config), **sections.figures(history, test),
        examples=(shown or []) if images else None, examples_note=note,
        curves=charts.curves(history), curve_notes=sections.notes(history), attention=charts.attention(history),
        costs=sections.cost_rows(cost), cost_notes=[reason] if reason else sections.cost_notes(history),
        trained_in=list(trained_in.items()), reported_in=sections.versions(),
        config=source.read_text(errors='replace') if source else '')


def _tried(make: Callable[[], Any]) -> tuple[Any, str]:
    """Return the result and an empty text, or None and a sentence with the reason."""
    try:
        return make(), ''
    except UsageError as error:
        text = ' '.join(str(error).split()).rstrip('.')
        return None, f'Not available: {text}.'


def _config(source: Path | None) -> Any:
    if source is None:
        raise UsageError('the work directory holds no config')
    return load_config(str(source))


def _examples(directory: Path, source: Path | None, count: int) -> tuple[str, list[Example]]:
    """Return a sentence about the pictures, and the pictures."""
    if source is None:
        raise UsageError('the work directory holds no config')
    checkpoint, _ = newest(directory)
    if checkpoint is None:
        raise UsageError('the work directory holds no checkpoint')
    found = examples(model := Model(str(source), checkpoint), count)
    boxes = f' Boxes with a score above {SCORE} are drawn.' if model.config.get('default_scope') == 'mmdet' else ''
    return (f'Predictions of {Path(checkpoint).name}, the newest checkpoint, for the first images of the test data.'
            f'{boxes}'), found


def _uri(picture: Image.Image) -> Markup:
    file = BytesIO()
    picture.save(file, 'JPEG', quality=88)
    return Markup('data:image/jpeg;base64,' + base64.b64encode(file.getvalue()).decode())

