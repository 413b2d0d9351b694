"""A verdict follows from its checks and cannot be given."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.contract.verdict import Check, Gate, Outcome, Verdict


def check(outcome: Outcome, name: str = "c") -> Check:
    return Check(name=name, gate=Gate.task, outcome=outcome, evidence={"kind": "made up"})


def test_no_checks_is_a_failure() -> None:
    verdict = Verdict.from_checks([])
    assert verdict.outcome is Outcome.failed
    assert not verdict.passed


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=6))
def test_the_worst_check_decides(outcomes: list[Outcome]) -> None:
    verdict = Verdict.from_checks(check(outcome) for outcome in outcomes)
    worst = [Outcome.failed, Outcome.inconclusive, Outcome.passed]
    assert verdict.outcome is next(o for o in worst if o in outcomes)
    assert verdict.passed == (set(outcomes) == {Outcome.passed})


def test_an_outcome_that_does_not_follow_is_refused() -> None:
    with pytest.raises(ValidationError, match="does not follow"):
        Verdict(outcome=Outcome.passed, checks=(check(Outcome.failed),))
    with pytest.raises(ValidationError, match="does not follow"):
        Verdict(outcome=Outcome.passed, checks=())


def test_a_verdict_file_edited_to_pass_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    Verdict.from_checks([check(Outcome.failed)]).save(path)
    text = path.read_text()
    path.write_text(text.replace('"outcome": "fail"', '"outcome": "pass"', 1))
    with pytest.raises(Exception, match="does not follow"):
        Verdict.load(path)


def test_broken_checks_come_failed_first() -> None:
    checks = [
        check(Outcome.inconclusive, "open"),
        check(Outcome.passed, "good"),
        check(Outcome.failed, "bad"),
    ]
    assert [c.name for c in Verdict.from_checks(checks).broken()] == ["bad", "open"]


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"kind": ""},
        {"kind": 1},
        {"kind": "x", "n": float("nan")},
        {"kind": "x", "a": [{"b": float("inf")}]},
    ],
)
def test_evidence_is_data_with_a_kind_and_finite_numbers(evidence: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Check.model_validate({"name": "x", "gate": "task", "outcome": "pass", "evidence": evidence})


@pytest.mark.parametrize(
    ("value", "comparison", "threshold", "within"),
    [
        (1.0, "<=", 1.0, True),
        (1.1, "<=", 1.0, False),
        (1.0, ">=", 1.1, False),
        (0.0, "==", 0.0, True),
        (0.0, "", 0.0, None),
        (None, "<=", 0.0, None),
    ],
)
def test_a_check_knows_whether_it_is_within_its_threshold(
    value: float | None, comparison: str, threshold: float, within: bool | None
) -> None:
    made = check(Outcome.passed).model_copy(
        update={"value": value, "comparison": comparison, "threshold": threshold}
    )
    assert made.within_threshold is within


def test_a_check_of_no_number_is_refused() -> None:
    with pytest.raises(ValidationError):
        Check(
            name="x",
            gate=Gate.numbers,
            outcome=Outcome.passed,
            evidence={"kind": "x"},
            value=float("nan"),
        )
