"""Hold references to their labels: wrong inputs, swapped labels, and models that know nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.contract.normalization import Normalization, NormalizationName
from pipeline.contract.verdict import Check, Gate, Outcome
from pipeline.parity.comparison import outcome_of
from pipeline.parity.reference import OtherConvention, reference_checks
from pipeline.parity.thresholds import Thresholds
from pipeline.report.sentences import sentence
from pipeline.runtimes.recording import Recording
from tests.parity.recordings import LABELS, recording

TF, RAW = (Normalization.named(NormalizationName[name]) for name in ("tf", "raw"))
Classes = npt.NDArray[np.int64]


def answers(chosen: Classes) -> npt.NDArray[np.float32]:
    rows = np.full((len(chosen), len(LABELS)), 0.1 / (len(LABELS) - 1), np.float32)
    rows[np.arange(len(chosen)), chosen] = 0.9
    return rows


def reference(truth: Classes, chosen: Classes) -> Recording:
    return recording(answers(chosen), truth.tolist())


def check(checks: list[Check], name: str) -> Check:
    for one in checks:
        assert outcome_of(Check.model_validate_json(one.model_dump_json())) is one.outcome
        assert "not known here" not in sentence(one)
        assert "of another form" not in sentence(one)
    (found,) = (one for one in checks if one.name == f"reference_{name}")
    assert found.gate is Gate.reference
    return found


def wrong(truth: Classes, share: float, seed: int = 0) -> Classes:
    random = np.random.default_rng(seed)
    hit = random.random(len(truth)) >= share
    others = (truth + random.integers(1, len(LABELS), len(truth))) % len(LABELS)
    return np.where(hit, truth, others)


TRUTH: Classes = np.random.default_rng(7).integers(0, len(LABELS), 200)
ROWS = np.arange(0, 200, 4)


def other(chosen: Classes, normalization: Normalization = RAW) -> OtherConvention:
    return OtherConvention(normalization, ROWS, chosen[ROWS])


def test_a_model_asked_as_it_was_trained_passes() -> None:
    checks = reference_checks(
        reference(TRUTH, wrong(TRUTH, 0.2)), TF, [other(wrong(TRUTH, 0.8))], Thresholds()
    )
    assert {one.outcome for one in checks} == {Outcome.passed}


def test_another_convention_that_is_clearly_better_is_named_with_both_accuracies() -> None:
    nonsense = np.zeros_like(TRUTH)
    checks = reference_checks(
        reference(TRUTH, nonsense),
        TF,
        [
            other(wrong(TRUTH, 0.6), Normalization.named(NormalizationName.unit)),
            other(wrong(TRUTH, 0.01)),
        ],
        Thresholds(),
    )
    found = check(checks, "input_convention")
    assert found.outcome is Outcome.failed
    better = found.evidence["better"]
    assert better["name"] == "raw"
    assert better["accuracy"] > 0.95
    assert better["stated_accuracy"] < 0.5
    assert better["p"] < 0.001


def test_a_convention_that_is_a_little_better_is_no_reason_to_refuse() -> None:
    model = wrong(TRUTH, 0.25)
    almost = model.copy()
    missed = np.flatnonzero(model[ROWS] != TRUTH[ROWS])[:3]
    almost[ROWS[missed]] = TRUTH[ROWS[missed]]
    checks = reference_checks(reference(TRUTH, model), TF, [other(almost)], Thresholds())
    assert check(checks, "input_convention").outcome is Outcome.passed


@pytest.mark.parametrize("answer", ["largest", "chance"])
def test_a_model_that_knows_nothing_is_not_passed(answer: str) -> None:
    random = np.random.default_rng(1)
    truth = np.where(random.random(200) < 0.5, 0, TRUTH)
    chosen = np.zeros_like(truth) if answer == "largest" else random.integers(0, 3, 200)
    found = check(
        reference_checks(reference(truth, chosen), TF, [], Thresholds()),
        "better_than_largest_class",
    )
    assert found.outcome is Outcome.failed
    assert found.value is not None
    assert found.threshold is not None
    assert found.value < found.threshold
    assert found.evidence["label"] == LABELS[0]


def test_a_weak_reference_can_be_accepted_and_the_verdict_says_so() -> None:
    recorded = reference(TRUTH, np.zeros_like(TRUTH))
    thresholds = Thresholds(accept_weak_reference=True)
    found = check(reference_checks(recorded, TF, [], thresholds), "better_than_largest_class")
    assert found.outcome is Outcome.passed
    assert found.evidence["unless"] == {"kind": "weak_reference_accepted"}


def test_a_floor_is_asked_where_it_is_given() -> None:
    recorded = reference(TRUTH, wrong(TRUTH, 0.3))
    for floor, outcome in ((0.5, Outcome.passed), (0.9, Outcome.failed)):
        checks = reference_checks(recorded, TF, [], Thresholds(min_reference_accuracy=floor))
        assert check(checks, "accuracy").outcome is outcome
    assert len(reference_checks(recorded, TF, [], Thresholds())) == 3


def test_labels_in_another_order_are_named() -> None:
    order = np.roll(np.arange(len(LABELS)), 1)
    chosen = order[wrong(TRUTH, 0.1)]
    found = check(reference_checks(reference(TRUTH, chosen), TF, [], Thresholds()), "label_order")
    assert found.outcome is Outcome.failed
    # Output k answers the label whose place `order` gave to k.
    expected = [LABELS[int(np.flatnonzero(order == k)[0])] for k in range(len(LABELS))]
    assert found.evidence["order"] == expected
    assert found.evidence["accuracy"] > 0.8


@pytest.mark.parametrize("seed", range(20))
def test_a_model_of_chance_is_not_accused_of_another_order(seed: int) -> None:
    chosen = np.random.default_rng(seed).integers(0, len(LABELS), len(TRUTH))
    found = check(reference_checks(reference(TRUTH, chosen), TF, [], Thresholds()), "label_order")
    assert found.outcome is Outcome.passed


def test_unlabelled_images_leave_nothing_to_hold_a_reference_to() -> None:
    unknown = recording(answers(np.zeros(60, np.int64)), [-1] * 60)
    assert reference_checks(unknown, TF, [], Thresholds()) == []


def test_a_floor_cannot_be_held_against_images_without_labels() -> None:
    unknown = recording(answers(np.zeros(60, np.int64)), [-1] * 60)
    (floor,) = reference_checks(unknown, TF, [], Thresholds(min_reference_accuracy=0.5))
    assert (floor.name, floor.outcome) == ("reference_accuracy", Outcome.inconclusive)
