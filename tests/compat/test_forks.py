"""mmengine finds a fork by its import name and installs nothing over it."""
import os
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from mmengine.config.utils import MODULE2PACKAGE

from dmsca_mm.compat import forks

UPERNET = 'mmseg::upernet/upernet_r50_4xb4-160k_ade20k-512x512.py'
READS = f"""
import sys
from mmengine.config import Config
from mmengine.hub import get_config

# The third is read as mmseg's own tools would, which know nothing of dmsca_mm: the config brings it along.
for read, name in ((Config.fromfile, 'mine.py'), (get_config, {UPERNET!r}),
                   (Config.fromfile, sys.argv[1]), (get_config, {UPERNET!r})):
    try:
        print(read(name).model.type)
    except Exception as error:
        print(type(error).__name__)
"""


def test_fork_is_found_and_nothing_is_installed_over_it(repository, tmp_path):
    """mmseg can be imported, but no distribution is named mmsegmentation; mmengine runs pip with ``python``."""
    packages, commands, asked = (tmp_path / name for name in ('packages', 'commands', 'asked'))
    packages.mkdir()
    for path in Path(find_spec('mmseg').origin).parents[1].iterdir():
        if not path.name.startswith('mmsegmentation-'):
            (packages / path.name).symlink_to(path)
    commands.mkdir()
    (commands / 'python').write_text(f'#!/bin/sh\necho "$@" >> {shlex.quote(str(asked))}\n')
    (commands / 'python').chmod(0o755)
    (tmp_path / 'mine.py').write_text(f'_base_ = {UPERNET!r}\n')
    finished = subprocess.run(
        [sys.executable, '-S', '-c', READS, repository / 'configs/upernet_r50_dmsca.py'],
        env={**os.environ, 'PATH': f'{commands}:{os.environ["PATH"]}', 'PYTHONPATH': f'{packages}:{repository}'},
        text=True, capture_output=True, check=True, cwd=tmp_path)
    refused, not_found, *found = finished.stdout.split()
    assert refused == 'ModuleNotFoundError'
    assert not_found != 'EncoderDecoder'
    assert found == ['EncoderDecoder'] * 2
    assert asked.read_text() == '-m pip install mmsegmentation\n', 'once, before the config brought dmsca_mm'


@pytest.mark.parametrize(('importable', 'installed'), [(False, False), (True, True)])
def test_what_mmengine_finds_or_nobody_has_is_left_as_it_was(importable, installed, monkeypatch):
    monkeypatch.setitem(MODULE2PACKAGE, 'mmseg', 'mmsegmentation')
    monkeypatch.setattr(forks, 'find_spec', lambda library: object() if importable else None)
    monkeypatch.setattr(forks, 'installed', lambda package: installed)
    before = dict(MODULE2PACKAGE)
    forks.find_by_import_name()
    assert before == MODULE2PACKAGE


def test_installed_goes_by_the_name_of_the_distribution():
    assert forks.installed('torch')
    assert not forks.installed('no-such-package')
