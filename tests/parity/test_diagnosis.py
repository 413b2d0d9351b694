"""Decide between mistakes whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract.choices import Mistake
from pipeline.contract.diagnosis import Found
from pipeline.parity.diagnosis import Decision, Prediction, decide, distances
from pipeline.parity.thresholds import Thresholds

COUNT, CLASSES = 80, 5


def rows(seed: int, count: int = COUNT) -> np.ndarray:
    spread = np.random.default_rng(seed).dirichlet(np.ones(CLASSES) * 0.4, count)
    return spread.astype(np.float32)


def near(answers: np.ndarray, noise: float, seed: int = 5) -> np.ndarray:
    """Return the answers with another's mixed in, so that they stay probabilities."""
    return ((1 - noise) * answers + noise * rows(seed, len(answers))).astype(np.float32)


def judged(
    right: np.ndarray, candidate: np.ndarray, predicted: dict[Mistake, np.ndarray]
) -> Decision:
    predictions = [
        Prediction(name, "only", right, candidate, answers) for name, answers in predicted.items()
    ]
    return decide(right, candidate, predictions, Thresholds())


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1, 0.3])
def test_the_mistake_that_predicts_the_answers_is_named(noise: float) -> None:
    right, wrong = rows(1), rows(2)
    found = judged(
        right,
        near(wrong, noise),
        {Mistake.nearest: rows(3), Mistake.bgr: wrong, Mistake.mirrored: near(wrong, 0.9, seed=7)},
    )
    assert found.found is Found.known
    assert found.named == (Mistake.bgr,)
    best = found.suspects[0]
    assert best.mistake is Mistake.bgr
    assert best.flips_explained <= best.flips < COUNT
    assert best.explained_share > 0.5


def test_mistakes_that_predict_the_same_are_named_together_in_their_order() -> None:
    right, wrong = rows(1), rows(2)
    found = judged(
        right,
        near(wrong, 0.02),
        {Mistake.transposed: wrong, Mistake.bgr: wrong, Mistake.mirrored: rows(3)},
    )
    assert found.named == (Mistake.bgr, Mistake.transposed)


def test_an_unknown_mistake_is_not_named() -> None:
    found = judged(rows(1), rows(2), {Mistake.bgr: rows(3), Mistake.mirrored: rows(4)})
    assert found.found is Found.none_known
    assert found.named == ()
    assert len(found.suspects) == 2


def test_half_an_explanation_is_none() -> None:
    right, wrong = rows(1), rows(2)
    halfway = near(wrong, 0.55)
    found = judged(right, wrong, {Mistake.bgr: halfway})
    assert found.suspects[0].explained_share < 0.5
    assert found.found is Found.none_known


@pytest.mark.parametrize("noise", [0.0, 1e-5, 1e-3, 0.02])
def test_rounding_is_no_disagreement(noise: float) -> None:
    right = rows(1)
    found = judged(right, near(right, noise), {Mistake.bgr: rows(2), Mistake.nearest: rows(3)})
    assert found.found is Found.no_disagreement


def test_a_small_mistake_is_found_below_the_limits_of_the_gates() -> None:
    right = rows(1)
    wrong = near(right, 0.02, seed=6)
    assert judged(right, wrong, {}).found is Found.no_disagreement
    found = judged(right, wrong, {Mistake.zero_point: wrong})
    assert found.named == (Mistake.zero_point,)


def test_few_images_name_only_what_is_exact() -> None:
    right, wrong = rows(1, 3), rows(2, 3)
    assert judged(right, wrong, {Mistake.bgr: wrong}).named == (Mistake.bgr,)
    noisy = judged(right, near(wrong, 0.3), {name: near(wrong, 0.1, 11) for name in Mistake})
    assert noisy.named == ()


def test_the_best_variant_stands_for_its_mistake() -> None:
    right, wrong = rows(1), rows(2)
    predictions = [
        Prediction(Mistake.letterbox, "white", right, wrong, rows(3)),
        Prediction(Mistake.letterbox, "black", right, wrong, wrong),
    ]
    (only,) = decide(right, wrong, predictions, Thresholds()).suspects
    assert only.variant == "black"
    assert only.distance == 0
    floor = float(distances(right, wrong).mean()) / 1e-4
    assert only.log_likelihood_ratio == pytest.approx(COUNT * math.log(floor))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.floats(0.0, 0.05), count=st.integers(20, 120))
def test_chance_names_no_mistake(seed: int, noise: float, count: int) -> None:
    right = rows(seed, count)
    candidate = near(right, noise, seed + 1)
    predicted = {name: rows(seed + 2 + i, count) for i, name in enumerate(Mistake)}
    assert judged(right, candidate, predicted).named == ()
