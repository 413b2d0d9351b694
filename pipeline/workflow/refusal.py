"""Turn a verdict that is not a pass into a refusal with its exit code."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.contract.verdict import Check, Outcome, Verdict
from pipeline.errors import GateFailed, Inconclusive, PipelineError
from pipeline.report.sentences import sentence

# More is for the verdict's table and the report.
_MOST_SENTENCES = 3


def refusal(
    verdict: Verdict,
    *,
    failed: str = "the candidate failed its gate",
    undecided: str = "the gate could not be decided",
    where: str | None = None,
    next_step: str | None = None,
) -> PipelineError | None:
    """Return why a verdict is not a pass, or None if it is.

    `failed` and `undecided` say what happened; what did not pass follows from the verdict.
    """
    if verdict.passed:
        return None
    kind, what = (
        (GateFailed, failed) if verdict.outcome is Outcome.failed else (Inconclusive, undecided)
    )
    return kind(
        what,
        where=where,
        expected="every check to pass",
        got=_broken(verdict.broken()),
        next_step=next_step,
    )


def _broken(checks: Sequence[Check]) -> str:
    """Return a sentence of each of the first checks, and the names of the others."""
    if not checks:
        return "no checks"
    told = [f"{check.name}: {sentence(check)}" for check in checks[:_MOST_SENTENCES]]
    if others := [check.name for check in checks[_MOST_SENTENCES:]]:
        told.append(f"not passed either: {', '.join(others)}")
    return "; ".join(told)
