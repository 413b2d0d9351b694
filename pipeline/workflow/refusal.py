"""Turn a verdict that is not a pass into a refusal with its exit code."""

from __future__ import annotations

from pipeline.contract.verdict import Outcome, Verdict
from pipeline.errors import GateFailed, Inconclusive, PipelineError
from pipeline.report.sentences import sentence


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
        got="; ".join(f"{c.name}: {sentence(c)}" for c in verdict.broken()) or "no checks",
        next_step=next_step,
    )
