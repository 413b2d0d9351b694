"""Divide the logits of models by a temperature, in their weights."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.child import ask_child
from pipeline.contract.base import Frozen

TEMPERATURE = 1.7
PROBABILITIES = (
    "dense",
    "no bias",
    "softmax",
    "activation",
    "nested",
    "sequential",
    "shared with another model",
)


class _Asked(Frozen):
    temperature: float = TEMPERATURE


class Folded(Frozen):
    before: dict[str, tuple[tuple[float, ...], ...]]
    after: dict[str, tuple[tuple[float, ...], ...]]
    refused: dict[str, str]


@pytest.fixture(scope="module")
def folded() -> Folded:
    return ask_child("tests.classifier.temperature:fold_child", _Asked(), Folded)


@pytest.mark.parametrize("ending", PROBABILITIES)
def test_the_answers_are_those_of_the_scaled_logits(folded: Folded, ending: str) -> None:
    before, after = np.array(folded.before[ending]), np.array(folded.after[ending])
    powers = before ** (1 / TEMPERATURE)
    assert after == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-5)
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    assert np.abs(after - before).max() > 0.01


def test_logits_are_divided(folded: Folded) -> None:
    before, after = np.array(folded.before["logits"]), np.array(folded.after["logits"])
    assert after == pytest.approx(before / TEMPERATURE, abs=1e-5)


def test_one_sigmoid_is_a_softmax_of_two_classes(folded: Folded) -> None:
    before, after = np.array(folded.before["sigmoid"]), np.array(folded.after["sigmoid"])
    odds = (before / (1 - before)) ** (1 / TEMPERATURE)
    assert after == pytest.approx(odds / (1 + odds), abs=1e-5)


def test_what_has_no_such_last_layer_is_refused_and_left_as_it_was(folded: Folded) -> None:
    assert set(folded.refused) == {"shared", "sum", "squared"}
    assert "used 2 times" in folded.refused["shared"]
    assert folded.refused["sum"].startswith("Add ")
