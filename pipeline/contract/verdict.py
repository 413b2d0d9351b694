"""Say what was checked, against which threshold, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pipeline.contract.base import Frozen


class Outcome(StrEnum):
    """Name what a gate or a check came to."""

    passed = "pass"
    failed = "fail"
    inconclusive = "inconclusive"


class Gate(StrEnum):
    """Name the four gates, in the order they run."""

    reference = "reference"
    structure = "structure"
    numbers = "numbers"
    task = "task"


class Check(Frozen):
    """Record one comparison of a measured value with its threshold.

    `value` and `threshold` share `unit` (for example `share`, `images`, `probability`);
    `comparison` reads `value comparison threshold`. They are None where a check is yes or no, or
    where nothing could be measured. `evidence` says in words what was compared.
    """

    name: str
    gate: Gate
    outcome: Outcome
    evidence: str | dict[str, Any]
    value: float | None = None
    unit: str = ""
    comparison: Literal["<=", ">=", "==", ""] = ""
    threshold: float | None = None


class Verdict(Frozen):
    """Collect the checks of one artifact; the outcome follows from them and is never given.

    No checks at all is a failure. One failed check fails the verdict; otherwise one inconclusive
    check makes it inconclusive. `reference` and `candidate` say what was compared, `figures`
    holds measured values that no threshold judges. `inputs` pins by hash everything the artifact
    was made from and judged by: the same inputs need not be judged twice.
    """

    schema_version: Literal[1] = 1
    kind: Literal["verdict"] = "verdict"
    outcome: Outcome
    checks: tuple[Check, ...]
    reference: dict[str, Any] = Field(default_factory=dict)
    candidate: dict[str, Any] = Field(default_factory=dict)
    figures: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _outcome_follows(self) -> Self:
        if self.outcome is not _outcome_of(self.checks):
            raise ValueError(f"outcome {self.outcome} does not follow from the checks")
        return self

    @classmethod
    def from_checks(
        cls,
        checks: Iterable[Check],
        *,
        reference: dict[str, Any] | None = None,
        candidate: dict[str, Any] | None = None,
        figures: dict[str, Any] | None = None,
    ) -> Self:
        """Derive the outcome from `checks`."""
        listed = tuple(checks)
        return cls(
            outcome=_outcome_of(listed),
            checks=listed,
            reference=reference or {},
            candidate=candidate or {},
            figures=figures or {},
        )

    @property
    def passed(self) -> bool:
        """Tell whether this is a pass; inconclusive is not."""
        return self.outcome is Outcome.passed

    def broken(self) -> tuple[Check, ...]:
        """Return the checks that did not pass, failed ones first."""
        failed = tuple(c for c in self.checks if c.outcome is Outcome.failed)
        return failed + tuple(c for c in self.checks if c.outcome is Outcome.inconclusive)


def _outcome_of(checks: tuple[Check, ...]) -> Outcome:
    outcomes = {check.outcome for check in checks}
    if not outcomes or Outcome.failed in outcomes:
        return Outcome.failed
    return Outcome.inconclusive if Outcome.inconclusive in outcomes else Outcome.passed
