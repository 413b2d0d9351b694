"""Constants in float16, by plain arithmetic and through the kernels."""

from __future__ import annotations

import copy

import numpy as np

from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from pipeline.progress import Report


class CasesRequest(Frozen):
    """Ask for every case."""


class Cases(Frozen):
    """Hold what was found, by the name of the case."""

    operators: tuple[str, ...]
    stored: tuple[float, ...]
    emptied: bool
    original_kept: bool
    answers: tuple[float, ...]
    by_hand: tuple[float, ...]
    versions: tuple[int, ...]
    left_in_float32: int


VALUES = (1.0, 1 + 2**-11, 1 + 3 * 2**-11, 1e6, -1e6, 1e-9)


def cases_child(request: CasesRequest, report: Report) -> Cases:
    """Halve the constants of a dense layer, and answer with both."""
    from pipeline.export.float16 import with_float16_constants
    from pipeline.export.int8.kernels import Kernel
    from pipeline.tflite.edit import name_of, pack
    from pipeline.tflite.inspect import inspect_bytes
    from tests.export.int8.graphs import Network, tensor_of, values_of

    del request, report
    weights = np.array([VALUES, VALUES[::-1]], np.float32)
    bias = np.array([0.1, -0.2], np.float32)
    network = Network((1, 6))
    network.dense("image", "first", weights, bias)
    network.dense("first", "second", np.eye(2, dtype=np.float32), bias)
    model = network.build("second")
    # What an operator that was taken out had read.
    left = copy.copy(tensor_of(model, "first/weights"))
    left.name = "left behind"
    model.subgraphs[0].tensors.append(left)
    before = pack(model)
    halved = with_float16_constants(model)
    entry = np.array([[1, 2, 3, 0, 0, 1]], np.float32)
    main = halved.subgraphs[0]
    halves = weights.clip(-65504, 65504).astype(np.float16).astype(np.float32)
    half_bias = bias.astype(np.float16).astype(np.float32)
    return Cases(
        operators=tuple(name_of(halved, one) for one in main.operators),
        stored=tuple(float(one) for one in values_of(halved, "first/weights/float16")[0]),
        emptied=tensor_of(halved, "first/weights").buffer == 0,
        original_kept=pack(model) == before,
        answers=tuple(float(one) for one in Kernel(pack(halved))(entry)[0]),
        by_hand=tuple(float(one) for one in (entry @ halves.T + 2 * half_bias)[0]),
        left_in_float32=inspect_bytes(pack(halved), where="halved").graph.weight_bytes.get(
            "float32", 0
        ),
        versions=tuple(
            one.version
            for one in halved.operatorCodes
            if one.builtinCode == 6  # DEQUANTIZE
        ),
    )


def test_every_constant_is_rounded_to_float16_and_widened_before_it_is_read() -> None:
    found = ask_child(f"{__name__}:cases_child", CasesRequest(), Cases)
    assert found.operators == (
        *["DEQUANTIZE"] * 2,
        "FULLY_CONNECTED",
        *["DEQUANTIZE"] * 2,
        "FULLY_CONNECTED",
    )
    # Half way between two values the even one is taken; what is too large becomes the largest.
    assert found.stored == (1.0, 1.0, 1 + 2**-9, 65504.0, -65504.0, 0.0)
    assert found.emptied
    assert found.original_kept
    assert np.allclose(found.answers, found.by_hand, rtol=1e-5)
    assert found.left_in_float32 == 0
    # float16 needs the third version of DEQUANTIZE.
    assert found.versions == (3,)
