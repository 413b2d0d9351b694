"""Judge what a phone answered to a bundle's goldens, which have no true labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.contract.goldens import Goldens
from pipeline.contract.verdict import Check, Gate, Outcome, Verdict
from pipeline.errors import BadInput
from pipeline.parity.align import Pair, align
from pipeline.parity.answers import Flags
from pipeline.parity.comparison import compare
from pipeline.parity.figures import common_figures, origin
from pipeline.parity.numbers import largest_differences, validity_checks
from pipeline.runtimes.recording import Recording, make_recording

SPLIT = "goldens"
_UNKNOWN = -1


def golden_recording(goldens: Goldens, *, goldens_sha256: str) -> Recording:
    """Return the host's answers to the goldens as a recording of the split `goldens`.

    Args:
        goldens: of a bundle.
        goldens_sha256: of the file goldens.json, which stands for the dataset.

    Goldens keep no latency; the recording states 0.
    """
    listed, count = goldens.goldens, len(goldens.goldens)
    return make_recording(
        runtime=goldens.runtime,
        runtime_version=goldens.runtime_version,
        model_sha256=goldens.model_sha256,
        image_contract_sha256=goldens.image_contract_sha256,
        labels=goldens.labels,
        dataset_sha256=goldens_sha256,
        split=SPLIT,
        threads=1,
        host="the bundle's goldens",
        latencies_ms=np.zeros(count, np.float64),
        image_ids=np.array([golden.sha256 for golden in listed], dtype=np.str_),
        truth=np.full(count, _UNKNOWN, np.int64),
        probabilities=np.array(
            [[golden.probabilities[name] for name in goldens.labels] for golden in listed],
            dtype=np.float32,
        ),
    )


def judge_goldens(reference: Recording, candidate: Recording, *, tolerance: float) -> Verdict:
    """Run the numbers and task gates on goldens; a pure function of its arguments.

    Each probability must be within `tolerance`, and the class chosen must be the same wherever
    the reference prefers its own by more than twice that: there no accepted difference can turn
    the order around. Where it nowhere does, the choice is not asked, and a note says so.

    Args:
        reference: of `golden_recording`.
        candidate: what a device answered to the same goldens.
        tolerance: of a probability, 0 to 1.

    Raises:
        BadInput: the recordings are of other models, images, labels, or contracts.
    """
    _same_model(reference, candidate)
    pair = align(reference, candidate)
    figures = common_figures(reference.facts, candidate.facts)
    # Goldens were not timed.
    figures["latency_ms"].pop("reference")
    figures["tolerance"] = tolerance
    checks = validity_checks("reference", pair.reference)
    checks += validity_checks("candidate", pair.candidate)
    checks.append(_self_test_check(candidate))
    if all(check.outcome is not Outcome.failed for check in checks[:-1]):
        checks.append(_difference_check(pair, tolerance))
        clear = _margins(pair) > 2 * tolerance
        if clear.any():
            checks.append(_choice_check(pair, clear, tolerance))
        else:
            figures["notes"].append({"kind": "choice_not_compared", "margin": 2 * tolerance})
    return Verdict.from_checks(
        checks, reference=origin(reference), candidate=origin(candidate), figures=figures
    )


def _same_model(reference: Recording, candidate: Recording) -> None:
    expected, got = reference.facts.model_sha256, candidate.facts.model_sha256
    if expected != got:
        raise BadInput(
            "the recording is of another model than the goldens",
            where=f"{reference.facts.runtime} against {candidate.facts.runtime}",
            expected=f"model sha256 {expected} (the bundle)",
            got=f"model sha256 {got} (the recording)",
            next_step="install this bundle with `pipeline android install`, and record it again",
        )


def _self_test_check(candidate: Recording) -> Check:
    """Check that the device found no golden that it prepares otherwise; its answers may be near."""
    failed = candidate.self_test_failed
    return compare(
        "goldens_failed_on_device",
        Gate.numbers,
        len(failed),
        "==",
        0,
        unit="goldens",
        evidence={"kind": "golden_self_test", "image_ids": [*failed]},
    )


def _difference_check(pair: Pair, tolerance: float) -> Check:
    largest = largest_differences(pair)
    worst = int(largest.argmax())
    apart = np.abs(pair.candidate[worst] - pair.reference[worst])
    label = int(apart.argmax())
    return compare(
        "largest_probability_difference",
        Gate.numbers,
        float(largest[worst]),
        "<=",
        tolerance,
        unit="probability",
        evidence={
            "kind": "golden_difference",
            "limit": tolerance,
            "goldens_over": int((largest > tolerance).sum()),
            "n": len(largest),
            "furthest": {
                "image_id": str(pair.image_ids[worst]),
                "label": pair.labels[label],
                "reference": float(pair.reference[worst, label]),
                "candidate": float(pair.candidate[worst, label]),
            },
        },
    )


def _choice_check(pair: Pair, clear: Flags, tolerance: float) -> Check:
    rows = np.flatnonzero(clear)
    was, became = pair.reference.argmax(axis=1), pair.candidate.argmax(axis=1)
    flipped = [int(row) for row in rows if was[row] != became[row]]
    return compare(
        "goldens_chosen_differently",
        Gate.task,
        len(flipped),
        "==",
        0,
        unit="goldens",
        evidence={
            "kind": "golden_choice",
            "compared": len(rows),
            "n": len(clear),
            "margin": 2 * tolerance,
            "flipped": [
                {
                    "image_id": str(pair.image_ids[row]),
                    "reference": pair.labels[was[row]],
                    "candidate": pair.labels[became[row]],
                }
                for row in flipped
            ],
        },
    )


def _margins(pair: Pair) -> npt.NDArray[np.float64]:
    ordered = np.sort(pair.reference.astype(np.float64), axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])
