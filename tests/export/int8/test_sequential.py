from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.contract.choices import Io, Step
from pipeline.contract.image import ImageContract
from pipeline.export.int8.activation_statistics import Statistics, collect_statistics
from pipeline.export.int8.affine import dequantize
from pipeline.export.int8.io_types import input_range, int8_batch
from pipeline.export.int8.kernels import Kernel
from pipeline.export.int8.layer import layers
from pipeline.export.int8.lower import lower
from pipeline.export.int8.sequential import correct_sequentially
from pipeline.export.int8.steps.registry import plan_of
from pipeline.export.int8.value_range import Ranges, min_max
from pipeline.imaging.preprocess import normalize
from pipeline.progress import ProgressEvent, silent
from pipeline.tflite.edit import expose, pack, scale_and_zero_point
from pipeline.tflite.flatbuffer import Model
from tests.export.int8.graphs import Float32, Network, tensor_of, values_of

IMAGE = ImageContract(height_px=32, width_px=32)
Float64 = npt.NDArray[np.float64]


def pictures() -> npt.NDArray[np.uint8]:
    """Return bright images in red and green whose blue is near zero, after normalization."""
    pixels = np.random.default_rng(1).integers(150, 256, (6, 32, 32, 3), dtype=np.uint8)
    pixels[..., 2] = 128
    return pixels


PIXELS = pictures()


def coarse(*shape: int) -> Float32:
    """Return small weights and, for the last input, large ones that make the steps coarse."""
    weights = np.random.default_rng(shape).uniform(0.005, 0.035, shape).astype(np.float32)
    weights[..., -1] = 4.0
    return weights


def two_convolutions() -> Model:
    """Return two layers; what the large weights read is next to nothing."""
    network = Network((1, 32, 32, 3))
    first = coarse(4, 1, 1, 3)
    # The last channel is the only one that the second layer weighs heavily.
    first[3, ..., :2] = 0.0005
    first[3, ..., 2] = 0.004
    network.conv("image", "first", first, np.zeros(4, np.float32))
    network.conv("first", "second", coarse(3, 1, 1, 4), np.zeros(3, np.float32))
    return network.build("second")


def ranges_of(statistics: Statistics) -> Ranges:
    ranges = {name: min_max(one) for name, one in statistics.items()}
    return ranges | {"image": input_range(IMAGE, Io.int8)}


class Bench:
    """Hold a float model, its statistics, and its int8 form, uncorrected."""

    def __init__(self, model: Model, *, float16: tuple[str, ...] = ()) -> None:
        self.float_model = model
        self.statistics = collect_statistics(model, PIXELS, IMAGE, seed=0, report=silent)
        self.int8_model = lower(model, ranges_of(self.statistics), float16=float16)
        self.inputs = int8_batch(PIXELS, IMAGE, Io.int8, self.int8_model)

    def correct(self, *more: Step) -> list[ProgressEvent]:
        events: list[ProgressEvent] = []
        correct_sequentially(
            self.float_model,
            self.int8_model,
            self.statistics,
            self.inputs,
            corrections=plan_of((Step.bias_correction, *more)).corrections,
            task="correct",
            report=events.append,
        )
        return events

    def wanted(self) -> Float64:
        kernel = Kernel(pack(self.float_model))
        return np.concatenate([kernel(normalize(one, IMAGE)[None]) for one in PIXELS]).astype(float)

    def got(self) -> Float64:
        kernel = Kernel(pack(self.int8_model))
        stored = np.concatenate([kernel(one[None]) for one in self.inputs]).astype(float)
        main = self.int8_model.subgraphs[0]
        scale, zero_point = scale_and_zero_point(main.tensors[int(main.outputs[0])])
        return (stored - zero_point) * scale

    def mean_error(self) -> Float64:
        """Return the mean error of each channel, without its sign, in steps of the output."""
        main = self.int8_model.subgraphs[0]
        scale, _ = scale_and_zero_point(main.tensors[int(main.outputs[0])])
        off = (self.got() - self.wanted()).reshape(-1, self.got().shape[-1]).mean(axis=0)
        return np.abs(off) / scale

    def spread_error(self) -> float:
        """Return the squared error that the last layer's weights cause and no bias takes away.

        In floats and on what the int8 layer reads: the output's own steps are far coarser.
        """
        *_, last = layers(self.float_model, self.int8_model)
        main = self.int8_model.subgraphs[0]
        read = int(main.operators[last.int8_index].inputs[0])
        probe = Kernel(expose(self.int8_model, [read]))
        scale, zero_point = scale_and_zero_point(main.tensors[read])
        exact, rounded = Kernel(last.float_linear()), Kernel(last.int8_linear())
        values = [dequantize(probe(one[None]), scale, zero_point) for one in self.inputs]
        off = np.concatenate([rounded(one) - exact(one) for one in values])
        return float(off.reshape(-1, off.shape[-1]).var(axis=0).sum())


def test_statistics_are_those_of_every_image() -> None:
    model = two_convolutions()
    statistics = collect_statistics(model, PIXELS, IMAGE, seed=0, report=silent)
    values = normalize(PIXELS, IMAGE)
    first = values @ values_of(model, "first/weights")[:, 0, 0].T
    for name, real in (("image", values), ("first", first)):
        seen = statistics[name]
        assert seen.channel_low == pytest.approx(real.min(axis=(0, 1, 2)), rel=1e-5)
        assert seen.channel_high == pytest.approx(real.max(axis=(0, 1, 2)), rel=1e-5)
        assert seen.mean == pytest.approx(real.mean(axis=0)[None], rel=1e-5)
        assert seen.low == pytest.approx(real.min(), rel=1e-5)
        assert abs(seen.samples.mean() - real.mean()) < 0.05 * real.std()
        assert abs(seen.samples.std() / real.std() - 1) < 0.05
        # As many of each image, whose values are more than are kept.
        assert len(seen.samples) == 6 * 2048


def test_every_layer_is_paired_with_its_int8_form() -> None:
    bench = Bench(two_convolutions())
    found = list(layers(bench.float_model, bench.int8_model))
    assert [(one.name, one.entry, one.kind) for one in found] == [
        ("first", "image", "CONV_2D"),
        ("second", "first", "CONV_2D"),
    ]
    for one in found:
        half_steps = one.scales.max() * 0.501
        assert np.abs(one.real_weights() - one.float_weights).max() <= half_steps


def test_once_corrected_every_channel_has_the_float_mean_and_before_it_had_not() -> None:
    bench = Bench(two_convolutions())
    before = bench.mean_error()
    assert before.min() > 2
    events = bench.correct()
    assert bench.mean_error().max() < 1
    assert [event.done for event in events] == [0, 1, 2]
    assert {(event.task, event.total) for event in events} == {("correct", 2)}


def test_each_layer_is_corrected_on_what_the_corrected_layers_before_it_give() -> None:
    # The first layer's channel means are right too, and not only what the second makes of them.
    bench = Bench(two_convolutions())
    bench.correct()
    bench.int8_model.subgraphs[0].outputs = [
        int(bench.int8_model.subgraphs[0].operators[0].outputs[0])
    ]
    bench.float_model.subgraphs[0].outputs = [
        int(bench.float_model.subgraphs[0].operators[0].outputs[0])
    ]
    assert bench.mean_error().max() < 1


def test_bias_correction_leaves_the_weights_alone() -> None:
    bench = Bench(two_convolutions())
    before = values_of(bench.int8_model, "second/weights")
    bench.correct()
    assert (values_of(bench.int8_model, "second/weights") == before).all()


def wide() -> Model:
    """Return a pointwise layer on eight channels that are all mixtures of red and green."""
    random = np.random.default_rng(3)
    network = Network((1, 32, 32, 3))
    network.conv("image", "mix", random.uniform(0, 1, (8, 1, 1, 3)), np.zeros(8, np.float32))
    weights = random.uniform(0.01, 0.2, (4, 1, 1, 8)).astype(np.float32)
    weights[..., 0] = 8.0
    network.conv("mix", "out", weights, np.zeros(4, np.float32))
    return network.build("out")


def smoothing() -> Model:
    """Return a depthwise layer on neighbours that are alike, one tap far larger than the rest."""
    random = np.random.default_rng(4)
    network = Network((1, 32, 32, 3))
    network.conv("image", "blur", np.full((3, 8, 8, 3), 1 / 192), np.zeros(3, np.float32))
    weights = random.uniform(0.01, 0.2, (1, 3, 3, 3)).astype(np.float32)
    weights[0, 1, 1] = 8.0
    network.depthwise("blur", "out", weights, np.zeros(3, np.float32))
    return network.build("out")


@pytest.mark.parametrize("model", [wide(), smoothing()], ids=["pointwise", "depthwise"])
def test_adaptive_rounding_answers_better_than_the_nearest(model: Model) -> None:
    nearest, chosen = Bench(model), Bench(model)
    nearest.correct()
    chosen.correct(Step.rounding)
    steps = values_of(model, "out/weights") / _weight_scales(chosen.int8_model)
    rounded = values_of(chosen.int8_model, "out/weights")
    assert (rounded != values_of(nearest.int8_model, "out/weights")).any()
    assert (np.abs(rounded - steps) <= 1.001).all()
    assert chosen.spread_error() < nearest.spread_error() / 2
    assert chosen.mean_error().max() < 1


def test_a_layer_left_in_floats_is_passed_through() -> None:
    bench = Bench(two_convolutions(), float16=("first",))
    assert [one.name for one in layers(bench.float_model, bench.int8_model)] == ["second"]
    assert bench.mean_error().max() > 1
    bench.correct()
    assert bench.mean_error().max() < 1


def test_the_float_model_and_its_statistics_are_not_changed() -> None:
    bench = Bench(two_convolutions())
    before, mean = pack(bench.float_model), bench.statistics["first"].mean.copy()
    bench.correct(Step.rounding)
    assert pack(bench.float_model) == before
    assert (bench.statistics["first"].mean == mean).all()


def _weight_scales(model: Model) -> Float64:
    tensor = tensor_of(model, "out/weights")
    scales = np.asarray(tensor.quantization.scale, np.float64)
    shape = [1, 1, 1, 1]
    shape[int(tensor.quantization.quantizedDimension)] = -1
    return scales.reshape(shape)
