"""Measure answers that are known: figures against slow ones, intervals, subgroups, pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pipeline.contract.evaluation import ModelFigures
from pipeline.evaluation.bootstrap import Resampled, _Ranked, resample
from pipeline.evaluation.compare import compare_models
from pipeline.evaluation.measure import (
    Answered,
    Probabilities,
    Subgroup,
    Truth,
    basic_95,
    measure_model,
    subgroups_of,
)
from pipeline.metrics import measure
from pipeline.parity.statistics import wilson_95

LABELS = ("a", "b", "c")
RESAMPLES = 300


def drawn(count: int, seed: int, skill: float = 2.0) -> tuple[Truth, Probabilities]:
    """Return labels and softmax answers that are better than chance by `skill`."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, count)
    scores = random.normal(size=(count, 3))
    scores[np.arange(count), truth] += skill
    rows = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return truth, rows.astype(np.float32)


def answered(probabilities: Probabilities, name: str = "one") -> Answered:
    return Answered(name, "0" * 64, "litert", "2", "made", None, probabilities)


def measured(
    truth: Truth, probabilities: Probabilities, groups: tuple[Subgroup, ...] = ()
) -> tuple[Answered, Resampled, ModelFigures]:
    one = answered(probabilities)
    (again,) = resample(truth, [probabilities], resamples=RESAMPLES)
    return one, again, measure_model(one, again, truth, LABELS, ("a",), groups)


@given(seed=st.integers(0, 50), levels=st.sampled_from([2, 5, 1000]))
@settings(max_examples=20, deadline=None)
def test_the_area_of_weighted_images_is_that_of_the_images_repeated(seed: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    positive = np.arange(30) < 11
    score = (np.floor(random.random(30) * levels) / levels).astype(np.float32)
    weights = random.integers(0, 4, (5, 30)).astype(np.float64)
    weights[:, [0, 20]] += 1
    areas = _Ranked.of(positive, score).areas(weights)
    for row, area in zip(weights.astype(int), areas, strict=True):
        repeated = roc_auc_score(np.repeat(positive, row), np.repeat(score, row))
        assert area == pytest.approx(repeated)


def test_figures_are_those_of_the_metrics_and_lie_in_their_intervals() -> None:
    truth, probabilities = drawn(300, 1)
    _, _, found = measured(truth, probabilities)
    plain = measure(truth, probabilities, LABELS)
    assert found.accuracy.value == plain.accuracy
    assert (found.accuracy.low, found.accuracy.high) == wilson_95(round(plain.accuracy * 300), 300)
    assert found.balanced_accuracy.value == pytest.approx(plain.balanced_accuracy)
    assert found.auc is not None
    assert found.auc.value == plain.auc
    assert found.calibration_error.value == plain.calibration_error
    assert found.confusion == plain.confusion
    for one, other in zip(found.classes, plain.classes, strict=True):
        assert one.recall is not None
        assert one.precision is not None
        assert (one.recall.value, one.precision.value) == (other.recall, other.precision)
        assert one.recall.images == one.images
    values = [found.accuracy, found.balanced_accuracy, found.auc, found.calibration_error]
    values += [one.auc for one in found.classes if one.auc is not None]
    for value in values:
        assert 0 <= value.low < value.value < value.high <= 1


def test_intervals_of_the_area_hold_the_true_one_about_as_often_as_they_say() -> None:
    whole_truth, whole = drawn(100_000, 99)
    true = [roc_auc_score(whole_truth == k, whole[:, k]) for k in range(3)]
    held = 0
    for seed in range(60):
        truth, probabilities = drawn(150, seed)
        _, _, found = measured(truth, probabilities)
        for one, area in zip(found.classes, true, strict=True):
            assert one.auc is not None
            held += one.auc.low <= area <= one.auc.high
    # About 171 of 180 are expected; the three areas of one draw are not independent.
    assert held >= 163


def test_perfect_answers_still_have_an_interval() -> None:
    truth = np.array([0] * 10 + [1] * 30 + [2] * 30)
    probabilities = (np.eye(3, dtype=np.float32)[truth] * 0.8 + 0.1).astype(np.float32)
    _, _, found = measured(truth, probabilities)
    rare = found.classes[0].auc
    assert rare is not None
    assert rare.value == 1.0
    assert rare.low == pytest.approx(0.025 ** (1 / 10))
    assert found.auc is not None
    assert found.auc.low == rare.low


def test_a_class_without_images_has_no_recall_and_does_not_disturb_the_rest() -> None:
    truth, probabilities = drawn(200, 3)
    kept = truth != 2
    _, _, found = measured(truth[kept], probabilities[kept])
    assert found.classes[2].recall is None
    assert found.classes[2].auc is None
    assert found.auc is not None
    assert found.auc.value == pytest.approx(
        np.mean([one.auc.value for one in found.classes if one.auc is not None])
    )


def test_the_same_images_give_the_same_intervals() -> None:
    truth, probabilities = drawn(120, 5)
    assert measured(truth, probabilities)[2] == measured(truth, probabilities)[2]


def test_the_basic_interval_takes_back_what_resampling_adds() -> None:
    assert basic_95(0.1, np.linspace(0.1, 0.3, 1001)) == pytest.approx((-0.095, 0.1))


def test_subgroups_are_measured_alone_and_small_ones_decide_nothing() -> None:
    truth, probabilities = drawn(200, 7)
    attributes = [{"sex": "female" if k < 180 else "male"} if k < 190 else {} for k in range(200)]
    groups = subgroups_of(attributes)
    assert [(one.attribute, one.value, len(one.rows)) for one in groups] == [
        ("sex", "female", 180),
        ("sex", "male", 10),
    ]
    _, _, found = measured(truth, probabilities, groups)
    women, men = found.subgroups
    alone = measure(truth[:180], probabilities[:180], LABELS)
    assert women.accuracy.value == alone.accuracy
    assert women.recall["a"].value == alone.classes[0].recall
    assert (women.decidable, men.decidable) == (True, False)
    assert women.undecidable_recall == ()
    assert men.undecidable_recall == (("a",) if "a" in men.recall else ())


def test_a_model_compared_with_itself_differs_by_nothing() -> None:
    truth, probabilities = drawn(150, 9)
    groups = subgroups_of([{"sex": "female"}] * 150)
    one = measured(truth, probabilities, groups)
    same = compare_models(one, one, truth, LABELS, groups)
    assert same.agreement.value == 1
    differences = [same.accuracy, same.balanced_accuracy, same.calibration_error, same.auc]
    differences += [*same.recall.values(), same.subgroups[0].accuracy]
    for difference in differences:
        assert difference is not None
        assert difference.value == 0
        assert difference.low <= 0 <= difference.high
    assert same.accuracy.p == 1
    assert same.auc is not None
    assert (same.auc.low, same.auc.high) == (0, 0)


def test_a_worse_model_is_worse_and_swapping_the_two_changes_the_sign() -> None:
    truth, good = drawn(400, 11, skill=3)
    worse = good.copy()
    worse[:120] = np.roll(worse[:120], 1, axis=1)
    pair = [answered(good, "good"), answered(worse, "worse")]
    again = resample(truth, [good, worse], resamples=RESAMPLES)
    sides = [
        (one, drawn_again, measure_model(one, drawn_again, truth, LABELS, (), ()))
        for one, drawn_again in zip(pair, again, strict=True)
    ]
    forward = compare_models(sides[0], sides[1], truth, LABELS, ())
    backward = compare_models(sides[1], sides[0], truth, LABELS, ())
    assert forward.accuracy.high < 0
    assert forward.balanced_accuracy.high < 0
    assert forward.auc is not None
    assert forward.auc.high < 0
    assert forward.accuracy.p is not None
    assert forward.accuracy.p < 0.001
    assert forward.agreement.value < 0.8
    assert forward.accuracy.value == pytest.approx(
        measure(truth, worse, LABELS).accuracy - measure(truth, good, LABELS).accuracy
    )
    assert backward.accuracy.value == -forward.accuracy.value
    assert backward.accuracy.low == pytest.approx(-forward.accuracy.high)
