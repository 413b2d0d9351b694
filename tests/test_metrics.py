"""Compare the metrics with scikit-learn's, and with what can be seen by eye."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from pipeline.errors import BadInput
from pipeline.metrics import (
    Probabilities,
    Truth,
    balanced_accuracy,
    confusion_matrix,
    expected_calibration_error,
    load_metrics,
    measure,
    reliability,
)

NAMES = ("a", "b", "c", "d")


@st.composite
def answers(draw: st.DrawFn) -> tuple[Truth, Probabilities]:
    count = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    present = draw(st.sets(st.integers(0, 3), min_size=1))
    truth = random.choice(sorted(present), size=count).astype(np.int64)
    # Sharpness from near-uniform to near-certain.
    logits = random.normal(size=(count, 4)) * 10 ** random.uniform(-2, 1)
    values = np.exp(logits - logits.max(axis=1, keepdims=True))
    return truth, (values / values.sum(axis=1, keepdims=True)).astype(np.float32)


@given(answers())
@settings(deadline=None)
def test_accuracy_and_balanced_accuracy_are_scikit_learns(
    given_answers: tuple[Truth, Probabilities],
) -> None:
    truth, probabilities = given_answers
    predicted = probabilities.argmax(axis=1)
    found = measure(truth, probabilities, NAMES)
    assert found.accuracy == pytest.approx(reference.accuracy_score(truth, predicted))
    recalls = reference.recall_score(
        truth, predicted, labels=np.unique(truth), average=None, zero_division=0
    )
    assert found.balanced_accuracy == pytest.approx(recalls.mean())


@given(answers())
@settings(deadline=None)
def test_the_confusion_matrix_is_scikit_learns(
    given_answers: tuple[Truth, Probabilities],
) -> None:
    truth, probabilities = given_answers
    found = np.array(measure(truth, probabilities, NAMES).confusion)
    expected = reference.confusion_matrix(truth, probabilities.argmax(axis=1), labels=range(4))
    assert (found == expected).all()
    assert found.sum() == len(truth)


@given(answers())
@settings(deadline=None)
def test_recall_precision_and_auc_are_scikit_learns_where_they_exist(
    given_answers: tuple[Truth, Probabilities],
) -> None:
    truth, probabilities = given_answers
    predicted = probabilities.argmax(axis=1)
    for i, figures in enumerate(measure(truth, probabilities, NAMES).classes):
        is_class, answered = truth == i, predicted == i
        assert figures.images == is_class.sum()
        assert (figures.recall is None) == (not is_class.any())
        assert (figures.precision is None) == (not answered.any())
        assert (figures.auc is None) == (is_class.all() or not is_class.any())
        if figures.recall is not None:
            assert figures.recall == pytest.approx(reference.recall_score(is_class, answered))
        if figures.precision is not None:
            precision = reference.precision_score(is_class, answered, zero_division=0)
            assert figures.precision == pytest.approx(precision)
        if figures.auc is not None:
            area = reference.roc_auc_score(is_class, probabilities[:, i])
            assert figures.auc == pytest.approx(area)


@given(answers(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_the_images_does_not_matter(
    given_answers: tuple[Truth, Probabilities], random: object
) -> None:
    truth, probabilities = given_answers
    order = np.arange(len(truth))
    random.shuffle(order)  # type: ignore[attr-defined]
    one, other = (
        measure(truth, probabilities, NAMES),
        measure(truth[order], probabilities[order], NAMES),
    )
    assert one.confusion == other.confusion
    assert one.calibration_error == pytest.approx(other.calibration_error)


def test_calibration_error_is_zero_when_confidence_is_accuracy() -> None:
    probabilities = np.tile(np.array([[0.75, 0.25]], np.float32), (4, 1))
    assert expected_calibration_error(np.array([0, 0, 0, 1]), probabilities) == pytest.approx(0.0)


def test_calibration_error_is_the_weighted_gap_by_hand() -> None:
    # Two sure and wrong (gap 1.0), two at 0.6 of which one is right (gap 0.1).
    probabilities = np.array([[1, 0], [1, 0], [0.6, 0.4], [0.6, 0.4]], np.float32)
    found = expected_calibration_error(np.array([1, 1, 0, 1]), probabilities)
    assert found == pytest.approx((2 * 1.0 + 2 * 0.1) / 4)


def test_the_calibration_error_is_the_weighted_gap_of_the_bins_that_are_drawn() -> None:
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet((0.5, 0.5, 0.5), 300).astype(np.float32)
    truth = rng.integers(0, 3, 300)
    bins = reliability(truth, probabilities)
    assert sum(one.images for one in bins) == 300
    assert [one.confidence for one in bins] == sorted(one.confidence for one in bins)
    gap = sum(one.images * abs(one.confidence - one.accuracy) for one in bins) / 300
    assert gap == pytest.approx(expected_calibration_error(truth, probabilities), abs=1e-12)


def test_balanced_accuracy_leaves_out_classes_without_images() -> None:
    confusion = confusion_matrix(np.array([0, 0, 1]), np.array([0, 2, 1]), 3)
    assert balanced_accuracy(confusion) == pytest.approx((0.5 + 1.0) / 2)


@pytest.mark.parametrize("rows", [0, 3])
def test_arrays_that_do_not_fit_are_refused(rows: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        measure(np.zeros(rows, np.int64), np.zeros((2, 4), np.float32), NAMES)


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"train": 1}', b"[]"])
def test_damaged_figures_are_refused_with_their_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "metrics.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=r"metrics\.json"):
        load_metrics(path)
