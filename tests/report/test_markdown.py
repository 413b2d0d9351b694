from __future__ import annotations

import pytest

from pipeline.contract.manifest import NOTICE
from pipeline.contract.verdict import Check, Verdict
from pipeline.report.markdown import render_markdown
from pipeline.report.wording import NOTHING, amount, headline
from tests.report.examples import FAILED, OPEN, PASSED, verdict


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        ((), "Failed: nothing was checked"),
        ((PASSED,), "Passed: the only check passed"),
        ((PASSED, PASSED), "Passed: all 2 checks passed"),
        ((PASSED, FAILED), "Failed: 1 of 2 checks failed"),
        ((FAILED, FAILED, OPEN), "Failed: 2 of 3 checks failed, 1 could not be decided"),
        ((PASSED, OPEN), "Inconclusive: 1 of 2 checks could not be decided"),
    ],
)
def test_the_headline_says_what_it_came_to(checks: tuple[Check, ...], words: str) -> None:
    assert headline(Verdict.from_checks(checks)) == words


def test_values_read_as_a_person_writes_them() -> None:
    assert amount(0.0172, "share") == "1.72%"
    assert amount(2_615_000, "bytes") == "2.62 MB"
    assert amount(31, "bytes") == "31 bytes"
    assert amount(1500, "images") == "1,500 images"
    assert amount(12.345, "ms") == "12.3 ms"
    assert amount(None, "share") == NOTHING


def test_markdown_has_a_row_for_each_check_and_says_by_how_much() -> None:
    text = render_markdown({"int8-uint8": verdict(PASSED, FAILED, OPEN)})
    lines = text.split("\n")
    assert lines[0] == "# int8-uint8: fail"
    assert "| task | critical recall drop: MEL | 20.00% | ≤ 1.72% | Failed |" in lines
    assert "- **Failed: critical recall drop: MEL.** expected 44, found 32" in lines
    assert "| MEL (critical) | 58 | 76.00% | 56.00% |" in lines
    assert NOTICE in text
    assert text.endswith("*\n")


def test_a_label_with_markup_cannot_break_out_of_the_table() -> None:
    nasty = FAILED.model_copy(
        update={
            "name": "drop:a|b<script>",
            "evidence": {"kind": "comparison", "expected": "x\n| y", "found": 1},
        }
    )
    lines = render_markdown({"parity": verdict(nasty)}).split("\n")
    assert sum(line.startswith(r"| task | drop: a\|b\<script\>") for line in lines) == 1
    assert not any(line.startswith("| y") for line in lines)


def test_a_verdict_of_structure_alone_needs_no_figures() -> None:
    text = render_markdown({"parity": Verdict.from_checks([PASSED])})
    assert "Reference" not in text
    assert "Passed" in text
