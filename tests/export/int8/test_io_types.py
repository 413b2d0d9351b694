from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.choices import Io
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput
from pipeline.export.int8.io_types import (
    inner_output,
    input_range,
    int8_batch,
    set_io_type,
    to_int8,
)
from pipeline.export.int8.kernels import Kernel
from pipeline.export.int8.lower import lower
from pipeline.export.int8.mean_rounding import absorb_mean_rounding
from pipeline.imaging.preprocess import normalize
from pipeline.tflite.edit import duplicate, expose, pack, scale_and_zero_point
from pipeline.tflite.flatbuffer import Model, text
from tests.export.int8.graphs import Network, tensor_of, values_of

IMAGE = ImageContract(height_px=32, width_px=32)
PIXELS = np.arange(256, dtype=np.uint8)
# Half a pixel value of the default contract, in real units.
HALF_STEP = 0.5 / IMAGE.std
# Two steps of output for a pixel value.
OUTPUT = (-128 * HALF_STEP, 127 * HALF_STEP)
CONTRACTS = [(127.5, 127.5), (127.5, 1.0), (128.0, 128.0), (0.0, 255.0), (0.0, 1.0), (255.0, 1.0)]


def contract(mean: float, std: float) -> ImageContract:
    return ImageContract(height_px=32, width_px=32, mean=mean, std=std)


def colours() -> Model:
    """Return a 1x1 convolution giving red, minus green, and red minus blue."""
    weights = np.array([[1, 0, 0], [0, -1, 0], [1, 0, -1]], np.float32).reshape(3, 1, 1, 3)
    network = Network((1, 32, 32, 3))
    network.conv("image", "out", weights, np.zeros(3, np.float32))
    return network.build("out")


def lowered(image: ImageContract, io: Io) -> Model:
    return lower(colours(), {"image": input_range(image, io), "out": OUTPUT})


def formula(image: ImageContract, io: Io) -> tuple[float, int]:
    """Return scale and zero point of the input's range, as any asymmetric int8 quantizer would."""
    low, high = input_range(image, io)
    scale = (high - low) / 255
    return scale, round(-128 - low / scale)


def picture() -> npt.NDArray[np.uint8]:
    """Return pixels whose differences the output's range holds."""
    return np.random.default_rng(0).integers(100, 156, (1, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("io", list(Io))
@pytest.mark.parametrize(("mean", "std"), CONTRACTS)
def test_the_quantizer_gives_the_input_the_scale_that_its_range_asks_for(
    mean: float, std: float, io: Io
) -> None:
    image = contract(mean, std)
    found = scale_and_zero_point(tensor_of(lowered(image, io), "image"))
    assert found == pytest.approx(formula(image, io), rel=1e-6)
    if io is Io.uint8:
        assert found == pytest.approx((1 / std, int(mean + 0.5) - 128), rel=1e-6)


def test_a_uint8_pixel_reaches_the_graph_as_it_is() -> None:
    stored = to_int8(PIXELS, IMAGE, Io.uint8, *formula(IMAGE, Io.uint8))
    assert stored.dtype == np.int8
    assert stored.tolist() == [value - 128 for value in range(256)]


@given(
    twice_mean=st.integers(0, 510), std=st.floats(0.5, 255), io=st.sampled_from(["int8", "float32"])
)
def test_every_pixel_value_has_a_step_of_its_own_nearby_and_none_lies_between_two(
    twice_mean: int, std: float, io: str
) -> None:
    image = contract(twice_mean / 2, std)
    scale, zero = formula(image, Io(io))
    exact = (PIXELS - image.mean) / image.std / scale
    # A runtime computes in float32 and breaks ties its own way: there must be none.
    from_tie = np.abs(exact - np.floor(exact) - 0.5)
    assert from_tie.min() > 0.001
    stored = to_int8(PIXELS, image, Io(io), scale, zero)
    assert stored.dtype == np.int8
    assert np.abs(stored.astype(np.float64) - zero - exact).max() <= 0.51
    assert (np.diff(stored.astype(int)) >= 0).all()


def test_all_255_steps_would_leave_every_pixel_value_between_two() -> None:
    low, high = IMAGE.float_range
    exact = (PIXELS - IMAGE.mean) / IMAGE.std / ((high - low) / 255)
    assert np.abs(exact - np.floor(exact) - 0.5).max() < 1e-9


def test_raw_pixels_are_answered_exactly_once_the_rounded_mean_is_absorbed() -> None:
    pixels = picture()
    graph = lowered(IMAGE, Io.uint8)
    wanted = Kernel(pack(colours()))(normalize(pixels, IMAGE))
    stored = int8_batch(pixels, IMAGE, Io.uint8, graph)

    def real(model: Model) -> npt.NDArray[np.float64]:
        scale, zero_point = scale_and_zero_point(tensor_of(model, "out"))
        return (Kernel(pack(model))(stored).astype(np.float64) - zero_point) * scale

    # Each output is off by half a pixel value times the sum of its weights: 1, -1 and 0.
    off = real(graph) - wanted
    assert off.reshape(-1, 3) == pytest.approx(
        np.tile([-HALF_STEP, HALF_STEP, 0], (32 * 32, 1)), abs=1e-6
    )
    absorb_mean_rounding(graph, IMAGE)
    assert real(graph) == pytest.approx(wanted, abs=1e-6)


def test_a_first_layer_left_in_floats_absorbs_it_as_well() -> None:
    pixels = picture()
    spans = {"image": input_range(IMAGE, Io.uint8), "first": (-1.0, 1.0), "out": (0.0, 1.0)}
    network = Network((1, 32, 32, 3))
    network.conv("image", "first", np.eye(3).reshape(3, 1, 1, 3), np.zeros(3))
    network.softmax("first", "out")
    graph = lower(network.build("out"), spans, float16=["first"])
    absorb_mean_rounding(graph, IMAGE)
    assert values_of(graph, "first/bias") == pytest.approx([HALF_STEP] * 3, rel=1e-3)
    first = graph.subgraphs[0].tensors.index(tensor_of(graph, "first"))
    answer = Kernel(expose(graph, [first]))(int8_batch(pixels, IMAGE, Io.uint8, graph))
    assert answer == pytest.approx(normalize(pixels, IMAGE), abs=1e-6)


def test_a_whole_mean_leaves_nothing_to_absorb() -> None:
    image = contract(128.0, 127.5)
    graph = lowered(image, Io.uint8)
    before = pack(graph)
    absorb_mean_rounding(graph, image)
    assert pack(graph) == before


def test_a_rounded_mean_that_nothing_can_absorb_is_refused() -> None:
    network = Network((1, 8))
    network.pointwise("LOGISTIC", "image", "out")
    graph = lower(network.build("out"), {"image": input_range(IMAGE, Io.uint8), "out": (-1, 1)})
    with pytest.raises(BadInput, match="needs a layer first") as refused:
        absorb_mean_rounding(graph, IMAGE)
    assert refused.value.got == "LOGISTIC"
    assert refused.value.next_step == "pipeline export --quantize int8 --io float32"
    absorb_mean_rounding(graph, contract(128.0, 127.5))


@pytest.mark.parametrize("io", list(Io))
def test_the_file_takes_and_gives_what_was_asked_for_and_answers_the_same(io: Io) -> None:
    graph, pixels = lowered(IMAGE, io), picture()
    inner = Kernel(pack(graph))(int8_batch(pixels, IMAGE, io, graph))
    scale, zero_point = scale_and_zero_point(tensor_of(graph, "out"))
    finished = duplicate(graph)
    set_io_type(finished, io)
    runner = Interpreter(model_content=pack(finished)).get_signature_runner("serving_default")
    taken = {
        Io.float32: normalize(pixels, IMAGE),
        Io.uint8: pixels,
        Io.int8: int8_batch(pixels, IMAGE, io, graph),
    }[io]
    given_back = runner(image=taken)["probability"]
    assert given_back.dtype == np.dtype(str(io))
    if io is Io.float32:
        wanted = (inner.astype(np.float32) - zero_point) * np.float32(scale)
        assert given_back == pytest.approx(wanted, abs=1e-6)
    else:
        offset = 128 if io is Io.uint8 else 0
        assert (given_back.astype(int) - offset == inner).all()


def test_setting_the_type_leaves_the_weights_alone() -> None:
    graph = lowered(IMAGE, Io.uint8)
    finished = duplicate(graph)
    set_io_type(finished, Io.uint8)
    assert (values_of(finished, "out/weights") == values_of(graph, "out/weights")).all()
    assert scale_and_zero_point(finished.subgraphs[0].tensors[-2]) == pytest.approx(
        (1 / IMAGE.std, 128), rel=1e-6
    )


def test_a_rounded_mean_is_refused_where_the_first_convolution_has_no_bias() -> None:
    graph = lowered(IMAGE, Io.uint8)
    (convolution,) = graph.subgraphs[0].operators
    convolution.inputs = [*map(int, convolution.inputs[:2]), -1]
    with pytest.raises(BadInput, match="needs a layer first") as refused:
        absorb_mean_rounding(graph, IMAGE)
    assert "without a bias" in str(refused.value.got)


@pytest.mark.parametrize("io", list(Io))
def test_the_file_keeps_the_names_of_the_graph_and_none_is_there_twice(io: Io) -> None:
    graph = lowered(IMAGE, io)
    set_io_type(graph, io)
    main = graph.subgraphs[0]
    names = [text(tensor.name) for tensor in main.tensors]
    assert names[int(main.inputs[0])] == "image"
    assert names[int(main.outputs[0])] == "out"
    assert len(set(names)) == len(names)
    (inner,) = (
        j for j in range(len(names)) if names[j] == ("out" if io is Io.int8 else "out_int8")
    )
    assert inner_output(graph) == inner
