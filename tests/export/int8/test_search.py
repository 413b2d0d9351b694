"""Which files the search tries and which it takes, with measurements written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.contract.choices import Io, Repair, Step
from pipeline.contract.image import ImageContract
from pipeline.contract.noise import NoiseFloor, NoiseLevel
from pipeline.contract.search import Stop, Trial
from pipeline.export.int8 import search as module
from pipeline.export.int8 import sensitivity
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.latency import Latencies
from pipeline.export.int8.measure import (
    MAX_MEAN_DIFFERENCE,
    MIN_AGREEMENT,
    RepairSet,
    float_answers,
)
from pipeline.export.int8.operators import WEIGHTED
from pipeline.export.int8.search import Found, search
from pipeline.export.int8.steps.registry import STEPS
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
PLAIN: tuple[Step, ...] = ()
BIAS = (Step.ranges, Step.bias_correction)
ROUNDING = (*BIAS, Step.rounding)
EQUALIZATION = (*ROUNDING, Step.equalization)
# Ranges alone never are the best, so they are not tried without the biases.
TRIED = [PLAIN, BIAS, ROUNDING, EQUALIZATION]
BLOCKS = [tuple(f"block {i}" for i in range(count)) for count in range(1, 18)]
# What a trial is asked for: its steps and how many operators stayed in floats.
Asked = tuple[tuple[Step, ...], int]
# Of float16's latency, by the number of operators in floats.
FAST = 0.5


class FakeBuilder:
    """Hand out what was asked for as the graph, and its description as the file."""

    float_model = None

    def build(self, steps: tuple[Step, ...], float16: tuple[str, ...] = ()) -> Any:
        return steps, float16

    def finish(self, graph: Any) -> bytes:
        steps, float16 = graph
        return f"{'+'.join(steps)}/{','.join(float16)}".encode()


class Script:
    """Measure each trial as it is written: a difference; those of at most 0.02 meet the target."""

    def __init__(
        self,
        differences: Mapping[Asked, float],
        *,
        otherwise: float = 0.5,
        of_float16: Mapping[int, float] | None = None,
    ) -> None:
        self.differences, self.otherwise = differences, otherwise
        self.of_float16 = of_float16 or {}
        self.tried: list[Asked] = []
        self.timed: list[Asked] = []

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
            meets_target=difference <= 0.02,
        )

    def latencies(self, graph: Any, *_: Any) -> Latencies:
        steps, float16 = graph
        self.timed.append((steps, len(float16)))
        return Latencies(1.1, 1.0, 1.1, self.of_float16.get(len(float16), FAST))


def run(
    monkeypatch: pytest.MonkeyPatch,
    script: Script,
    repair: Repair = Repair.auto,
    ranked: list[tuple[str, float]] = RANKED,
    blocks: list[tuple[str, ...]] = BLOCKS,
    dithers: bool = False,
    softmax: bool = False,
) -> Found:
    steps = {
        **STEPS,
        Step.dither: replace(STEPS[Step.dither], applies=lambda _: dithers),
        Step.logits: replace(STEPS[Step.logits], applies=lambda _: softmax),
    }
    monkeypatch.setattr(module, "STEPS", steps)
    monkeypatch.setattr(module, "measure", script.measure)
    monkeypatch.setattr(module, "latencies", script.latencies)
    monkeypatch.setattr(module, "leading_blocks", lambda _: blocks)
    monkeypatch.setattr(module, "by_sensitivity", lambda *_: ranked)
    builder: Any = FakeBuilder()
    return search(builder, SET, IMAGE, Io.uint8, repair, silent)


@pytest.mark.parametrize("passing", range(4))
def test_auto_stops_at_the_first_file_that_meets_the_target(
    passing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    differences = {(steps, 0): 0.4 - place / 10 for place, steps in enumerate(TRIED[:passing])}
    script = Script({**differences, (TRIED[passing], 0): 0.01})
    found = run(monkeypatch, script)
    assert len(script.tried) == passing + 1
    assert found.record.trials[-1].chosen
    assert found.record.stopped is Stop.met
    # Only the chosen file is timed.
    assert script.timed == [(found.steps, 0)]


def test_a_step_is_kept_only_where_it_lowers_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    without_rounding = (*BIAS, Step.equalization)
    script = Script({(PLAIN, 0): 0.4, (BIAS, 0): 0.2, (ROUNDING, 0): 0.2, (without_rounding, 0): 1})
    run(monkeypatch, script)
    assert script.tried[:4] == [(one, 0) for one in (PLAIN, BIAS, ROUNDING, without_rounding)]


def test_max_tries_every_step_and_takes_the_nearest_file(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = [0.02, 0.01, 0.004, 0.006]
    script = Script({(s, 0): one for s, one in zip(TRIED, differences, strict=True)})
    found = run(monkeypatch, script, Repair.max)
    assert script.tried == [(steps, 0) for steps in TRIED]
    # Equalization made it worse, so it is left out again.
    assert found.steps == ROUNDING


@pytest.mark.parametrize(("difference", "kept"), [(0.094, True), (0.096, False)])
def test_copies_of_channels_are_worth_a_twentieth_and_nothing_before_floats(
    difference: float, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    dithered, prefix = (*ROUNDING, Step.dither), (*ROUNDING, Step.float16_prefix)
    script = Script(
        {
            (BIAS, 0): 0.2,
            (ROUNDING, 0): 0.1,
            (dithered, 0): difference,
            (prefix, 1): 0.086,
            (prefix, 4): 0.0855,
        }
    )
    found = run(monkeypatch, script, dithers=True)
    assert script.tried[4] == (dithered, 0)
    assert {steps for steps, _ in script.tried[5:]} == {prefix}
    # The first blocks in floats must beat what was kept by a tenth, here 0.085 or 0.09.
    assert (found.steps == dithered) is kept


@pytest.mark.parametrize("difference", [0.09, 0.11])
def test_the_logits_are_centred_where_it_gains_and_always_before_floats(
    difference: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    centred = (*ROUNDING, Step.logits)
    script = Script({(BIAS, 0): 0.2, (ROUNDING, 0): 0.1, (centred, 0): difference})
    found = run(monkeypatch, script, Repair.max, softmax=True)
    assert script.tried[4] == (centred, 0)
    assert found.steps == (centred if difference < 0.1 else ROUNDING)
    # With less rounded before them the logits count for more.
    assert {steps for steps, _ in script.tried[5:]} == {
        (*centred, Step.float16_prefix),
        (*centred, Step.mixed_precision),
    }


def test_auto_centres_the_logits_before_it_copies_channels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    centred = (*ROUNDING, Step.logits)
    script = Script({(BIAS, 0): 0.2, (ROUNDING, 0): 0.1, (centred, 0): 0.01})
    found = run(monkeypatch, script, softmax=True, dithers=True)
    # What costs no latency comes first.
    assert not any(Step.dither in steps for steps, _ in script.tried)
    assert found.steps == centred


def test_nothing_stays_in_floats_if_one_file_meets_the_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script({(BIAS, 0): 0.01})
    found = run(monkeypatch, script, Repair.max)
    assert not any(count for _, count in script.tried)
    assert (found.steps, found.float16_layers) == (BIAS, ())


def test_the_fewest_first_blocks_that_meet_the_target_stay_in_floats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefix = (*ROUNDING, Step.float16_prefix)
    script = Script(
        {(BIAS, 0): 0.3, (ROUNDING, 0): 0.2, (prefix, 1): 0.1, (prefix, 4): 0.01, (prefix, 12): 0.0}
    )
    found = run(monkeypatch, script)
    # Built on the nearest file, which is the one before equalization.
    assert script.tried[4:] == [(prefix, 1), (prefix, 4)]
    assert (found.steps, found.float16_layers) == (prefix, BLOCKS[3])
    assert found.data == f"{'+'.join(prefix)}/{','.join(BLOCKS[3])}".encode()
    assert found.record.stopped is Stop.met


def test_auto_stops_where_one_more_block_gains_less_than_a_tenth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefix = (*BIAS, Step.float16_prefix)
    # The first blocks may gain nothing; more gain much, and then hardly any more.
    differences = {(BIAS, 0): 0.2, (prefix, 1): 0.19, (prefix, 4): 0.1, (prefix, 12): 0.091}
    script = Script({**differences, (prefix, 17): 0.01})
    found = run(monkeypatch, script)
    assert [count for _, count in script.tried[4:]] == [1, 4, 12]
    assert found.record.stopped is Stop.gain
    assert found.record.min_gain == module.MIN_GAIN == 0.1
    # Still not good enough, and yet the least bad.
    assert len(found.float16_layers) == 12
    assert not any(trial.meets_target for trial in found.record.trials)
    # max goes on.
    script = Script({**differences, (prefix, 17): 0.01})
    assert len(run(monkeypatch, script, Repair.max).float16_layers) == 17


def test_what_is_nearly_as_slow_as_float16_is_not_chosen_though_it_meets_the_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefix = (*BIAS, Step.float16_prefix)
    script = Script(
        {(BIAS, 0): 0.2, (prefix, 1): 0.1, (prefix, 4): 0.05, (prefix, 12): 0.01},
        of_float16={1: 0.5, 4: 0.8, 12: 0.81},
    )
    found = run(monkeypatch, script)
    assert len(found.float16_layers) == 4
    assert found.record.stopped is Stop.latency
    assert found.record.trials[-1].meets_target
    assert found.record.trials[-1].latency_of_float16 == 0.81
    assert found.record.max_latency_of_float16 == 0.8


def test_floats_that_hardly_help_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = (*BIAS, Step.float16_prefix)
    script = Script({(BIAS, 0): 0.03, (prefix, 1): 0.029, (prefix, 4): 0.028}, otherwise=0.0285)
    found = run(monkeypatch, script)
    assert found.float16_layers == ()
    assert found.record.stopped is Stop.exhausted


def test_floats_come_into_a_corrected_file_even_if_a_plain_one_is_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script({(PLAIN, 0): 0.1})
    run(monkeypatch, script)
    assert script.tried[4][0] == (*BIAS, Step.float16_prefix)


def test_no_more_blocks_are_asked_for_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script({(BIAS, 0): 0.2})
    found = run(monkeypatch, script, blocks=BLOCKS[:6])
    assert [count for _, count in script.tried[4:]] == [1, 4]
    assert found.record.stopped is Stop.exhausted
    script = Script({(BIAS, 0): 0.2})
    assert run(monkeypatch, script, blocks=[]).record.stopped is Stop.exhausted


def test_only_max_tries_the_most_sensitive_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = (*BIAS, Step.mixed_precision)
    differences = {(BIAS, 0): 0.2, (mixed, 2): 0.15, (mixed, 4): 0.1, (mixed, 8): 0.12}
    found = run(monkeypatch, script := Script(differences), Repair.max, blocks=[])
    assert script.tried[4:] == [(mixed, count) for count in (2, 4, 8)]
    assert found.float16_layers == ("layer 0", "layer 1", "layer 2", "layer 3")
    found = run(monkeypatch, Script(differences), blocks=[])
    assert found.float16_layers == ()
    # Never more than there are, nor what is nearly as slow as float16.
    run(monkeypatch, script := Script(differences), Repair.max, RANKED[:3], [])
    assert script.tried[4:] == [(mixed, 2)]
    run(monkeypatch, script := Script(differences, of_float16={2: 0.9}), Repair.max, blocks=[])
    assert script.tried[4:] == [(mixed, 2)]


def test_the_record_shows_every_trial_and_which_one_was_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script({(PLAIN, 0): 0.4, (BIAS, 0): 0.3, (ROUNDING, 0): 0.01})
    record = run(monkeypatch, script).record
    assert [trial.steps for trial in record.trials] == TRIED[:3]
    assert [trial.chosen for trial in record.trials] == [False, False, True]
    assert [trial.latency_ms_p50 for trial in record.trials] == [1.0, None, 1.1]
    assert [trial.latency_of_plain for trial in record.trials] == [None, None, 1.1]
    # The float model's own figures: it calls the second image wrong.
    assert record.float_critical_recall == {"RED": 0.5}
    assert (record.min_agreement, record.max_mean_difference) == (
        MIN_AGREEMENT,
        MAX_MEAN_DIFFERENCE,
    )


def test_the_target_is_never_below_half_a_pixel_value_of_the_model_s_own_noise() -> None:
    def noisy(agreement: float, difference: float) -> RepairSet:
        levels = tuple(
            NoiseLevel(pixel_steps=steps, agreement=agreement, mean_difference=difference)
            for steps in (0.5, 1.0)
        )
        return replace(SET, noise=NoiseFloor(images=2, seed=0, levels=levels))

    steady, fragile = noisy(0.99, 0.005), noisy(0.9, 0.03)
    assert (steady.min_agreement, steady.max_mean_difference) == (
        MIN_AGREEMENT,
        MAX_MEAN_DIFFERENCE,
    )
    assert (fragile.min_agreement, fragile.max_mean_difference) == (0.9, 0.03)


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
