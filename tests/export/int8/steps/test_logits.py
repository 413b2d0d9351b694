"""Centring changes no answer, and the range is the best of all for the probabilities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.contract.choices import Io, Step
from pipeline.contract.image import ImageContract
from pipeline.export.int8.activation_statistics import Statistics, collect_statistics
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.measure import float_answers, int8_answers
from pipeline.export.int8.steps.logits import (
    applies,
    best_for_softmax,
    centre_logits,
    centred_statistics,
    logits_range,
)
from pipeline.progress import silent
from pipeline.tflite.edit import scale_and_zero_point
from pipeline.tflite.flatbuffer import Model, text
from tests.export.int8.graphs import RELU, Network, values_of

IMAGE = ImageContract(height_px=32, width_px=32)
PIXELS = (
    np.random.default_rng(3)
    .integers(0, 256, (12, 1, 1, 3), dtype=np.uint8)
    .repeat(32, axis=1)
    .repeat(32, axis=2)
)
CLASSES = 5


def network(*, softmax: bool = True, twice: bool = False, activation: int = 0) -> Model:
    """Return a mean and a dense layer whose logits all move together, and far."""
    random = np.random.default_rng(0)
    graph = Network((1, 32, 32, 3))
    eye = np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3)
    graph.conv("image", "first", eye, np.zeros(3, np.float32))
    graph.mean("first", "mean")
    weights = random.normal(0, 4, (CLASSES, 3)) + 40
    bias = random.normal(0, 1, CLASSES) + 9
    graph.dense(
        "mean", "logits", weights.astype(np.float32), bias.astype(np.float32), activation=activation
    )
    if not softmax:
        return graph.build("logits")
    graph.softmax("logits", "probability")
    if twice:
        graph.concatenate(["logits", "probability"], "both")
        return graph.build("both")
    return graph.build("probability")


def statistics(model: Model) -> Statistics:
    return collect_statistics(model, PIXELS, IMAGE, seed=0, report=silent)


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    powers = np.exp(logits)
    answers: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return answers


def test_centring_takes_the_mean_out_of_the_logits_and_leaves_the_answers() -> None:
    model = network()
    centred = centre_logits(model, statistics(model))
    before, after = (float_answers(one, PIXELS, IMAGE, silent) for one in (model, centred))
    assert after == pytest.approx(before, abs=1e-4)
    weights, old = values_of(centred, "logits/weights"), values_of(model, "logits/weights")
    assert weights == pytest.approx(old - old.mean(axis=0), abs=1e-5)
    # The original is left as it was.
    assert old.mean() > 30
    assert values_of(centred, "logits/bias").sum() == pytest.approx(0, abs=1e-4)
    seen = statistics(centred)["logits"].samples.reshape(-1, CLASSES)
    assert seen.mean(axis=1) == pytest.approx(0, abs=1e-4)


def test_a_logit_that_gives_no_probability_is_cut_off_and_the_largest_are_not() -> None:
    # Two classes compete; the third lies so far below that it may be anything up to there.
    random = np.random.default_rng(1)
    logits = np.stack([*random.uniform(-3, 3, (2, 40)), np.full(40, -90.0)], axis=1)
    low, high = best_for_softmax(logits)
    assert -20 < low < -5
    assert high == pytest.approx(logits.max(), abs=0.7)

    def difference(span: tuple[float, float]) -> float:
        scale = (span[1] - span[0]) / 255
        rounded = np.clip(np.rint(logits / scale) * scale, *span)
        return float(np.abs(softmax(rounded) - softmax(logits)).max(axis=1).mean())

    assert difference((low, high)) < difference((float(logits.min()), high)) / 2


def test_equal_logits_have_a_range_with_zero_in_it() -> None:
    low, high = best_for_softmax(np.zeros((3, 2)))
    assert low <= 0 <= high
    assert low < high


def test_the_file_s_answers_are_nearer_and_only_the_logits_have_another_range() -> None:
    model = network()
    builder = Int8Builder(model, PIXELS, IMAGE, Io.int8, 0, silent)
    steps = (Step.ranges, Step.bias_correction)
    wanted = float_answers(model, PIXELS, IMAGE, silent)
    errors, scales = [], []
    for one in (steps, (*steps, Step.logits)):
        graph = builder.build(one)
        got = int8_answers(graph, PIXELS, IMAGE, Io.int8, task="measure", report=silent)
        errors.append(float(np.abs(got - wanted).max(axis=1).mean()))
        named = {text(t.name).rstrip(";"): t for t in graph.subgraphs[0].tensors}
        scales.append({n: scale_and_zero_point(named[n])[0] for n in ("first", "mean", "logits")})
    assert errors[1] < errors[0] / 2
    assert scales[1]["logits"] < scales[0]["logits"] / 2
    assert scales[1]["first"] == pytest.approx(scales[0]["first"])
    assert scales[1]["mean"] == pytest.approx(scales[0]["mean"])


def test_what_centring_does_to_the_statistics_is_known_without_running_the_model() -> None:
    model = network()
    before = statistics(model)
    foretold, measured = centred_statistics(model, before), statistics(centre_logits(model, before))
    assert foretold is not None
    assert foretold.keys() == measured.keys()
    for name, one in measured.items():
        for figure in ("channel_low", "channel_high", "mean", "samples"):
            wanted, got = getattr(one, figure), getattr(foretold[name], figure)
            assert got.dtype == wanted.dtype
            assert got == pytest.approx(wanted, abs=1e-4), (name, figure)
        assert name == "logits" or foretold[name] is before[name]
    old, new = before["logits"], foretold["logits"]
    assert new.high - new.low < (old.high - old.low) / 2


def test_what_a_builder_made_before_does_not_change_what_it_makes() -> None:
    plans = [
        (Step.equalization, Step.logits),
        (Step.equalization,),
        (),
        (Step.logits,),
    ]

    def builder() -> Int8Builder:
        return Int8Builder(network(), PIXELS, IMAGE, Io.int8, 0, silent)

    one = builder()
    made = [one.finish(one.build((Step.ranges, *plan))) for plan in (*plans, *plans)]
    fresh = []
    for plan in plans:
        other = builder()
        fresh.append(other.finish(other.build((Step.ranges, *plan))))
    assert made == [*fresh, *fresh]


@pytest.mark.parametrize(
    "model",
    [network(softmax=False), network(twice=True), network(activation=RELU)],
    ids=["no softmax", "logits read twice", "cut off by ReLU"],
)
def test_another_end_is_left_as_it_is(model: Model) -> None:
    assert not applies(model)
    found = statistics(model)
    assert centre_logits(model, found) is model
    assert centred_statistics(model, found) is found
    assert logits_range(model, found) == {}
    assert applies(network())
