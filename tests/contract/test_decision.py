"""Read how a device is to speak of answers."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipeline.contract.decision import Decision, parse_thresholds
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
