"""Make a check of the structure gate: what was expected, what was found."""

from __future__ import annotations

from typing import Any

from pipeline.contract.verdict import Check, Gate, Outcome


def structure_check(
    name: str,
    passed: bool,
    *,
    expected: Any,
    found: Any,
    measured: dict[str, Any] | None = None,
    **more: Any,
) -> Check:
    """Record a comparison; `expected` and `found` are JSON values, `measured` fields of Check."""
    return Check(
        name=name,
        gate=Gate.structure,
        outcome=Outcome.passed if passed else Outcome.failed,
        evidence={"kind": "comparison", "expected": expected, "found": found, **more},
        **(measured or {}),
    )
