"""Parse the config that mmengine stores in a checkpoint: Python source, which is never executed."""
from __future__ import annotations

import ast
from typing import Any


def parse(text: Any) -> dict[str, Any]:
    """Parse a config into dicts, lists and plain values.

    Args:
        text: source of the config, as in ``mmengine.Config.pretty_text``.

    Returns:
        The assigned values by name. Tuples become lists, and an expression that is not a literal stays text. Empty if
        the text is not a config in Python.
    """
    try:
        lines = ast.parse(text).body
        return {line.targets[0].id: _value(line.value) for line in lines
                if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)}
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
        return {}


def _value(node: ast.AST) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        # keys that are not identifiers are written as dict({'a.b': 1})
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
