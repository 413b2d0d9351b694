"""Say what was checked, against which threshold, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from pipeline.contract.base import Frozen


class Outcome(StrEnum):
    """Name what a gate or a check came to."""

    passed = "pass"
    failed = "fail"
    inconclusive = "inconclusive"


class Gate(StrEnum):
    """Name the gates, in the order they run; `bundle` is asked by `pipeline verify` alone."""

    bundle = "bundle"
    reference = "reference"
    structure = "structure"
    numbers = "numbers"
    task = "task"


def _checked_data(data: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if not isinstance(data.get("kind"), str) or not data["kind"]:
        raise ValueError("evidence needs a kind")
    if not _finite(data):
        raise ValueError("evidence contains NaN or infinity, which JSON cannot")
    return data


def _finite(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


# Data as JSON holds it, of a form that its `kind` names; shares and probabilities are 0 to 1,
# intervals [low, high].
Data = Annotated[dict[str, JsonValue], AfterValidator(_checked_data)]


class Check(Frozen):
    """Record one comparison of a measured value with its threshold.

    `value` and `threshold` share `unit` (for example `share`, `images`, `probability`);
    `comparison` reads `value comparison threshold`. They are None where a check is yes or no, or
    where nothing could be measured.

    `evidence` is data, not words: counts, intervals, image ids, labels, under a `kind` that names
    its form. With the fields above it is enough to judge the check again. Keys of any kind:

    - `undecided`: why an inconclusive check is one, as data with a `kind` of its own.
    - `tolerance`: what was `asked`, what was `applied` (never less than one image of the set),
      `n` images in that set, and its `label` where it is a class.
    - `difference`: candidate minus reference, its `interval_95` and the `kind` of that interval;
      `non_inferiority`: what the interval shows of the asked tolerance, and how many images would
      decide it. With `strict` it decides the outcome.
    - `unless`: a rule, with a `kind` of its own, by which a check passes beyond its threshold.
    """

    name: str
    gate: Gate
    outcome: Outcome
    evidence: Data
    value: float | None = None
    unit: str = ""
    comparison: Literal["<=", ">=", "==", ""] = ""
    threshold: float | None = None

    @property
    def within_threshold(self) -> bool | None:
        """Tell whether `value comparison threshold` is true; None where there is no threshold."""
        if self.value is None or self.threshold is None:
            return None
        match self.comparison:
            case "<=":
                return self.value <= self.threshold
            case ">=":
                return self.value >= self.threshold
            case "==":
                return self.value == self.threshold
            case "":
                return None


class Verdict(Frozen):
    """Collect the checks of one artifact; the outcome follows from them and is never given.

    No checks at all is a failure. One failed check fails the verdict; otherwise one inconclusive
    check makes it inconclusive. `reference` and `candidate` say what was compared, `figures`
    holds measured values that no threshold judges. `inputs` pins by hash everything the artifact
    was made from and judged by: the same inputs need not be judged twice.
    """

    schema_version: Literal[2] = 2
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
