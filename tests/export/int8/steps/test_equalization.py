from __future__ import annotations

import numpy as np
import pytest

from pipeline.contract.image import ImageContract
from pipeline.export.int8.activation_statistics import Statistics, collect_statistics
from pipeline.export.int8.kernels import Kernel
from pipeline.export.int8.steps.equalization import bottleneck_factors, equalize, relu6_factors
from pipeline.imaging.preprocess import normalize
from pipeline.progress import silent
from pipeline.tflite.edit import constant, pack
from pipeline.tflite.flatbuffer import Model, text
from tests.export.int8.graphs import RELU, RELU6, Float32, Network, values_of

IMAGE = ImageContract(height_px=32, width_px=32)
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
# How much of a channel's range each output of the first layer uses.
REACH = np.array([8.0, 1.0, 0.3, 0.001])


def drawn(*shape: int) -> Float32:
    return np.random.default_rng(shape).uniform(-0.3, 0.3, shape).astype(np.float32)


def bottleneck(activation: int = RELU6, *, tied_to_relu: bool = False) -> Model:
    """Return expand, depthwise, project and a residual, as MobileNetV2 chains them."""
    network = Network((1, 32, 32, 3))
    weights = (np.abs(drawn(4, 1, 1, 3)) * REACH.reshape(-1, 1, 1, 1)).astype(np.float32)
    network.conv(
        "image", "expand", weights, (REACH * 0.5).astype(np.float32), activation=activation
    )
    network.depthwise("expand", "depthwise", drawn(1, 3, 3, 4), drawn(4), activation=RELU6)
    narrow = drawn(2, 1, 1, 4) * np.array([[[[1.0]]], [[[0.01]]]], np.float32)
    last = RELU if tied_to_relu else 0
    network.conv("depthwise", "project", narrow, np.zeros(2, np.float32))
    network.conv("depthwise", "beside", -narrow / 2, np.zeros(2, np.float32), activation=last)
    network.add("project", "beside", "sum")
    network.conv("sum", "read", drawn(3, 1, 1, 2), drawn(3))
    network.mean("read", "mean")
    network.softmax("mean", "probability")
    return network.build("probability")


def seen(model: Model) -> Statistics:
    return collect_statistics(model, PIXELS, IMAGE, seed=0, report=silent)


def answers(model: Model) -> Float32:
    kernel = Kernel(pack(model))
    return np.concatenate([kernel(normalize(one, IMAGE)[None]) for one in PIXELS])


def test_a_channel_grows_until_it_reaches_6_and_no_more_than_64_times() -> None:
    high = np.array([6.0, 3.0, 1.0, 0.01, 0.0, 6.5], np.float32)
    assert relu6_factors(high).tolist() == [1, 2, 6, 64, 64, 1]


def test_a_bottleneck_channel_grows_by_the_root_of_what_is_left_and_no_more_than_8_times() -> None:
    reach = np.array([1.0, 0.25, 1 / 16, 1e-9, 0.0])
    assert bottleneck_factors(reach).tolist() == [1, 2, 4, 8, 8]


def test_the_equalized_model_is_the_same_function_and_the_original_is_not_touched() -> None:
    model = bottleneck()
    before = pack(model)
    equal = equalize(model, seen(model))
    assert pack(model) == before
    assert pack(equal) != before
    assert answers(equal) == pytest.approx(answers(model), abs=1e-6)


def test_all_channels_between_relu6_and_depthwise_come_to_use_their_range() -> None:
    model = bottleneck()
    high = seen(model)["expand"].channel_high
    equal = equalize(model, seen(model))
    after = seen(equal)["expand"].channel_high
    assert high[1:].max() < 4
    assert after[:3] == pytest.approx([6, 6, 6], rel=1e-5)
    assert after[3] == pytest.approx(high[3] * 64, rel=1e-5)


def test_a_channel_grows_by_as_much_as_its_reader_s_weights_shrink() -> None:
    model = bottleneck()
    statistics = seen(model)
    equal = equalize(model, statistics)
    factors = relu6_factors(statistics["expand"].channel_high)
    for name, scale in (
        ("expand/weights", factors.reshape(-1, 1, 1, 1)),
        ("expand/bias", factors),
        ("depthwise/weights", 1 / factors),
    ):
        assert values_of(equal, name) == pytest.approx(values_of(model, name) * scale, rel=1e-5)
    # What the depthwise layer itself adds belongs to its output.
    assert (values_of(equal, "depthwise/bias") == values_of(model, "depthwise/bias")).all()


def test_tensors_that_an_addition_ties_grow_by_the_same_factors() -> None:
    model = bottleneck()
    equal = equalize(model, seen(model))
    grown = {
        name: values_of(equal, f"{name}/weights") / values_of(model, f"{name}/weights")
        for name in ("project", "beside", "read")
    }
    factors = grown["project"][:, 0, 0, 0]
    assert factors.max() > 1.001
    assert grown["beside"][:, 0, 0, 0] == pytest.approx(factors, rel=1e-5)
    assert grown["read"][0, 0, 0] == pytest.approx(1 / factors, rel=1e-5)


def test_a_chain_tied_to_an_activation_is_left_alone() -> None:
    model = bottleneck(tied_to_relu=True)
    equal = equalize(model, seen(model))
    for name in ("project", "beside", "read"):
        before, after = (values_of(one, f"{name}/weights") for one in (model, equal))
        assert (before == after).all()
    assert answers(equal) == pytest.approx(answers(model), abs=1e-6)


def test_what_is_not_capped_at_6_before_a_depthwise_layer_is_left_alone() -> None:
    model = bottleneck(RELU)
    equal = equalize(model, seen(model))
    before, after = (values_of(one, "expand/weights") for one in (model, equal))
    assert (before == after).all()


def test_what_the_model_answers_with_is_not_rescaled_though_a_layer_reads_it() -> None:
    network = Network((1, 32, 32, 3))
    weights = drawn(2, 1, 1, 3) * np.array([1, 0.01], np.float32).reshape(-1, 1, 1, 1)
    network.conv("image", "answer", weights, np.zeros(2, np.float32))
    network.conv("answer", "unused", drawn(2, 1, 1, 2), np.zeros(2, np.float32))
    model = network.build("answer")
    assert pack(equalize(model, seen(model))) == pack(model)


@pytest.mark.parametrize("placeholder", [True, False], ids=["-1", "left out"])
@pytest.mark.parametrize("name", ["expand", "project"])
def test_a_layer_without_a_bias_is_equalized_and_no_other_tensor_is_touched(
    name: str, placeholder: bool
) -> None:
    model = bottleneck()
    statistics, before = seen(model), values_of(model, f"{name}/bias")
    biased = equalize(model, statistics)
    main = model.subgraphs[0]
    (operator,) = (
        one for one in main.operators if text(main.tensors[int(one.outputs[0])].name) == name
    )
    operator.inputs = [*map(int, operator.inputs[:2]), *([-1] if placeholder else [])]
    equal = equalize(model, statistics)
    constants = [text(one.name) for one in main.tensors if constant(model, one) is not None]
    assert (values_of(equal, f"{name}/weights") != values_of(model, f"{name}/weights")).any()
    for tensor in constants:
        wanted = before if tensor == f"{name}/bias" else values_of(biased, tensor)
        assert (values_of(equal, tensor) == wanted).all(), tensor
