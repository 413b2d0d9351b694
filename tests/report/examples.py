"""Verdicts with every outcome, made by hand."""

from __future__ import annotations

from pipeline.contract.verdict import Check, Gate, Outcome, Verdict

PASSED = Check(
    name="candidate_not_finite",
    gate=Gate.numbers,
    outcome=Outcome.passed,
    evidence={"kind": "not_finite", "side": "candidate", "images": 0, "n": 379},
    value=0,
    unit="images",
    comparison="==",
    threshold=0,
)
FAILED = Check(
    name="critical_recall_drop:MEL",
    gate=Gate.task,
    outcome=Outcome.failed,
    evidence={"kind": "comparison", "expected": 44, "found": 32},
    value=0.2,
    unit="share",
    comparison="<=",
    threshold=0.0172,
)
OPEN = Check(
    name="accuracy_difference",
    gate=Gate.task,
    outcome=Outcome.inconclusive,
    evidence={"kind": "not_measured", "reason": {"kind": "no_labelled_images"}},
)
RECALL = {
    "MEL": {"images": 58, "critical": True, "reference": 0.76, "candidate": 0.56},
    "NV": {"images": 321, "critical": False, "reference": 0.9, "candidate": 0.91},
}


def verdict(*checks: Check) -> Verdict:
    return Verdict.from_checks(
        checks,
        reference={"runtime": "keras", "model_sha256": "a" * 64},
        candidate={"runtime": "litert", "model_sha256": "b" * 64},
        figures={
            "recall": RECALL,
            "accuracy": {"reference": {"share": 0.88}, "candidate": {"share": 0.85}},
            "confusion": {"reference": [[44, 14], [32, 289]], "candidate": [[32, 26], [29, 292]]},
        },
    )
