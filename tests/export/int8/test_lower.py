from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.errors import BadInput
from pipeline.export.int8 import lower as module
from pipeline.export.int8.kernels import Kernel
from pipeline.export.int8.lower import lower
from pipeline.tflite.edit import name_of, pack, scale_and_zero_point
from pipeline.tflite.flatbuffer import Model, dtype_name
from tests.export.int8.graphs import Float32, Network, tensor_of, values_of

Build = Callable[[float], Model]

RANGES = {"image": (-1.0, 1.0), "layer": (-4.0, 4.0), "curve": (-4.0, 4.0)}
BIAS = np.array([2.0, -0.5, 1.0, 0.25], np.float32)


def drawn(*shape: int) -> Float32:
    return np.random.default_rng(shape).uniform(-0.5, 0.5, shape).astype(np.float32)


def conv(dead: float) -> Model:
    weights = drawn(4, 3, 3, 3)
    weights[0] *= dead
    network = Network((1, 8, 8, 3))
    return network.build(network.conv("image", "layer", weights, BIAS))


def depthwise(dead: float) -> Model:
    weights = drawn(1, 3, 3, 4)
    weights[..., 0] *= dead
    network = Network((1, 8, 8, 4))
    return network.build(network.depthwise("image", "layer", weights, BIAS))


def dense(dead: float) -> Model:
    weights = drawn(4, 6) * np.float32(dead)
    network = Network((1, 6))
    return network.build(network.dense("image", "layer", weights, BIAS))


def real_bias(model: Model) -> npt.NDArray[np.float64]:
    scales = tensor_of(model, "layer/bias").quantization.scale
    return values_of(model, "layer/bias") * np.asarray(scales, np.float64)


def real_weights(model: Model, axis: int) -> npt.NDArray[np.float64]:
    weights = values_of(model, "layer/weights").astype(np.float64)
    shape = [1] * weights.ndim
    shape[axis] = -1
    scales = np.asarray(tensor_of(model, "layer/weights").quantization.scale, np.float64)
    return weights * scales.reshape(shape if scales.size > 1 else [1] * weights.ndim)


LAYERS = pytest.mark.parametrize(
    "build", [conv, depthwise, dense], ids=["conv", "depthwise", "dense"]
)


@LAYERS
@pytest.mark.parametrize("dead", [2e-9, 1e-12, 0.0])
def test_the_bias_of_a_dead_channel_survives(build: Build, dead: float) -> None:
    graph = lower(build(dead), RANGES)
    assert real_bias(graph) == pytest.approx(BIAS, abs=1e-3)
    # The int8 kernel adds the bias in int32: it must not overflow there either.
    entry = tensor_of(graph, "image")
    answer = Kernel(pack(graph))(np.full(tuple(entry.shape), 127, np.int8))
    scale, zero_point = scale_and_zero_point(tensor_of(graph, "layer"))
    assert (answer[..., 0] - zero_point) * scale == pytest.approx(2.0, abs=scale)


@LAYERS
def test_without_room_the_bias_of_a_dead_channel_would_be_cut_off(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_with_room_for_biases", lambda model, _: model)
    assert abs(real_bias(lower(build(2e-9), RANGES))[0] - 2.0) > 1.0


@pytest.mark.parametrize(("build", "axis"), [(conv, 0), (depthwise, 3)], ids=["conv", "depthwise"])
def test_the_other_channels_keep_their_weights(build: Build, axis: int) -> None:
    alive, dead = (lower(build(one), RANGES) for one in (1.0, 2e-9))
    for name in ("layer/weights", "layer/bias"):
        kept = [
            np.delete(values_of(graph, name), 0, axis=axis if name == "layer/weights" else 0)
            for graph in (alive, dead)
        ]
        assert (kept[0] == kept[1]).all()
    scales = [tensor_of(graph, "layer/weights").quantization.scale[1:] for graph in (alive, dead)]
    assert (scales[0] == scales[1]).all()
    # And the dead channel's stay next to nothing beside its bias of 2.
    assert np.abs(np.take(real_weights(dead, axis), 0, axis=axis)).sum() < 1e-3


@pytest.mark.parametrize(
    ("build", "axis"), [(conv, 0), (depthwise, 3), (dense, 0)], ids=["conv", "depthwise", "dense"]
)
def test_weights_are_rounded_to_the_nearest_of_their_channel_s_steps(
    build: Build, axis: int
) -> None:
    model = build(1.0)
    graph = lower(model, RANGES)
    about = tensor_of(graph, "layer/weights").quantization
    # One scale for each channel of a convolution and one for all of a dense layer.
    assert len(about.scale) == (1 if build is dense else 4)
    wanted = values_of(model, "layer/weights")
    off = np.abs(real_weights(graph, axis) - wanted)
    assert off.max() <= max(about.scale) * 0.501
    assert (np.abs(values_of(graph, "layer/weights").astype(int)) <= 127).all()


def test_ranges_become_scales_and_the_ends_are_int8() -> None:
    graph = lower(conv(1.0), {"image": (-1.0, 3.0), "layer": (0.0, 5.1)})
    assert scale_and_zero_point(tensor_of(graph, "image")) == pytest.approx(
        (4 / 255, -64), rel=1e-6
    )
    assert scale_and_zero_point(tensor_of(graph, "layer")) == pytest.approx((0.02, -128), rel=1e-6)
    main = graph.subgraphs[0]
    assert {dtype_name(main.tensors[int(j)]) for j in (*main.inputs, *main.outputs)} == {"int8"}


def test_the_float_model_is_not_changed() -> None:
    model = conv(2e-9)
    before = pack(model)
    lower(model, RANGES)
    assert pack(model) == before


def test_a_layer_may_stay_in_floats_with_float16_weights() -> None:
    network = Network((1, 8, 8, 3))
    network.conv("image", "layer", drawn(4, 1, 1, 3), BIAS)
    # A name that a pattern for "layer" must not match as well.
    network.conv("layer", "layer2", drawn(4, 1, 1, 4), BIAS)
    model = network.build("layer2")
    graph = lower(model, RANGES | {"layer2": (-4.0, 4.0)}, float16=["layer"])
    types = [
        (name_of(graph, operator), dtype_name(graph.subgraphs[0].tensors[int(operator.outputs[0])]))
        for operator in graph.subgraphs[0].operators
    ]
    assert types.count(("CONV_2D", "float32")) == 1
    assert types.count(("CONV_2D", "int8")) == 1
    assert types.index(("CONV_2D", "float32")) < types.index(("CONV_2D", "int8"))
    half = [t for t in graph.subgraphs[0].tensors if dtype_name(t) == "float16"]
    assert (4, 1, 1, 3) in [tuple(tensor.shape) for tensor in half]


@pytest.mark.parametrize("curve", ["ELU", "EXP"])
def test_an_operator_that_the_quantizer_does_not_know_is_refused_by_name(curve: str) -> None:
    network = Network((1, 8, 8, 3))
    network.conv("image", "layer", drawn(4, 1, 1, 3), BIAS)
    network.pointwise(curve, "layer", "curve")
    with pytest.raises(BadInput, match="does not know") as refused:
        lower(network.build("curve"), RANGES)
    assert refused.value.got == f"left in floats: {curve}"
    assert refused.value.next_step == "pipeline export --quantize float16"


def test_what_the_quantizer_itself_refuses_is_bad_input_with_its_reason() -> None:
    network = Network((1, 8, 8, 3))
    network.conv("image", "layer", drawn(4, 1, 1, 3), BIAS)
    # PRELU without its slopes.
    network.pointwise("PRELU", "layer", "curve")
    with pytest.raises(BadInput, match="refuses the model") as refused:
        lower(network.build("curve"), RANGES)
    assert "PRELU" in str(refused.value.got)
