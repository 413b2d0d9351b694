"""Read how a device is to speak of answers."""

from __future__ import annotations

import struct

import pytest
from pydantic import ValidationError

from pipeline.contract.decision import Decision, Reading, parse_thresholds
from pipeline.contract.labels import Labels
from pipeline.errors import BadInput

LABELS = Labels(names=("MEL", "BCC", "NV"))


def test_thresholds_are_read_from_words() -> None:
    assert parse_thresholds(["MEL=0.3", "NV=0.75"]) == {"MEL": 0.3, "NV": 0.75}
    assert parse_thresholds([]) == {}


@pytest.mark.parametrize("text", ["MEL", "MEL=", "=0.3", "MEL=high", "MEL 0.3"])
def test_what_is_no_threshold_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="not a threshold") as refused:
        parse_thresholds([text])
    assert refused.value.got == text


def test_a_class_has_one_threshold() -> None:
    with pytest.raises(BadInput, match="given twice"):
        parse_thresholds(["MEL=0.3", "MEL=0.4"])


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 1.5])
def test_a_probability_lies_between_0_and_1(value: float) -> None:
    with pytest.raises(ValidationError):
        Decision(unsure_below=value)
    with pytest.raises(ValidationError):
        Decision(thresholds={"MEL": value})


def test_a_threshold_is_of_a_class_of_the_model() -> None:
    Decision(thresholds={"MEL": 0.3}).check_labels(LABELS)
    with pytest.raises(BadInput, match="does not have") as refused:
        Decision(thresholds={"MEL": 0.3, "Mole": 0.2}).check_labels(LABELS)
    assert refused.value.got == "Mole"


def test_without_a_decision_the_most_probable_class_is_the_answer() -> None:
    assert Decision().read({"a": 0.4, "b": 0.4, "c": 0.2}) == Reading("a", False, ())
    assert not Decision().states_something


@pytest.mark.parametrize(("best", "unsure"), [(0.49, True), (0.5, False)])
def test_below_the_band_the_answer_is_unsure_at_it_not(best: float, unsure: bool) -> None:
    decision = Decision(unsure_below=0.5)
    assert decision.states_something
    assert decision.read({"a": best, "b": 0.3}).unsure is unsure


def test_a_class_that_reaches_its_threshold_is_named_most_probable_first() -> None:
    decision = Decision(thresholds={"a": 0.1, "b": 0.3, "c": 0.5})
    assert decision.read({"a": 0.2, "b": 0.35, "c": 0.45}) == Reading("c", False, ("b", "a"))


def test_a_probability_is_compared_as_the_app_compares_it_in_float32() -> None:
    # As a float32, 0.7 lies below the double of the same digits.
    answered = struct.unpack("f", struct.pack("f", 0.7))[0]
    assert answered < 0.7
    decision = Decision(unsure_below=0.7, thresholds={"a": 0.7})
    assert decision.read({"a": answered, "b": 0.3}) == Reading("a", False, ("a",))
