"""Draw the imports between the package's modules into docs/architecture.md: ``python tools/draw_imports.py``."""
from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / 'docs/architecture.md'
DRAWING = re.compile(r'```mermaid\n.*?```\n', re.DOTALL)


def modules(package: Path) -> dict[str, Path]:
    """Return the modules of a package by name, relative to it; an ``__init__`` has the name of its folder."""
    paths = {path.relative_to(package).with_suffix('').parts: path for path in sorted(package.rglob('*.py'))}
    return {'.'.join(parts).removesuffix('.__init__'): path for parts, path in paths.items() if parts[0] != '.mim'}


def imported(name: str, found: dict[str, Path]) -> Iterator[str]:
    """Yield the imports of a module: libraries by top-level name, modules of the package with a leading dot.

    Args:
        name: of the module.
        found: see :func:`modules`.
    """
    path = found[name]
    folder = [] if name == '__init__' else name.split('.') if path.stem == '__init__' else name.split('.')[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split('.')[0]
        elif isinstance(node, ast.ImportFrom):
            base = '.'.join([*folder[:len(folder) - node.level + 1], *filter(None, [node.module])])
            for alias in node.names:
                full = f'{base}.{alias.name}'.strip('.')
                yield f'.{full if full in found else base}'


def drawing(package: Path) -> str:
    """Return a Mermaid graph of the modules, without arrows that others imply."""
    found = modules(package)
    arrows: dict[str, set[str]] = {}
    for name in found:
        module = name.split('.')[0]
        others = {other.split('.')[1] for other in imported(name, found) if other.startswith('.')}
        arrows.setdefault(module, set()).update(others - {module})

    def below(module: str) -> set[str]:
        return arrows[module] | {far for near in arrows[module] for far in below(near)}

    text = ['```mermaid', 'flowchart TD']
    for module in sorted(set(arrows) - {'__init__'}):
        implied = {far for near in arrows[module] for far in below(near)}
        text += [f'    {module} --> {other}' for other in sorted(arrows[module] - implied)] or [f'    {module}']
    return '\n'.join([*text, '```']) + '\n'


if __name__ == '__main__':
    argparse.ArgumentParser(description='Draw the imports between modules into docs/architecture.md').parse_args()
    PAGE.write_text(DRAWING.sub(drawing(ROOT / 'dmsca_mm'), PAGE.read_text()))
    print(f'drawn: {PAGE.relative_to(ROOT)}')
