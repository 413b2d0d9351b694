"""Read JSON that others may have written: bounded in size and depth, each key once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pipeline.contract.files import read_regular
from pipeline.errors import BadInput, reason_of

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64
# Whole texts first, since a bracket in one nests nothing.
_NO_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[^]["{}]+|"', re.DOTALL)


def read_strict_json(path: Path) -> Any:
    """Read a JSON file, refusing what readers may understand in different ways.

    Raises:
        BadInput: the file cannot be read, is larger than `MAX_BYTES`, nests deeper than
            `MAX_DEPTH`, is no JSON, names a key twice, or holds NaN or infinity.
    """
    try:
        data = read_regular(path, max_bytes=MAX_BYTES)
    except OSError as error:
        raise _refused(path, reason_of(error)) from error
    if depth_of(data) > MAX_DEPTH:
        raise _refused(path, f"nested deeper than {MAX_DEPTH}")
    try:
        return json.loads(data, object_pairs_hook=_each_once, parse_constant=_no_constant)
    except ValueError as error:
        raise _refused(path, str(error)) from error


def depth_of(data: bytes) -> int:
    """Return how deep arrays and objects nest in JSON text, without parsing it."""
    depth = deepest = 0
    for bracket in _NO_BRACKET.sub(b"", data):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} is there twice")
    return value


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _refused(path: Path, got: str) -> BadInput:
    return BadInput("not the JSON it should be", where=str(path), got=got)
