"""Read labels as a user states them: a file of several forms, or names in the command itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.contract.base import first_problem
from pipeline.contract.labels import Labels
from pipeline.contract.text_file import read_text
from pipeline.errors import BadInput, reason_of

_MAX_BYTES = 2**20
_FORMS = (
    "one label a line, a JSON list of labels, or Keras's class_indices as JSON, in UTF-8, in the "
    "order of the model's outputs"
)
_NUMBERED = re.compile(r"(\d+)[\s:,]+(\S.*)")


def read_labels(text_or_path: str) -> tuple[str, ...]:
    """Return labels in output order, from `A,B,C` or from a file.

    A file holds one label a line (numbered from 0 on, as Teachable Machine writes them, or not), a
    JSON list of labels, or a JSON object: a name for each index, or an index for each name as
    Keras's `class_indices`. An existing file's name is taken for the file.

    Raises:
        BadInput: no such file, not UTF-8, of another form, an index is missing, or fewer than two
            labels, one twice, or one that is no plain word.
    """
    path = Path(text_or_path)
    if _is_file(path):
        names, where = _read_file(path), str(path)
    elif "," in text_or_path:
        names, where = tuple(name.strip() for name in text_or_path.split(",")), "--labels"
    else:
        raise BadInput(
            "there is no such file of labels, and it is no list of labels either",
            where=text_or_path,
            expected=f"a file ({_FORMS}), or labels separated by commas",
            next_step="--labels FILE, or --labels A,B,C",
        )
    try:
        return Labels(names=names).names
    except ValidationError as error:
        raise BadInput(
            "these are no labels",
            where=where,
            expected="at least two different plain words: letters, digits, space and _.+-",
            got=first_problem(error),
        ) from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # A long list of names is no possible file name.
        return False


def _read_file(path: Path) -> tuple[str, ...]:
    where = str(path)
    try:
        text = read_text(path, "file of labels", max_bytes=_MAX_BYTES)
    except OSError as error:
        raise BadInput(
            "cannot read the labels", where=where, expected=_FORMS, got=reason_of(error)
        ) from error
    if text.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(
                "the file of labels is not JSON, though it begins so",
                where=where,
                got=reason_of(error),
            ) from error
        return _from_json(value, where)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return _without_numbers(lines)


def _from_json(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    if isinstance(value, dict):
        if all(isinstance(index, int) for index in value.values()):
            return _by_index({int(index): name for name, index in value.items()}, value, where)
        if all(isinstance(name, str) for name in value.values()) and all(
            key.isdecimal() for key in value
        ):
            return _by_index({int(index): name for index, name in value.items()}, value, where)
    raise BadInput(
        "the file of labels is JSON of another form",
        where=where,
        expected='["A", "B"], {"A": 0, "B": 1} or {"0": "A", "1": "B"}',
    )


def _by_index(names: dict[int, str], value: dict[str, Any], where: str) -> tuple[str, ...]:
    if sorted(names) != list(range(len(value))):
        raise BadInput(
            "the labels' indices are not 0, 1, 2 and so on, each once",
            where=where,
            expected=f"0 to {len(value) - 1}",
            got=", ".join(str(index) for index in sorted(names)[:20]),
        )
    return tuple(names[index] for index in sorted(names))


def _without_numbers(lines: list[str]) -> tuple[str, ...]:
    matches = [_NUMBERED.fullmatch(line) for line in lines]
    numbered = [match for match in matches if match is not None]
    if len(numbered) == len(lines) and [int(m[1]) for m in numbered] == list(range(len(lines))):
        return tuple(match[2].strip() for match in numbered)
    return tuple(lines)
