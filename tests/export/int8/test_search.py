"""Which files the search tries and which it takes, with measurements written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from pipeline.contract.choices import Io, Repair, Step
from pipeline.contract.image import ImageContract
from pipeline.contract.search import Trial
from pipeline.export.int8 import search as module
from pipeline.export.int8 import sensitivity
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.measure import (
    MAX_MEAN_DIFFERENCE,
    MIN_AGREEMENT,
    RepairSet,
    float_answers,
)
from pipeline.export.int8.operators import WEIGHTED
from pipeline.export.int8.search import Found, search
from pipeline.progress import silent
from pipeline.tflite.edit import name_of
from pipeline.tflite.flatbuffer import dtype_name
from tests.export.int8.graphs import Network

IMAGE = ImageContract(height_px=32, width_px=32)
REFERENCE = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
SET = RepairSet(
    pixels=np.zeros((2, 32, 32, 3), np.uint8),
    labelled=2,
    truth=np.array([0, 0]),
    reference=REFERENCE,
    critical={"RED": 0},
)
RANKED = [(f"layer {i}", 1 / (i + 1)) for i in range(12)]
PLAIN, RANGES, BIAS, ROUNDING, EQUALIZATION = (
    (Step.ranges, Step.bias_correction, Step.rounding, Step.equalization)[:count]
    for count in range(5)
)
COMBINATIONS = [PLAIN, RANGES, BIAS, ROUNDING, EQUALIZATION]
# What a trial is asked for: its steps and how many layers stayed in floats.
Asked = tuple[tuple[Step, ...], int]


class FakeBuilder:
    """Hand out what was asked for as the graph, and its description as the file."""

    def build(self, steps: tuple[Step, ...], float16: tuple[str, ...] = ()) -> Any:
        return steps, float16

    def finish(self, graph: Any) -> bytes:
        steps, float16 = graph
        return f"{'+'.join(steps)}/{','.join(float16)}".encode()


class Script:
    """Measure each trial as it is written: a difference; those of at most 0.02 meet the target."""

    def __init__(self, differences: Mapping[Asked, float], *, otherwise: float = 0.5) -> None:
        self.differences, self.otherwise = differences, otherwise
        self.tried: list[Asked] = []

    def measure(self, graph: Any, *_: Any, size_bytes: int, **about: Any) -> Trial:
        steps, float16 = graph
        assert (about["steps"], about["float16_layers"]) == (steps, float16)
        self.tried.append((steps, len(float16)))
        difference = self.differences.get((steps, len(float16)), self.otherwise)
        return Trial(
            steps=steps,
            float16_layers=float16,
            agreement=1,
            mean_difference=difference,
            balanced_accuracy=1,
            critical_recall={},
            size_bytes=size_bytes,
            latency_ms_p50=1,
            meets_target=difference <= 0.02,
        )


def run(
    monkeypatch: pytest.MonkeyPatch,
    script: Script,
    repair: Repair = Repair.auto,
    ranked: list[tuple[str, float]] = RANKED,
) -> Found:
    monkeypatch.setattr(module, "measure", script.measure)
    monkeypatch.setattr(module, "by_sensitivity", lambda *_: ranked)
    builder: Any = FakeBuilder()
    return search(builder, SET, IMAGE, Io.uint8, repair, silent)


@pytest.mark.parametrize("passing", range(5))
def test_auto_stops_at_the_first_file_that_meets_the_target(
    passing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script({(steps, 0): 0.01 for steps in COMBINATIONS[passing:]})
    found = run(monkeypatch, script)
    assert script.tried == [(steps, 0) for steps in COMBINATIONS[: passing + 1]]
    assert (found.steps, found.float16_layers) == (COMBINATIONS[passing], ())
    assert found.data == f"{'+'.join(COMBINATIONS[passing])}/".encode()


def test_auto_takes_what_meets_the_target_even_if_a_failure_was_nearer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Strict(Script):
        def measure(self, graph: Any, *_: Any, size_bytes: int, **about: Any) -> Trial:
            trial = super().measure(graph, size_bytes=size_bytes, **about)
            return trial.model_copy(update={"meets_target": len(self.tried) == 3})

    script = Strict({(PLAIN, 0): 0.001, (RANGES, 0): 0.002, (BIAS, 0): 0.015})
    assert run(monkeypatch, script).steps == BIAS


def test_max_tries_every_step_and_takes_the_nearest_file(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = [0.02, 0.015, 0.01, 0.004, 0.006]
    script = Script({(s, 0): one for s, one in zip(COMBINATIONS, differences, strict=True)})
    found = run(monkeypatch, script, Repair.max)
    assert script.tried == [(steps, 0) for steps in COMBINATIONS]
    # Equalization made it worse, so it is left out again.
    assert found.steps == ROUNDING


def test_max_leaves_no_layer_in_floats_if_one_file_meets_the_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script({(BIAS, 0): 0.01})
    found = run(monkeypatch, script, Repair.max)
    assert len(script.tried) == 5
    assert (found.steps, found.float16_layers) == (BIAS, ())


@pytest.mark.parametrize("repair", [Repair.auto, Repair.max])
def test_where_nothing_meets_the_target_more_and_more_layers_stay_in_floats(
    repair: Repair, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Built on the nearest file, which is the one before equalization.
    mixed = (*ROUNDING, Step.mixed_precision)
    script = Script(
        {(ROUNDING, 0): 0.2, (EQUALIZATION, 0): 0.3, (mixed, 4): 0.09, (mixed, 8): 0.15}
    )
    found = run(monkeypatch, script, repair)
    assert script.tried[5:] == [(mixed, count) for count in (2, 4, 8)]
    # Still not good enough, and yet the least bad.
    assert found.steps == mixed
    assert found.float16_layers == ("layer 0", "layer 1", "layer 2", "layer 3")
    assert found.data == f"{'+'.join(mixed)}/layer 0,layer 1,layer 2,layer 3".encode()
    assert not any(trial.meets_target for trial in found.record.trials)


def test_the_fewest_layers_that_meet_the_target_stay_in_floats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mixed = (*EQUALIZATION, Step.mixed_precision)
    script = Script({(EQUALIZATION, 0): 0.2, (mixed, 2): 0.015, (mixed, 4): 0.001})
    found = run(monkeypatch, script)
    assert [count for _, count in script.tried[5:]] == [2]
    assert found.float16_layers == ("layer 0", "layer 1")


def test_no_more_layers_are_left_out_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script({(BIAS, 0): 0.2})
    run(monkeypatch, script, ranked=RANKED[:3])
    assert [count for _, count in script.tried[5:]] == [2]


def test_layers_in_floats_that_hardly_help_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = (*EQUALIZATION, Step.mixed_precision)
    script = Script({(EQUALIZATION, 0): 0.03, (mixed, 4): 0.023, (mixed, 8): 0.022})
    found = run(monkeypatch, script)
    assert (found.steps, found.float16_layers) == (EQUALIZATION, ())


def test_layers_stay_in_floats_of_a_corrected_file_even_if_a_plain_one_is_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script({((), 0): 0.1, (BIAS, 0): 0.2})
    run(monkeypatch, script)
    assert script.tried[5:] == [((*BIAS, Step.mixed_precision), count) for count in (2, 4, 8)]


def test_if_no_layer_in_floats_helps_the_nearest_int8_file_is_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script({(BIAS, 0): 0.1})
    found = run(monkeypatch, script)
    assert len(script.tried) == 8
    assert (found.steps, found.float16_layers) == (BIAS, ())


def test_the_record_shows_every_trial_and_which_one_was_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script({(ROUNDING, 0): 0.01})
    record = run(monkeypatch, script).record
    assert [trial.steps for trial in record.trials] == COMBINATIONS[:4]
    assert [trial.chosen for trial in record.trials] == [False, False, False, True]
    assert [trial.size_bytes for trial in record.trials[:2]] == [1, 7]
    # The float model's own figures: it calls the second image wrong.
    assert record.float_critical_recall == {"RED": 0.5}
    assert (record.min_agreement, record.max_mean_difference) == (
        MIN_AGREEMENT,
        MAX_MEAN_DIFFERENCE,
    )


def test_the_layer_that_int8_damages_most_is_ranked_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    # One colour for each image, so that no bias makes up for a wrong weight.
    pixels = random.integers(150, 256, (8, 1, 1, 3), dtype=np.uint8).repeat(32, 1).repeat(32, 2)
    pixels[..., 2] = 128
    weights = {name: random.uniform(0.02, 0.4, (3, 1, 1, 3)) for name in ("fine", "bad", "last")}
    # One huge weight, on an input of almost nothing, leaves the others two or three steps.
    weights["fine"][2] = [[[0, 0, 0.001]]]
    weights["bad"][:, 0, 0, 2] = 20
    # Sure enough of its classes that the answers move.
    weights["last"] = random.normal(0, 10, (3, 1, 1, 3))
    network, entry = Network((1, 32, 32, 3)), "image"
    for name, values in weights.items():
        entry = network.conv(entry, name, values.astype(np.float32), np.zeros(3, np.float32))
    network.mean(entry, "mean")
    network.softmax("mean", "probability")
    model = network.build("probability")
    builder = Int8Builder(model, pixels, IMAGE, Io.int8, 0, silent)
    reference = float_answers(model, pixels, IMAGE, silent)
    images = RepairSet(pixels, 0, np.zeros(0, np.int64), reference, {})
    ranked = sensitivity.by_sensitivity(builder, images, IMAGE, Io.int8, silent)
    assert sensitivity.weighted_layers(model) == ["fine", "bad", "last"]
    assert ranked[0][0] == "bad"
    assert ranked[0][1] > 2 * ranked[1][1]
    assert [difference for _, difference in ranked] == sorted((d for _, d in ranked), reverse=True)
    assert sorted(name for name, _ in ranked) == ["bad", "fine", "last"]
    # Of very many layers, only those of the most sensitive groups are measured alone.
    monkeypatch.setattr(sensitivity, "_MOST_ALONE", 2)
    assert sensitivity.by_sensitivity(builder, images, IMAGE, Io.int8, silent) == ranked[:1]
    # And leaving it out leaves just it in floats.
    graph = builder.build((*BIAS, Step.mixed_precision), ("bad",))
    tensors = graph.subgraphs[0].tensors
    kinds = [
        dtype_name(tensors[int(operator.outputs[0])])
        for operator in graph.subgraphs[0].operators
        if name_of(graph, operator) in WEIGHTED
    ]
    assert kinds == ["int8", "float32", "int8"]
