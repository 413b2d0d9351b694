"""Measure toy int8 files layer by layer, and hold the figures to plain arithmetic."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from pipeline.contract.choices import Io, Step
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput, PipelineError
from pipeline.export.int8.request import ImageFile
from pipeline.progress import Report, silent

IMAGE = ImageContract(height_px=32, width_px=32)
EXPAND, DEPTHWISE, PROJECT = (f"toy/{name}/op" for name in ("expand", "depthwise", "project"))
ORDER = [EXPAND, DEPTHWISE, PROJECT]
# Channels so uneven that equalization changes them.
WEIGHTS = {
    EXPAND: np.array([[1, 0, 0], [0, 0.1, 0], [0, 0, 0.02], [0.5, -0.5, 0.2]], np.float32),
    DEPTHWISE: np.array([1, -2, 4, 1.5], np.float32),
    PROJECT: np.array([[1, -1, 0.5, 0.2], [-0.3, 0.4, -2, 0.1]], np.float32),
}
SHAPES = {EXPAND: (4, 1, 1, 3), DEPTHWISE: (1, 1, 1, 4), PROJECT: (2, 1, 1, 4)}
CHANNELS = {EXPAND: 4, DEPTHWISE: 4, PROJECT: 2}
BIAS = 0.1


class CasesRequest(Frozen):
    """Ask for every case, its files in `folder`, measured on `images`."""

    folder: Path
    images: tuple[ImageFile, ...]


class Cases(Frozen):
    """Hold, by case, the JSON of the answer or of the refusal."""

    found: dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what every case came to, all from one child process."""
    folder = tmp_path_factory.mktemp("debug")
    random = np.random.default_rng(4)
    entries = []
    for i in range(3):
        path = folder / f"{i}.png"
        Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
        entries.append(ImageFile(path=str(path), sha256=sha256_file(path), label="A"))
    request = CasesRequest(folder=folder, images=tuple(entries))
    return ask_child(f"{__name__}:cases_child", request, Cases).found


@pytest.mark.parametrize("io", list(Io))
def test_the_last_layer_agrees_with_plain_arithmetic(made: dict[str, Any], io: Io) -> None:
    case = made[io]
    last = case["layers"][-1]
    assert [layer["name"] for layer in case["layers"]] == ORDER
    assert 25 < last["sqnr_db"] < 70
    assert {key: last[key] for key in case["plain"]} == pytest.approx(case["plain"], rel=1e-3)


def test_weight_figures_are_those_of_the_float_weights(made: dict[str, Any]) -> None:
    for layer in made["uint8"]["layers"]:
        weights = WEIGHTS[layer["name"]]
        assert layer["weight_low"] == pytest.approx(float(weights.min()))
        assert layer["weight_high"] == pytest.approx(float(weights.max()))
    ratios = [layer["weight_channel_ratio"] for layer in made["uint8"]["layers"]]
    # A dense kernel's channel is a row, a depthwise kernel's a column.
    assert ratios == pytest.approx([1 / 0.02, 4 / 1, 2 / 1])
    sums = [layer["absolute_sum"] for layer in made["uint8"]["layers"]]
    assert sums == pytest.approx([0.5 + 0.5 + 0.2, 4, 0.3 + 0.4 + 2 + 0.1])
    assert [layer["dead_channels"] for layer in made["uint8"]["layers"]] == [0, 0, 0]


def test_each_layer_with_8_bits_is_measured_alone(made: dict[str, Any]) -> None:
    layers = {layer["name"]: layer for layer in made["uint8"]["layers"]}
    alone = {name: layer["alone"] for name, layer in layers.items()}
    assert alone == pytest.approx(made["uint8"]["alone"], rel=1e-4)
    assert all(0 < one < layers[PROJECT]["float_high"] / 10 for one in alone.values())
    mixed = {layer["name"]: layer["alone"] for layer in made["mixed"]["layers"]}
    assert mixed[DEPTHWISE] is None
    assert mixed[EXPAND] > 0
    # A range cut in the file is the file's fault, not the layer's.
    cut = {layer["name"]: layer["alone"] for layer in made["clipped"]["layers"]}
    assert cut[PROJECT] == pytest.approx(alone[PROJECT], rel=0.5)


def test_a_range_cut_in_half_saturates_both_ends_of_a_linear_layer(made: dict[str, Any]) -> None:
    last = made["clipped"]["layers"][-1]
    assert last["saturated_share"] == pytest.approx(made["clipped"]["plain"]["saturated_share"])
    assert last["saturated_share"] > 0.01
    assert last["int8_high"] < last["float_high"]
    assert last["int8_low"] > last["float_low"]
    assert last["sqnr_db"] < made["uint8"]["layers"][-1]["sqnr_db"] - 3


def test_the_zero_end_of_a_relu_does_not_count(made: dict[str, Any]) -> None:
    depthwise = made["uint8"]["layers"][1]
    assert made["uint8"]["zeros"] > 0.15
    assert depthwise["saturated_share"] < 0.05


def test_a_layer_left_in_floats_has_no_steps_to_lose(made: dict[str, Any]) -> None:
    layers = {layer["name"]: layer for layer in made["mixed"]["layers"]}
    assert list(layers) == ORDER
    left = layers[DEPTHWISE]
    assert left["int8_low"] is None
    assert left["mean_shift_steps"] is None
    assert left["saturated_share"] == 0
    # What is lost before it is heard in it all the same.
    assert 20 < left["sqnr_db"] < 90
    assert layers[PROJECT]["int8_low"] is not None


def test_an_equalized_file_is_compared_with_the_equalized_model(made: dict[str, Any]) -> None:
    assert "other weights" in made["equalized, unsaid"]["got"]
    layers = made["equalized"]["layers"]
    assert all(layer["sqnr_db"] > 25 for layer in layers)
    # The smallest channel of the expansion grew until it reached 6.
    assert layers[0]["weight_channel_ratio"] < made["uint8"]["layers"][0]["weight_channel_ratio"]


@pytest.mark.parametrize(
    ("case", "got"),
    [
        ("renamed", "no such tensor"),
        ("swapped", "shape (1, 32, 32, 2)"),
        ("retrained", "other weights"),
        ("another size", "shape (1, 32, 32, 3)"),
    ],
)
def test_a_file_of_another_model_is_refused(made: dict[str, Any], case: str, got: str) -> None:
    assert made[case]["kind"] == "bad_input"
    assert made[case]["what"] == "the int8 file is not of this float model"
    assert got in made[case]["got"]


def test_a_changed_file_is_refused(made: dict[str, Any]) -> None:
    assert "changed while it was being read" in made["changed"]["what"]


def test_a_float_file_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    from pipeline.contract.run import RunDir
    from pipeline.tflite.edit import pack
    from pipeline.workflow.debug import debug_model

    path = tmp_path / "float.tflite"
    path.write_bytes(pack(toy()))
    # The run is empty: nothing of it was asked for yet.
    with pytest.raises(BadInput, match="not an int8 file"):
        debug_model(RunDir(tmp_path / "run"), path, 4)


def toy(**changed: Any) -> Any:
    """Return a float model by hand: 1x1 expansion, 1x1 depthwise, both ReLU6, 1x1 projection.

    `weights` replaces those of a layer, `names` the names of tensors.
    """
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], []
    model.buffers, graph.tensors, graph.operators = [schema.BufferT()], [], []
    names = changed.get("names", {})

    def tensor(name: str, shape: tuple[int, ...], values: Any = None) -> int:
        one = schema.TensorT()
        one.name, one.shape, one.type = (
            names.get(name, name),
            list(shape),
            schema.TensorType.FLOAT32,
        )
        one.buffer = 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(
                np.ascontiguousarray(values, np.float32).tobytes(), np.uint8
            )
            one.buffer = len(model.buffers)
            model.buffers.append(buffer)
        graph.tensors.append(one)
        return len(graph.tensors) - 1

    def operator(kind: str, name: str, entry: int, activation: int) -> int:
        weights = changed.get("weights", {}).get(name, WEIGHTS[name])
        channels = CHANNELS[name]
        inputs = [
            entry,
            tensor(f"{name}/weights", SHAPES[name], weights.reshape(SHAPES[name])),
            tensor(f"{name}/bias", (channels,), np.full(channels, BIAS)),
        ]
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        code.version = 1
        model.operatorCodes.append(code)
        one = schema.OperatorT()
        depthwise = kind == "DEPTHWISE_CONV_2D"
        one.builtinOptions = (
            schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
        )
        one.builtinOptionsType = getattr(
            schema.BuiltinOptions, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
        )
        one.builtinOptions.strideH = one.builtinOptions.strideW = 1
        one.builtinOptions.dilationHFactor = one.builtinOptions.dilationWFactor = 1
        one.builtinOptions.fusedActivationFunction = activation
        if depthwise:
            one.builtinOptions.depthMultiplier = 1
        one.opcodeIndex = len(model.operatorCodes) - 1
        one.inputs = inputs
        one.outputs = [tensor(name, (1, 32, 32, channels))]
        graph.operators.append(one)
        return int(one.outputs[0])

    relu6 = schema.ActivationFunctionType.RELU6
    entry = tensor("input", (1, 32, 32, 3))
    hidden = operator("CONV_2D", EXPAND, entry, relu6)
    hidden = operator("DEPTHWISE_CONV_2D", DEPTHWISE, hidden, relu6)
    graph.inputs, graph.outputs = [entry], [operator("CONV_2D", PROJECT, hidden, 0)]
    return model


def cases_child(request: CasesRequest, report: Report) -> Cases:
    """Make the int8 files, measure each, and measure its last layer by hand."""
    from pipeline.export.int8.activation_statistics import collect_statistics
    from pipeline.export.int8.builder import Int8Builder
    from pipeline.export.int8.io_types import input_range, set_io_type
    from pipeline.export.int8.lower import lower
    from pipeline.export.int8.value_range import min_max
    from pipeline.imaging.preprocess import load_resized_pixels
    from pipeline.tflite.edit import duplicate, pack

    folder, images = request.folder, request.images
    pixels = np.stack([load_resized_pixels(Path(one.path), IMAGE) for one in images])
    model = duplicate(toy())

    def builder(io: Io) -> Int8Builder:
        return Int8Builder(model, pixels, IMAGE, io, 0, silent)

    def saved(name: str, data: bytes) -> str:
        (folder / f"{name}.tflite").write_bytes(data)
        return str(folder / f"{name}.tflite")

    source = saved("float", pack(model))

    def debug(int8: str, against: str = source, **more: Any) -> dict[str, Any]:
        from pipeline.export.int8.layer_errors import layer_errors_child
        from pipeline.export.int8.request import LayerErrorsRequest

        asked = {
            "float_file": {"path": against, "sha256": sha256_file(Path(against))},
            "int8_file": {"path": int8, "sha256": sha256_file(Path(int8))},
            "image": IMAGE,
            "images": images,
            "seed": 0,
        }
        try:
            answer = layer_errors_child(
                LayerErrorsRequest.model_validate({**asked, **more}), silent
            )
        except PipelineError as error:
            return error.to_dict()
        return answer.model_dump(mode="json")

    found: dict[str, Any] = {}
    for io in Io:
        maker = builder(io)
        int8 = saved(f"int8-{io}", maker.finish(maker.build(())))
        found[io] = {**debug(int8), "plain": by_hand(int8, source, pixels, io)}
    maker = builder(Io.uint8)
    plain = str(folder / "int8-uint8.tflite")
    equal = (Step.ranges, Step.bias_correction, Step.equalization)
    path = saved("equalized", maker.finish(maker.build(equal)))
    found["equalized, unsaid"] = debug(path)
    found["equalized"] = debug(path, representative=images, steps=equal)

    statistics = collect_statistics(model, pixels, IMAGE, seed=0, report=silent)
    ranges = {name: min_max(one) for name, one in statistics.items()}
    ranges["input"] = input_range(IMAGE, Io.float32)
    mixed = lower(model, ranges, float16=(DEPTHWISE,))
    set_io_type(mixed, Io.float32)
    found["mixed"] = debug(saved("mixed", pack(mixed)))
    ranges[PROJECT] = (ranges[PROJECT][0] / 2, ranges[PROJECT][1] / 2)
    path = saved("clipped", pack(lower(model, ranges)))
    found["clipped"] = {**debug(path), "plain": by_hand(path, source, pixels, Io.int8)}
    hidden = statistics[DEPTHWISE]
    found["uint8"]["alone"] = alone_by_hand(builder(Io.uint8), pixels)
    found["uint8"]["zeros"] = float((hidden.samples == 0).mean())

    for name, changed in {
        "renamed": {"names": {DEPTHWISE: "toy/other/op"}},
        "retrained": {"weights": {PROJECT: -WEIGHTS[PROJECT]}},
    }.items():
        found[name] = debug(plain, saved(name, pack(toy(**changed))))
    swapped = toy(names={EXPAND: PROJECT, PROJECT: EXPAND})
    found["swapped"] = debug(plain, saved("swapped", pack(swapped)))
    larger = ImageContract(height_px=64, width_px=32)
    found["another size"] = debug(plain, image=larger)
    found["changed"] = debug(plain, int8_file={"path": plain, "sha256": "0" * 64})
    return Cases(found=found)


def interpreted(data: bytes, inputs: list[Any]) -> tuple[Any, float, int]:
    """Return a file's answers as it stores them, float64, with their scale and zero point."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    (entry,), (last,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for values in inputs:
        interpreter.set_tensor(entry["index"], values[None].astype(entry["dtype"]))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(last["index"])[0].astype(np.float64))
    return np.stack(rows), *last["quantization"]


def alone_by_hand(maker: Any, pixels: Any) -> dict[str, float]:
    """Return what each layer does alone, from whole files and the interpreter's answers."""
    from pipeline.tflite.edit import pack

    def answers(data: bytes, inputs: list[Any]) -> Any:
        stored, scale, zero_point = interpreted(data, inputs)
        return (stored - zero_point) * (scale or 1)

    real = [(one.astype(np.float32) - 127.5) / 127.5 for one in pixels]
    wanted = answers(pack(maker.float_model), real)
    found = {}
    for name in ORDER:
        others = tuple(other for other in ORDER if other != name)
        got = answers(maker.finish(maker.build_isolated(others)), list(pixels))
        found[name] = float(np.abs(got - wanted).reshape(len(pixels), -1).max(axis=1).mean())
    return found


def by_hand(int8: str, source: str, pixels: Any, io: Io) -> dict[str, float]:
    """Return the last layer's figures from the answers of the two files alone."""
    real = [(one.astype(np.float32) - 127.5) / 127.5 for one in pixels]
    wanted, _, _ = interpreted(Path(source).read_bytes(), real)
    if io is Io.float32:
        fed = real
    elif io is Io.uint8:
        fed = list(pixels)
    else:
        # 254 steps from -1 to 1.
        fed = [np.clip(np.rint(one * np.float32(127)), -128, 127) for one in real]
    stored, scale, zero_point = interpreted(Path(int8).read_bytes(), fed)
    got = stored if io is Io.float32 else (stored - zero_point) * scale
    error = got - wanted
    found = {
        "sqnr_db": 10 * math.log10((wanted**2).mean() / (error**2).mean()),
        "float_low": float(wanted.min()),
        "float_high": float(wanted.max()),
    }
    if io is not Io.float32:
        lowest = -128 if io is Io.int8 else 0
        shift = np.abs(error.reshape(-1, error.shape[-1]).mean(axis=0)) / scale
        found |= {
            "saturated_share": float(((stored == lowest) | (stored == lowest + 255)).mean()),
            "mean_shift_steps": float(shift.mean()),
            "largest_mean_shift_steps": float(shift.max()),
        }
    return found
