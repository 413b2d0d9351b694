"""Turn verdicts into refusals."""

from __future__ import annotations

from pipeline.contract.verdict import Gate, Verdict
from pipeline.errors import GateFailed
from pipeline.parity.comparison import expect
from pipeline.report.sentences import sentence
from pipeline.workflow.refusal import refusal


def verdict_of(*found: int) -> Verdict:
    checks = tuple(
        expect(f"check_{place}", Gate.structure, 0, value) for place, value in enumerate(found)
    )
    return Verdict.from_checks(checks, reference={}, candidate={})


def test_a_pass_is_no_refusal() -> None:
    assert refusal(verdict_of(0, 0)) is None


def test_a_refusal_tells_three_checks_whole_and_names_the_others() -> None:
    verdict = verdict_of(1, 0, 1, 1, 1, 1)
    told = refusal(verdict)
    assert isinstance(told, GateFailed)
    assert told.got is not None
    whole = [f"{check.name}: {sentence(check)}" for check in verdict.broken()[:3]]
    assert told.got.split("; ") == [*whole, "not passed either: check_4, check_5"]
