from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.contract.verdict import Check, Outcome, Verdict
from pipeline.errors import BadInput
from pipeline.parity.golden_gate import golden_recording, judge_goldens
from pipeline.runtimes.recording import Recording
from tests.contract.goldens import ANSWERS, NAMES, goldens
from tests.parity.recordings import recording

TOLERANCE = 0.005
FILE = "f" * 64
REFERENCE = golden_recording(goldens(), goldens_sha256=FILE)


def phone(answers: np.ndarray | None = None, **changes: object) -> Recording:
    rows = np.array(ANSWERS) if answers is None else answers
    facts = REFERENCE.facts
    values: dict[str, object] = {
        "runtime": "android",
        "ids": REFERENCE.image_ids.tolist(),
        "labels": NAMES,
        "model_sha256": facts.model_sha256,
        "image_contract_sha256": facts.image_contract_sha256,
        "dataset_sha256": FILE,
        "split": "goldens",
    }
    return recording(rows, [-1] * len(rows), **(values | changes))


def judged(answers: np.ndarray, tolerance: float = TOLERANCE) -> Verdict:
    return judge_goldens(REFERENCE, phone(answers), tolerance=tolerance)


def check_of(verdict: Verdict, name: str) -> Check:
    return next(check for check in verdict.checks if check.name == name)


def moved(row: int, label: int, by: float) -> np.ndarray:
    """Return the answers with `by` moved from a label to the next one."""
    answers = np.array(ANSWERS)
    answers[row, label] -= by
    answers[row, (label + 1) % 3] += by
    return answers


def test_goldens_become_a_recording_without_true_labels() -> None:
    facts = REFERENCE.facts
    assert (facts.runtime, facts.runtime_version, facts.split) == ("litert", "2.3.0", "goldens")
    assert (facts.dataset_sha256, facts.count, facts.labels) == (FILE, 3, NAMES)
    assert REFERENCE.truth.tolist() == [-1, -1, -1]
    assert REFERENCE.image_ids.tolist() == [one.sha256 for one in goldens().goldens]
    np.testing.assert_array_equal(REFERENCE.probabilities, np.array(ANSWERS, np.float32))


def test_probabilities_are_taken_by_name() -> None:
    shuffled = tuple(
        one.model_copy(update={"probabilities": dict(reversed(one.probabilities.items()))})
        for one in goldens().goldens
    )
    again = golden_recording(goldens(goldens=shuffled), goldens_sha256=FILE)
    np.testing.assert_array_equal(again.probabilities, REFERENCE.probabilities)


def test_equal_answers_pass_with_their_evidence() -> None:
    verdict = judged(np.array(ANSWERS))
    assert verdict.passed
    assert len(verdict.checks) == 11
    assert not any("accuracy" in check.name for check in verdict.checks)
    assert check_of(verdict, "largest_probability_difference").value == 0.0
    choice = check_of(verdict, "goldens_chosen_differently")
    assert choice.evidence == {
        "kind": "golden_choice",
        "compared": 2,
        "n": 3,
        "margin": 2 * TOLERANCE,
        "flipped": [],
    }
    assert verdict.figures["split"] == "goldens"
    assert list(verdict.figures["latency_ms"]) == ["candidate"]
    assert verdict.candidate["runtime"] == "android"


@pytest.mark.parametrize(("by", "passes"), [(0.0049, True), (0.0051, False)])
def test_one_probability_may_be_apart_by_the_tolerance(by: float, passes: bool) -> None:
    verdict = judged(moved(1, 1, by))
    check = check_of(verdict, "largest_probability_difference")
    assert check.value == pytest.approx(by, abs=1e-6)
    assert check.threshold == TOLERANCE
    assert (check.outcome is Outcome.passed) is passes
    assert verdict.outcome is (Outcome.passed if passes else Outcome.failed)
    assert (check.evidence["goldens_over"], check.evidence["n"]) == (0 if passes else 1, 3)
    furthest = check.evidence["furthest"]
    assert isinstance(furthest, dict)
    assert furthest["image_id"] == goldens().goldens[1].sha256
    assert furthest["label"] in ("NV", "BCC")


def test_another_class_where_the_bundle_is_sure_fails_both_gates() -> None:
    verdict = judged(moved(0, 0, 0.5))
    assert [check.name for check in verdict.broken()] == [
        "largest_probability_difference",
        "goldens_chosen_differently",
    ]
    assert check_of(verdict, "goldens_chosen_differently").evidence["flipped"] == [
        {"image_id": goldens().goldens[0].sha256, "reference": "MEL", "candidate": "NV"}
    ]


def test_another_class_where_the_bundle_hesitates_is_no_difference() -> None:
    flipped = moved(2, 0, 0.004)
    assert flipped[2].argmax() != np.array(ANSWERS)[2].argmax()
    assert judged(flipped).passed


def test_where_the_bundle_is_nowhere_sure_the_choice_is_not_asked_and_a_note_says_so() -> None:
    verdict = judged(np.array(ANSWERS), tolerance=0.4)
    assert "goldens_chosen_differently" not in [check.name for check in verdict.checks]
    assert verdict.figures["notes"] == [{"kind": "choice_not_compared", "margin": 0.8}]
    assert verdict.passed


def test_answers_that_are_no_probabilities_end_the_verdict() -> None:
    for broken in (np.full((3, 3), np.nan), np.array(ANSWERS) * 3, np.array([ANSWERS[0]] * 3)):
        verdict = judged(broken)
        assert verdict.outcome is Outcome.failed
        assert not {"largest_probability_difference"} & {c.name for c in verdict.checks}


def test_columns_in_another_order_fail() -> None:
    assert judged(np.array(ANSWERS)[:, [1, 0, 2]]).outcome is Outcome.failed


def test_rows_in_another_order_are_aligned() -> None:
    order = [2, 0, 1]
    ids = [REFERENCE.image_ids.tolist()[i] for i in order]
    candidate = phone(np.array(ANSWERS)[order], ids=ids)
    assert judge_goldens(REFERENCE, candidate, tolerance=TOLERANCE).passed


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_sha256": "0" * 64}, "another model than the goldens"),
        ({"labels": ("NV", "MEL", "BCC")}, "another labels"),
        ({"image_contract_sha256": "0" * 64}, "another image contract"),
        ({"dataset_sha256": "0" * 64}, "another dataset"),
        ({"split": "validation"}, "another split"),
        ({"ids": ["a" * 64, "b" * 64, "c" * 64]}, "different images"),
    ],
)
def test_a_recording_of_something_else_is_refused_by_name(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        judge_goldens(REFERENCE, phone(**changes), tolerance=TOLERANCE)


def test_a_golden_that_a_device_prepares_otherwise_fails_though_its_answer_is_near() -> None:
    rows = np.array(ANSWERS)
    image = REFERENCE.image_ids[0]
    candidate = replace(phone(rows), self_test_failed=(str(image),))
    verdict = judge_goldens(REFERENCE, candidate, tolerance=TOLERANCE)
    assert [check.name for check in verdict.broken()] == ["goldens_failed_on_device"]
    assert verdict.broken()[0].evidence["image_ids"] == [str(image)]
