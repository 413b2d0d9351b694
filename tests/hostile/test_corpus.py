"""Every case comes to what `expected.csv` says, and breaks no rule."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.hostile.corpus import EXPECTED, Case, cases, commands
from tests.hostile.run_case import run_case
from tests.hostile.warm import Warm
from tests.platforms import needs_proc

CASES = cases()


def expected() -> dict[str, tuple[int, str]]:
    with EXPECTED.open(encoding="utf-8", newline="") as stream:
        return {row["case"]: (int(row["code"]), row["what"]) for row in csv.DictReader(stream)}


# Devices, and what a process may write, are Linux's here.
@needs_proc
@pytest.mark.hostile
@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case.name)[1:-1])
def test_a_hostile_case_is_refused_as_expected(
    case: Case, warm: Warm, world: Path, tmp_path: Path
) -> None:
    outcome = run_case(case, warm, world, tmp_path / "case")
    assert outcome.problems == ()
    assert (outcome.code, outcome.what) == expected()[case.name]


def test_the_corpus_is_large_and_its_expectations_are_its_own() -> None:
    assert len(CASES) >= 600
    assert set(expected()) == {case.name for case in CASES}
    assert {code for code, _ in expected().values()} <= {0, 1, 2, 3, 4}


def test_every_command_has_cases() -> None:
    for name, _ in commands():
        words = tuple(name.split())
        assert sum(case.words[: len(words)] == words for case in CASES) >= 5, name
