"""Write a float graph with chosen ranges as an int8 graph, through litert-quantizer.

Child process only: imports litert-quantizer.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
from litert_quantizer import qtyping, quantizer, recipe
from litert_quantizer.algorithm_manager import AlgorithmName

from pipeline.errors import BadInput, reason_of
from pipeline.export.int8.operators import CONVERSIONS, WEIGHTED
from pipeline.export.int8.value_range import Ranges
from pipeline.tflite.edit import (
    constant,
    duplicate,
    dynamic_inputs,
    name_of,
    operator_code,
    pack,
    set_constant,
    unpack_whole,
)
from pipeline.tflite.flatbuffer import Model, dtype_name, shape_of, text

_BITS = 8
_FLOAT16_BITS = 16
_WEIGHT_STEPS = 127
# A bias may fill this part of int32, so that sums and corrections on top of it still fit.
_BIAS_STEPS = 2**28


def lower(model: Model, ranges: Ranges, *, float16: Collection[str] = ()) -> Model:
    """Return the int8 model: per-channel convolutions, per-tensor dense, int8 input and output.

    Args:
        model: a float32 model; it is not changed.
        ranges: low and high of every activation, by tensor name.
        float16: output tensors of operators that stay in floats; weights of layers in float16.

    Raises:
        BadInput: an operator cannot be quantized.
    """
    roomy = _with_room_for_biases(model, ranges)
    capped = _as_relu(roomy)
    # The library takes it that a graph has signatures where its answer stays in floats.
    roomy.signatureDefs = roomy.signatureDefs or []
    work = quantizer.Quantizer(pack(roomy))
    work.load_quantization_recipe(recipe.static_wi8_ai8())
    work.add_static_config(
        ".*",
        qtyping.TFLOperationName.FULLY_CONNECTED,
        activation_num_bits=_BITS,
        weight_num_bits=_BITS,
        weight_granularity=qtyping.QuantGranularity.TENSORWISE,
    )
    for name, weighted in _written(roomy, float16):
        pattern = f"^{re.escape(name)};?$"
        if weighted:
            work.add_weight_only_config(
                pattern,
                qtyping.TFLOperationName.ALL_SUPPORTED,
                num_bits=_FLOAT16_BITS,
                algorithm_key=AlgorithmName.FLOAT_CASTING,
            )
        else:
            work.update_quantization_recipe(
                pattern,
                qtyping.TFLOperationName.ALL_SUPPORTED,
                algorithm_key=AlgorithmName.NO_QUANTIZE,
            )
    try:
        # The library draws progress bars on the terminal it does not own.
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", UserWarning)
            result = work.quantize(_calibration_result(roomy, ranges))
    except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        raise BadInput(
            "the int8 quantizer refuses the model",
            got=reason_of(error).strip()[:400],
            next_step="pipeline export --quantize float16",
        ) from error
    lowered = unpack_whole(bytes(result.quantized_model), where="the quantizer's answer")
    _as_relu6(lowered, capped)
    _refuse_left_in_floats(lowered, float16)
    return lowered


def _written(model: Model, names: Collection[str]) -> list[tuple[str, bool]]:
    """Return the names, sorted, each with whether a layer with weights writes it."""
    main = model.subgraphs[0]
    weighted = {
        text(main.tensors[int(operator.outputs[0])].name)
        for operator in main.operators
        if name_of(model, operator) in WEIGHTED
    }
    return [(name, name in weighted) for name in sorted(names)]


def _calibration_result(model: Model, ranges: Ranges) -> dict[str, dict[str, npt.NDArray[Any]]]:
    found = {}
    for tensor in model.subgraphs[0].tensors:
        name = text(tensor.name)
        if name in ranges:
            shape = (1,) * len(shape_of(tensor))
            low, high = ranges[name]
            found[name] = {
                "min": np.full(shape, low, np.float32),
                "max": np.full(shape, high, np.float32),
            }
    return found


def _with_room_for_biases(model: Model, ranges: Ranges) -> Model:
    """Widen weight scales until every bias fits into int32.

    A bias is stored in steps of input scale times weight scale. A dead channel, its weights 1e-9
    and its bias 2, would need more steps than int32 has; the library cuts it off and the channel
    answers 0.002. Its largest weight is raised to where the bias fits, which changes the channel
    by about one part in ten thousand of its bias.
    """
    roomy = duplicate(model)
    main = roomy.subgraphs[0]
    for operator in main.operators:
        if name_of(roomy, operator) not in WEIGHTED or len(operator.inputs) < 3:
            continue
        entry, weights_at, bias_at = map(int, operator.inputs[:3])
        if bias_at < 0 or dynamic_inputs(roomy, operator) != [entry]:
            continue
        low, high = ranges[text(main.tensors[entry].name)]
        weights, bias = (constant(roomy, main.tensors[j]) for j in (weights_at, bias_at))
        assert weights is not None
        assert bias is not None
        last = name_of(roomy, operator) == "DEPTHWISE_CONV_2D"
        rows = np.moveaxis(weights, -1, 0) if last else weights
        rows = rows.reshape(rows.shape[0], -1).copy()
        steps = np.abs(bias.astype(np.float64)) * _WEIGHT_STEPS / _BIAS_STEPS
        needed = steps * 255 / (high - low)
        largest = np.abs(rows).argmax(axis=1)
        if name_of(roomy, operator) == "FULLY_CONNECTED":
            # One scale for all channels: only the largest weight of all counts.
            short = np.flatnonzero((np.abs(rows).max() < needed) & (needed == needed.max()))
        else:
            short = np.flatnonzero(np.abs(rows).max(axis=1) < needed)
        if len(short):
            rows[short, largest[short]] = needed[short].astype(np.float32)
            shaped = (
                rows.reshape((rows.shape[0], *np.moveaxis(weights, -1, 0).shape[1:]))
                if last
                else rows.reshape(weights.shape)
            )
            restored = np.moveaxis(shaped, 0, -1) if last else shaped
            set_constant(roomy, main.tensors[weights_at], np.ascontiguousarray(restored))
    return roomy


def _as_relu(model: Model) -> set[str]:
    """Call each RELU6 a RELU, in place, and return the tensors they write.

    The library knows RELU alone. The two differ in what is cut off, not in how they are quantized.
    """
    main, capped = model.subgraphs[0], set()
    for operator in main.operators:
        if name_of(model, operator) == "RELU6":
            operator.opcodeIndex = operator_code(model, "RELU")
            capped.add(text(main.tensors[int(operator.outputs[0])].name).rstrip(";"))
    return capped


def _as_relu6(model: Model, capped: Collection[str]) -> None:
    main = model.subgraphs[0]
    for operator in main.operators:
        written = text(main.tensors[int(operator.outputs[0])].name).rstrip(";")
        if name_of(model, operator) == "RELU" and written in capped:
            operator.opcodeIndex = operator_code(model, "RELU6")


def _refuse_left_in_floats(model: Model, wanted: Collection[str]) -> None:
    tensors = model.subgraphs[0].tensors
    # The converter's names of fused layers may end in a semicolon, and the library adds one.
    known = {name.rstrip(";") for name in wanted}
    stray = set()
    for operator in model.subgraphs[0].operators:
        name = name_of(model, operator)
        outputs = [tensors[int(j)] for j in operator.outputs]
        floats = any(dtype_name(tensor) == "float32" for tensor in outputs)
        named = any(text(tensor.name).rstrip(";") in known for tensor in outputs)
        if name not in CONVERSIONS and floats and not named:
            stray.add(name)
    if stray:
        raise BadInput(
            "the model has operators that the int8 quantizer does not know",
            expected="every operator in 8 bits",
            got=f"left in floats: {', '.join(sorted(stray))}",
            next_step="pipeline export --quantize float16",
        )
