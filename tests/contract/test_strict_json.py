from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.strict_json import MAX_DEPTH, depth_of, read_strict_json
from pipeline.errors import BadInput

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def nesting(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(nesting, value.values()), default=0)
    return 1 + max(map(nesting, value), default=0) if isinstance(value, list) else 0


@given(VALUES)
def test_the_depth_is_that_of_the_value(value: object) -> None:
    assert depth_of(json.dumps(value).encode()) == nesting(value)
    assert depth_of(json.dumps(value, ensure_ascii=False).encode()) == nesting(value)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("[" * 100_000, "nested deeper"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested deeper"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": {"b": 1, "b": 1}}', "twice"),
        ("[NaN]", "no JSON"),
        ("[-Infinity]", "no JSON"),
        ("{", "Expecting"),
        ("", "Expecting"),
        ('"\xff"', "codec"),
    ],
)
def test_what_readers_may_understand_differently_is_refused(
    tmp_path: Path, text: str, got: str
) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput) as refused:
        read_strict_json(path)
    assert got in str(refused.value.got)


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text("[" * MAX_DEPTH + "]" * MAX_DEPTH, encoding="utf-8")
    assert nesting(read_strict_json(path)) == MAX_DEPTH
    with pytest.raises(BadInput):
        read_strict_json(tmp_path / "missing.json")
