"""Check the graph of a finished file: operators, weights, delegation, runtime versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pipeline.contract.recipe import Quantize, Recipe
from pipeline.contract.verdict import Check, Gate, Outcome
from pipeline.parity.structure_check import structure_check
from pipeline.runtimes.delegation import Delegation
from pipeline.tflite.inspect import Inspection
from pipeline.tflite.runtime_versions import version_key

# The element type that a recipe's weights must have, and those that none may have. Biases and
# axes are int32 in any file.
_WEIGHTS = {
    Quantize.float32: ("float32", ("float16", "int8")),
    Quantize.float16: ("float16", ("float32", "int8")),
    Quantize.dynamic: ("int8", ("float16",)),
    Quantize.int8: ("int8", ("float16", "float32")),
}
_MEGABYTE = 1_000_000
# Where XNNPACK, as built into LiteRT 2.3, has no kernel for an int8 operator. Found by converting
# a tiny network for each operator with TensorFlow's full int8 and listing what LiteRT leaves to
# the interpreter; `tests/export/int8/test_operators.py` repeats that and compares. QUANTIZE is
# left between uint8 and int8 only; RELU and RELU6 are seen only where they are not fused into the
# operator before. ADD, CONCATENATION, LOGISTIC, MAX_POOL_2D, MEAN, MUL, PAD, RESHAPE,
# RESIZE_BILINEAR, STRIDED_SLICE, SUB, TANH, TRANSPOSE and all kinds of convolutions and dense
# layers have one; for what tensors, `pipeline.runtimes.delegation` knows.
NOT_DELEGATED = frozenset(
    {
        "AVERAGE_POOL_2D",
        "GELU",
        "HARD_SWISH",
        "MAXIMUM",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "RSQRT",
        "SOFTMAX",
        "SQUARED_DIFFERENCE",
    }
)
_MAX_SIZE_MB = 100


def graph_checks(found: Inspection) -> Iterator[Check]:
    """Check what holds for any classifier: built-in operators, one graph, a sane size."""
    custom = [operator.key for operator in found.graph.custom_operators]
    yield structure_check("built_in_operators_only", not custom, expected=[], found=custom)
    yield structure_check(
        "one_graph", found.graph.subgraphs == 1, expected=1, found=found.graph.subgraphs
    )
    size_mb = found.size_bytes / _MEGABYTE
    yield structure_check(
        "file_size",
        size_mb <= _MAX_SIZE_MB,
        expected=_MAX_SIZE_MB * _MEGABYTE,
        found=found.size_bytes,
        measured={"value": size_mb, "unit": "MB", "comparison": "<=", "threshold": _MAX_SIZE_MB},
    )


def recipe_checks(found: Inspection, recipe: Recipe) -> Iterator[Check]:
    """Check that weights and activations are stored as the recipe says."""
    needed, barred = _WEIGHTS[recipe.quantize]
    if recipe.float16_layers:
        # A layer left in floats keeps its bias in float32.
        barred = ()
    stored = found.graph.weight_bytes
    yield structure_check(
        "recipe_applied_to_weights",
        needed in stored and not any(dtype in stored for dtype in barred),
        expected={"contains": needed, "without": list(barred)},
        found=stored,
    )
    floats = {operator.key: operator.count for operator in found.graph.float_operators}
    if recipe.quantize is Quantize.int8:
        wanted = len(recipe.float16_layers)
        fits, expected = sum(floats.values()) == wanted, {"count": wanted}
    else:
        fits, expected = bool(floats), {"count_at_least": 1}
    yield structure_check("operators_on_floats", fits, expected=expected, found=floats)


def delegation_checks(recipe: Recipe, delegation: Delegation) -> Iterator[Check]:
    """Check that XNNPACK runs all of an int8 graph but what it has no kernel for.

    TensorFlow's own int8 files leave the same nodes to the interpreter. Other recipes are only
    recorded.
    """
    if recipe.quantize is not Quantize.int8:
        return
    nodes, left = delegation.nodes, delegation.left
    excused = Counter(delegation.beyond) + Counter(n for n in left if n in NOT_DELEGATED)
    needed = nodes - excused.total()
    yield structure_check(
        "delegated_nodes",
        nodes > 0 and not Counter(left) - excused,
        expected={"left_at_most": sorted(NOT_DELEGATED | set(delegation.beyond))},
        found={"left": list(left), "nodes": nodes, "partitions": delegation.partitions},
        measured={
            "value": float(delegation.delegated),
            "unit": "nodes",
            "comparison": ">=",
            "threshold": float(needed),
        },
    )


def runtime_checks(found: Inspection, promised: str) -> Iterator[Check]:
    """Check that the promised runtime has every operator version, and that the file says so."""
    need = found.runtime
    if need.version is None:
        yield Check(
            name="oldest_runtime",
            gate=Gate.structure,
            outcome=Outcome.inconclusive,
            evidence={
                "kind": "not_measured",
                "reason": {"kind": "unknown_operators", "operators": list(need.unknown)},
            },
        )
        return
    yield structure_check(
        "oldest_runtime",
        version_key(need.version) <= version_key(promised),
        expected={"at_most": promised},
        found={"needs": need.version, "because_of": list(need.because)},
    )
    claimed = found.graph.converter_min_runtime
    yield structure_check(
        "runtime_written_by_converter",
        claimed == need.version,
        expected=need.version,
        found=claimed,
    )
