from __future__ import annotations

import pytest

from pipeline.contract.trace import StepKind, Trace
from pipeline.errors import BadInput
from pipeline.parity.trace import Recorded, trace_steps
from tests.parity.recordings import answers, recording

TRUTH = [0, 0, 0, 1, 1, 2, 2, 2, 2, 2]
CONVERTED = [0, 0, 0, 1, 1, 2, 2, 2, 2, 1]
QUANTIZED = [0, 1, 2, 1, 1, 2, 2, 2, 2, 1]
# It undoes one flip and makes another.
PHONE = [0, 0, 2, 1, 1, 2, 2, 2, 0, 1]


def steps_of(*chosen: list[int], critical: tuple[str, ...] = ("MEL",)) -> Trace:
    kinds = (StepKind.keras, StepKind.convert, StepKind.recipe, StepKind.runtime)
    recorded = [
        Recorded(kind, str(kind), recording(answers(one), TRUTH), place - 1 if place else None)
        for place, (kind, one) in enumerate(zip(kinds, chosen, strict=False))
    ]
    return Trace(
        bundle="bundle",
        model_sha256="0" * 64,
        split="validation",
        images=len(TRUTH),
        steps=trace_steps(recorded, critical),
    )


def test_each_step_is_compared_with_the_one_before_and_with_keras() -> None:
    trace = steps_of(TRUTH, CONVERTED, QUANTIZED, PHONE)
    assert [step.flips for step in trace.steps] == [0, 1, 2, 2]
    assert [step.keras_flips for step in trace.steps] == [0, 1, 3, 3]
    assert [step.accuracy for step in trace.steps] == [1.0, 0.9, 0.7, 0.7]
    recalls = [step.critical_recall["MEL"] for step in trace.steps]
    assert recalls == pytest.approx([1.0, 1.0, 1 / 3, 2 / 3])
    assert trace.agreement(trace.steps[2]) == pytest.approx(0.8)
    assert trace.keras_agreement(trace.steps[2]) == pytest.approx(0.7)
    assert trace.steps[0].mean_difference == 0
    assert trace.steps[1].mean_difference == trace.steps[1].keras_mean_difference > 0


def test_the_step_that_flips_most_is_where_it_was_lost() -> None:
    assert steps_of(TRUTH, CONVERTED, QUANTIZED).lost_at == 2
    assert steps_of(TRUTH, QUANTIZED, CONVERTED).lost_at == 1
    assert steps_of(TRUTH, TRUTH, TRUTH).lost_at is None


def test_unlabelled_images_have_no_accuracy() -> None:
    unknown = [-1] * len(TRUTH)
    recorded = [Recorded(StepKind.keras, "Keras", recording(answers(TRUTH), unknown), None)]
    (step,) = trace_steps(recorded, ("MEL",))
    assert step.accuracy is None
    assert step.critical_recall == {"MEL": None}


def test_recordings_of_other_images_are_refused() -> None:
    other = recording(answers(TRUTH), TRUTH, ids=[f"{i:064x}" for i in range(50, 60)])
    recorded = [
        Recorded(StepKind.keras, "Keras", recording(answers(TRUTH), TRUTH), None),
        Recorded(StepKind.runtime, "phone", other, 0),
    ]
    with pytest.raises(BadInput, match="different images"):
        trace_steps(recorded, ())
