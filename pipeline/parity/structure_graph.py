"""Check the graph of a finished file: operators, weights, delegation, runtime versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pipeline.contract.recipe import Quantize, Recipe
from pipeline.contract.verdict import Check, Gate
from pipeline.parity.comparison import compare, expect, not_measured
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
    yield expect("built_in_operators_only", Gate.structure, [], [*custom])
    yield expect("one_graph", Gate.structure, 1, found.graph.subgraphs)
    yield compare(
        "file_size",
        Gate.structure,
        found.size_bytes / _MEGABYTE,
        "<=",
        _MAX_SIZE_MB,
        unit="MB",
        evidence={"kind": "file_size", "size_bytes": found.size_bytes},
    )


def recipe_checks(found: Inspection, recipe: Recipe) -> Iterator[Check]:
    """Check that weights and activations are stored as the recipe says."""
    needed, barred = _WEIGHTS[recipe.quantize]
    if recipe.float16_layers:
        # A layer left in floats keeps its bias in float32.
        barred = ()
    stored = found.graph.weight_bytes
    yield expect(
        "recipe_applied_to_weights",
        Gate.structure,
        {needed: True, **dict.fromkeys(barred, False)},
        {dtype: dtype in stored for dtype in (needed, *barred)},
        weight_bytes=dict(stored),
    )
    floats = {operator.key: operator.count for operator in found.graph.float_operators}
    count = sum(floats.values())
    if recipe.quantize is Quantize.int8:
        wanted = len(recipe.float16_layers)
        yield expect("operators_on_floats", Gate.structure, wanted, count, operators=dict(floats))
    else:
        yield expect("operators_on_floats", Gate.structure, True, count > 0, operators=dict(floats))


def delegation_checks(recipe: Recipe, delegation: Delegation) -> Iterator[Check]:
    """Check that XNNPACK runs all of an int8 graph but what it has no kernel for.

    TensorFlow's own int8 files leave the same nodes to the interpreter. Other recipes are only
    recorded.
    """
    if recipe.quantize is not Quantize.int8:
        return
    nodes, left = delegation.nodes, delegation.left
    excused = Counter(delegation.beyond) + Counter(n for n in left if n in NOT_DELEGATED)
    yield compare(
        "delegated_nodes",
        Gate.structure,
        delegation.delegated,
        ">=",
        max(1, nodes - excused.total()),
        unit="nodes",
        evidence={
            "kind": "delegation",
            "nodes": nodes,
            "partitions": delegation.partitions,
            "left": [*left],
            "beyond": [*delegation.beyond],
            "not_delegated": [*sorted(NOT_DELEGATED)],
        },
    )


def runtime_checks(found: Inspection, promised: str) -> Iterator[Check]:
    """Check that the promised runtime has every operator version, and that the file says so."""
    need = found.runtime
    if need.version is None:
        yield not_measured(
            "oldest_runtime",
            Gate.structure,
            {"kind": "unknown_operators", "operators": list(need.unknown)},
        )
        return
    yield expect(
        "oldest_runtime",
        Gate.structure,
        True,
        version_key(need.version) <= version_key(promised),
        needs=need.version,
        promised=promised,
        because_of=list(need.because),
    )
    claimed = found.graph.converter_min_runtime
    yield expect("runtime_written_by_converter", Gate.structure, need.version, claimed)
