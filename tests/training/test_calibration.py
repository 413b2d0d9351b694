"""Fit temperatures and measure calibration errors of answers whose truth is known."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from pipeline.training.calibration import (
    TEMPERATURES,
    Answers,
    calibration,
    calibration_figures,
    fit_temperature,
    scaled,
)


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def drawn(images: int, temperature: float, seed: int = 0, classes: int = 5) -> Answers:
    """Return answers of a model whose logits must be divided by `temperature`."""
    random = np.random.default_rng(seed)
    logits = 2 * random.normal(size=(images, classes))
    honest = softmax(logits)
    truth = (honest.cumsum(axis=1) > random.random((images, 1))).argmax(axis=1)
    return Answers(truth.astype(np.int64), softmax(logits * temperature).astype(np.float32))


@pytest.mark.parametrize("temperature", [0.5, 0.8, 1.0, 1.7, 4.0])
def test_the_temperature_of_a_model_is_found(temperature: float) -> None:
    answers = drawn(10_000, temperature)
    found = fit_temperature(answers.truth, answers.probabilities)
    assert found.value == pytest.approx(temperature, rel=0.05)
    assert not found.at_limit


def test_no_other_temperature_makes_the_labels_more_likely() -> None:
    answers = drawn(400, 1.6)
    truth, rows = answers.truth, np.arange(400)
    best = fit_temperature(truth, answers.probabilities).value
    smooth = np.full((400, 5), 0.2)
    smooth[rows, truth] += 400

    def loss(value: float) -> float:
        return float(-(smooth * np.log(softmax(np.log(answers.probabilities) / value))).sum())

    assert all(loss(best) < loss(best * factor) for factor in (0.9, 0.99, 1.01, 1.1))


def test_answers_that_are_all_right_are_not_made_certain() -> None:
    truth = np.arange(200) % 5
    sure = softmax(3 * np.eye(5)[truth]).astype(np.float32)
    found = fit_temperature(truth, sure)
    assert not found.at_limit
    assert TEMPERATURES[0] < found.value < 1
    assert scaled(sure, found.value).max() < 0.9995


def test_answers_without_any_information_are_at_the_limit() -> None:
    answers = drawn(2000, 1.0)
    shuffled = np.random.default_rng(1).permutation(answers.truth)
    assert fit_temperature(shuffled, answers.probabilities).at_limit


@pytest.mark.parametrize("rows", [np.zeros((0, 3)), np.full((2, 3), np.nan)])
def test_nothing_is_fitted_on_no_answers(rows: npt.NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="finite answers"):
        fit_temperature(np.zeros(len(rows), np.int64), rows.astype(np.float32))


@given(
    logits=arrays(np.float32, (6, 4), elements=st.integers(-400, 400).map(lambda k: k / 16)),
    temperature=st.floats(*TEMPERATURES),
)
def test_scaling_never_changes_which_class_is_most_probable(
    logits: npt.NDArray[np.float32], temperature: float
) -> None:
    before = softmax(logits.astype(np.float64)).astype(np.float32)
    after = scaled(before, temperature)
    assert after.sum(axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    chosen = before.argmax(axis=1)
    # The class that was the most probable still is, alone or among equals of float32.
    assert (after[np.arange(6), chosen] == after.max(axis=1)).all()


def test_scaling_by_one_changes_nothing() -> None:
    rows = drawn(50, 1.3).probabilities
    assert scaled(rows, 1.0) == pytest.approx(rows, abs=1e-6)


@pytest.mark.parametrize("images", [100, 400])
def test_chance_is_taken_out_of_the_error_of_calibrated_answers(images: int) -> None:
    found = [
        calibration_figures(one.truth, one.probabilities, resamples=50)
        for one in (drawn(images, 1.0, seed) for seed in range(30))
    ]
    plain = np.array([one.equal_mass for one in found])
    # The mean square without chance is 0: half of them are below, and shown as 0.
    assert np.mean([one.debiased == 0 for one in found]) > 0.3
    assert np.mean([one.debiased for one in found]) < plain.mean() / 2
    assert plain.mean() > 0.5 / np.sqrt(images)
    assert all(one.low == 0 for one in found if one.debiased == 0)


def test_the_interval_holds_the_error_of_answers_that_are_too_sure() -> None:
    many = drawn(40_000, 2.0)
    real = calibration_figures(many.truth, many.probabilities, resamples=2).debiased
    found = [
        calibration_figures(one.truth, one.probabilities, resamples=100)
        for one in (drawn(600, 2.0, seed) for seed in range(1, 21))
    ]
    assert np.mean([one.low <= real <= one.high for one in found]) >= 0.8
    assert np.mean([one.debiased for one in found]) == pytest.approx(real, rel=0.1)


def test_bins_of_equal_mass_hold_every_image_once() -> None:
    answers = drawn(152, 1.0)
    found = calibration_figures(answers.truth, answers.probabilities, resamples=2)
    assert len(found.bins) == 15
    assert {one.images for one in found.bins} == {10, 11}
    assert sum(one.images for one in found.bins) == found.images == 152
    confidences = [one.confidence for one in found.bins]
    assert confidences == sorted(confidences)


def test_a_single_image_is_measured() -> None:
    found = calibration_figures(np.array([0]), np.array([[0.7, 0.3]], np.float32))
    assert found.equal_mass == pytest.approx(0.3)
    assert found.debiased == 0


def test_each_split_is_compared_before_and_after() -> None:
    before = {"validation": drawn(600, 2.0, 1), "test": drawn(600, 2.0, 2)}
    fitted = fit_temperature(before["validation"].truth, before["validation"].probabilities)
    after = {
        split: Answers(one.truth, scaled(one.probabilities, fitted.value))
        for split, one in before.items()
    }
    found = calibration(fitted, before, after)
    assert found.images == 600
    for change in found.splits.values():
        assert change.after.debiased < change.before.debiased / 2
        assert change.after.loss < change.before.loss
