from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.contract.label_file import read_labels
from pipeline.errors import BadInput


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        ("MEL\nNV\n", ("MEL", "NV")),
        ("MEL\r\n\r\n  NV  \r\n", ("MEL", "NV")),
        ("﻿MEL\nNV", ("MEL", "NV")),
        ("0 Cat\n1 Big dog\n", ("Cat", "Big dog")),
        ("1 star\n2 stars\n", ("1 star", "2 stars")),
        (json.dumps(["b", "a"]), ("b", "a")),
        (json.dumps({"b": 1, "a": 0, "c": 2}), ("a", "b", "c")),
        (json.dumps({"1": "b", "0": "a", "2": "c"}), ("a", "b", "c")),
    ],
)
def test_a_file_of_each_form_is_read_in_output_order(
    tmp_path: Path, content: str, labels: tuple[str, ...]
) -> None:
    path = tmp_path / "labels, all.txt"
    path.write_bytes(content.encode("utf-8"))
    assert read_labels(str(path)) == labels


def test_names_are_read_from_the_command() -> None:
    assert read_labels("MEL, NV,basal cell") == ("MEL", "NV", "basal cell")
    many = ",".join(f"class-{i}" for i in range(1000))
    assert len(read_labels(many)) == 1000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Mélanome\nNævus\n".encode("latin-1"), "not UTF-8"),
        ("A\nB\n".encode("utf-16"), "not UTF-8"),
        (b"", "no labels"),
        (b"alone\n", "no labels"),
        (b"A\nA\n", "no labels"),
        (b"A\n\x00\n", "holds a NUL"),
        (b'["A", "B"', "not JSON"),
        (b'["A", 1]', "another form"),
        (b'{"A": 0, "B": 2}', "indices"),
        (b'{"A": 0, "B": 0}', "indices"),
        (b'{"0": "A", "2": "B"}', "indices"),
        (b'{"A": {"index": 0}}', "another form"),
        (b"[" * 100_000, "not JSON"),
        (b"x" * (2**20 + 1), "more than the 1048576"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=words) as caught:
        read_labels(str(path))
    assert caught.value.where == str(path)


@pytest.mark.parametrize("given", ["missing.txt", "", "A,A", "A,", "A,<b>"])
def test_what_is_neither_a_file_nor_labels_is_refused(given: str) -> None:
    with pytest.raises(BadInput):
        read_labels(given)
