"""The config that mmengine stores in a checkpoint: Python's text, parsed into plain data and never executed."""
from __future__ import annotations

import ast
from typing import Any


def parse(text: Any) -> dict[str, Any]:
    """A config's dicts, lists and plain values.

    Args:
        text: as ``mmengine.Config.pretty_text`` gives it.

    Returns:
        The values of its assignments by name; tuples become lists, and what is no literal stays text. Empty for
        whatever is no config in Python.
    """
    try:
        lines = ast.parse(text).body
        return {line.targets[0].id: _value(line.value) for line in lines
                if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)}
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
        return {}


def _value(node: ast.AST) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        # keys that are no names come as dict({'a.b': 1})
        given = [_value(one) for one in node.args if isinstance(one, ast.Dict)]
        return {**(given[0] if given else {}), **{str(one.arg): _value(one.value) for one in node.keywords}}
    if isinstance(node, ast.Dict):
        return {str(_value(key)): _value(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item) for item in node.elts]
    try:
        return ast.literal_eval(node)
    except (TypeError, ValueError):
        return ast.unparse(node)
