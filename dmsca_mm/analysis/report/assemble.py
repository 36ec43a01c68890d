"""The report as a page: everything that is known of a training, put in its place."""
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
from ...checkpoint.writing import write_whole
from ...errors import UsageError
from ...runtime.config import load_config
from ..attention_maps.showing import SCORE, Model
from . import sections
from .costs import costs
from .examples import examples
from .logs import History, read_history
from .results import environment, last_test

_PATH = re.compile(r"""(?<=['"])/[^'"\n]+|(?<![\w.:/<-])/[\w.+@~%-]+(?:/[\w.+@~%-]*)*""")


def write_report(work_dir: str | Path, out: str | Path | None = None, images: int = 4) -> Path:
    """Tell in one HTML file, which needs nothing beside it, what a training did.

    What cannot be told, such as pictures without the data, is said in its place.

    Args:
        work_dir: of the training.
        out: the file; by default ``report.html`` in the work directory.
        images: how many of the first test images are shown with what the newest checkpoint says of them; 0 for none.

    Returns:
        The file.

    Raises:
        UsageError: a work directory without logs of a training, a negative number of images, a file that cannot be
            written.
    """
    directory = Path(work_dir)
    path = directory / 'report.html' if out is None else Path(out)
    if images < 0:
        raise UsageError(f'--images {images}: give how many images the report shows, 0 for none')
    history = read_history(directory)
    if path.is_dir():
        raise UsageError(f'{path} is a folder: give the name of a file with --out')
    page = _render(_contents(directory, history, images))
    try:
        write_whole(page.encode(), path)
    except UsageError as error:
        reason = getattr(error.__cause__, 'strerror', None)
        raise UsageError(f'report {path} could not be written ({reason}): give another place with --out') from error
    return path


def without_places(text: str) -> str:
    """A text with every absolute path cut down to its last part: a report tells nothing of the machine's folders.

    Args:
        text: such as a config.
    """
    return _PATH.sub(lambda match: f'…/{Path(match[0]).name}', text.replace('file://', ''))


def _render(contents: dict[str, Any]) -> str:
    def private(value: Any) -> Any:
        return without_places(value) if isinstance(value, str) and not isinstance(value, Markup) else value
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=private)
    return page.from_string((Path(__file__).parent / 'page.html').read_text()).render(contents)


def _contents(directory: Path, history: History, images: int) -> dict[str, Any]:
    """What the template names."""
    dumped = sorted(directory.glob('*.py'), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    # A test writes its own config over the one in the work directory; beside the scalars lies the training's.
    source = next((path for path in (history.runs[-1] / 'vis_data/config.py', *dumped) if path.is_file()), None)
    config, reason = _tried(lambda: _config(source))
    cost, reason = (None, reason) if config is None else _tried(lambda: costs(config))
    shown, told = _tried(lambda: _examples(directory, source, images)) if images else (None, '')
    if shown:
        told = f'What {shown.pop(0)}, the newest checkpoint, says of the first images of the test data.'
    test, trained_in = last_test(directory), environment(history.runs[-1])
    return dict(
        name=directory.resolve().name, subtitle=sections.subtitle(history, dumped[0].name if dumped else ''),
        tiles=sections.tiles(history, test, cost, config), **sections.figures(history, test),
        examples=(shown or []) if images else None, examples_note=told, score=SCORE,
        curves=_charts(sections.curves(history)), curve_notes=sections.notes(history),
        attention=_charts(sections.attention(history)),
        costs=sections.cost_rows(cost), cost_notes=[reason] if reason else sections.cost_notes(history),
        trained_in=list(trained_in.items()), reported_in=sections.versions(),
        config=source.read_text(errors='replace') if source else '')


def _tried(make: Callable[[], Any]) -> tuple[Any, str]:
    """What is made and no words, or None and a sentence that tells why it cannot be."""
    try:
        return make(), ''
    except UsageError as error:
        text = ' '.join(str(error).split()).rstrip('.')
        return None, f'This is not here: {text}.'


def _config(source: Path | None) -> Any:
    if source is None:
        raise UsageError('the work directory holds no config')
    return load_config(str(source))


def _examples(directory: Path, source: Path | None, count: int) -> list[Any]:
    """The name of the checkpoint, then the images as the template takes them."""
    if source is None:
        raise UsageError('the work directory holds no config')
    checkpoint, _ = newest(directory)
    if checkpoint is None:
        raise UsageError('the work directory holds no checkpoint')
    found = examples(Model(str(source), checkpoint), count)
    return [Path(checkpoint).name, *(
        dict(name=one.path.name, truth=one.truth and _uri(one.truth), prediction=_uri(one.prediction),
             legend=one.legend, maps=[_uri(shown) for shown in one.maps]) for one in found)]


def _uri(picture: Image.Image) -> Markup:
    file = BytesIO()
    picture.save(file, 'JPEG', quality=88)
    return Markup('data:image/jpeg;base64,' + base64.b64encode(file.getvalue()).decode())


def _charts(drawn: list[tuple[str, str]]) -> list[tuple[str, Markup]]:
    return [(title, Markup(svg)) for title, svg in drawn]
