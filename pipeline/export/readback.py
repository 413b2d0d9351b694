"""Compare a finished `.tflite` file with what was asked, through a reader of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.contract.base import Frozen
from pipeline.contract.bundle import LABELS_FILE
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import NOTICE, TensorInfo
from pipeline.contract.recipe import Io, Quantize, Recipe
from pipeline.contract.verdict import Check, Gate, Outcome
from pipeline.export.metadata_writer import FULL_NAMES_FILE, About, stored_range
from pipeline.tflite.inspect import Inspection, tensor_text
from pipeline.tflite.runtime_versions import version_key

# The element type that a recipe's weights must have, and those that none may have. Biases and
# axes are int32 in any file.
_WEIGHTS = {
    Quantize.none: ("float32", ("float16", "int8")),
    Quantize.float16: ("float16", ("float32", "int8")),
    Quantize.dynamic: ("int8", ("float16",)),
    Quantize.int8: ("int8", ("float16", "float32")),
}
_SCALE_TOLERANCE = 1e-3
_MEGABYTE = 1_000_000
_NEVER_DELEGATED = frozenset({"SOFTMAX", "QUANTIZE"})
# MobileNetV2 1.0 in float32 is 9 MB; a file of another order holds something else.
_MAX_SIZE_BYTES = 100 * _MEGABYTE


class Asked(Frozen):
    """Hold everything a finished file is compared with."""

    recipe: Recipe
    image: ImageContract
    labels: Labels
    about: About
    min_runtime: str


def read_back(found: Inspection, asked: Asked) -> tuple[Check, ...]:
    """Compare everything read from the finished file with what was asked.

    Returns:
        Checks of the structure gate; each failed one says what was found instead.
    """
    return (
        *_tensor_checks(found, asked),
        *_quantization_checks(found, asked),
        *_metadata_checks(found, asked),
        *_recipe_checks(found, asked.recipe),
        *_runtime_checks(found, asked.min_runtime),
    )


def _tensor_checks(found: Inspection, asked: Asked) -> Iterator[Check]:
    dtype = str(asked.recipe.io)
    for end, infos, shape in (
        ("input", found.graph.inputs, asked.image.input_shape),
        ("output", found.graph.outputs, (1, len(asked.labels))),
    ):
        fits = len(infos) == 1 and infos[0].shape == shape and infos[0].dtype == dtype
        listed = "; ".join(tensor_text(info) for info in infos) or "none"
        yield _check(f"{end} tensor", fits, f"one {dtype} {shape} asked, found {listed}")
    signatures = [(s.key, s.inputs, s.outputs) for s in found.graph.signatures]
    wanted = [("serving_default", (asked.about.input_name,), (asked.about.output_name,))]
    yield _check("signature", signatures == wanted, f"{wanted[0]} asked, found {signatures}")


def _quantization_checks(found: Inspection, asked: Asked) -> Iterator[Check]:
    if len(found.graph.inputs) != 1 or len(found.graph.outputs) != 1:
        return
    first, last = found.graph.inputs[0], found.graph.outputs[0]
    if asked.recipe.io is Io.float32:
        plain = first.scale is None and last.scale is None
        got = f"{tensor_text(first)}; {tensor_text(last)}"
        yield _check("float input and output", plain, f"no scales asked, found {got}")
        return
    yield _input_check(first, asked.image, asked.recipe.io)
    lowest = 0 if asked.recipe.io is Io.uint8 else -128
    probability = last.scale is not None and math.isclose(last.scale, 1 / 256, rel_tol=1e-6)
    yield _check(
        "output quantization",
        probability and last.zero_point == lowest,
        f"scale 1/256 and zero point {lowest} asked, found {tensor_text(last)}",
    )


def _input_check(info: TensorInfo, image: ImageContract, io: Io) -> Check:
    name, found = "input quantization", f"found {tensor_text(info)}"
    if info.scale is None or info.zero_point is None:
        return _check(name, False, f"a scale asked, {found}")
    if io is Io.uint8:
        fits = math.isclose(info.scale, 1 / image.std, rel_tol=_SCALE_TOLERANCE)
        near = abs(info.zero_point - image.mean) <= 0.5
        return _check(
            name,
            fits and near,
            f"raw grey levels asked: scale 1/{image.std:g} and zero point within half a level of "
            f"{image.mean:g}, {found}",
        )
    wrong_by = max(_levels_off(info.scale, info.zero_point, image))
    return _check(
        name,
        wrong_by <= 0.51,
        f"every grey level within half a step asked, the worst is off by {wrong_by:.3f} levels, "
        f"{found}",
    )


def _levels_off(scale: float, zero_point: int, image: ImageContract) -> Iterator[float]:
    for level in range(256):
        real = (level - image.mean) / image.std
        stored = min(127, max(-128, round(real / scale) + zero_point))
        yield abs((stored - zero_point) * scale - real) * image.std


def _metadata_checks(found: Inspection, asked: Asked) -> Iterator[Check]:
    about = found.metadata
    if about is None or about.input is None or about.output is None:
        yield _check("metadata", False, "input and output metadata asked, found none")
        return
    names = asked.labels.names
    yield _check(
        "labels",
        found.labels == names,
        f"{', '.join(names)} asked, found {', '.join(found.labels) or 'none'}",
    )
    full_names = tuple(map(asked.labels.full_name, names)) if asked.labels.full_names else ()
    yield _check(
        "full names",
        about.output.display_names == full_names,
        f"{', '.join(full_names) or 'none'} asked, "
        f"found {', '.join(about.output.display_names) or 'none'}",
    )
    channels = asked.image.channels
    for name, stored, wanted in (
        ("mean", about.input.mean, asked.image.mean),
        ("std", about.input.std, asked.image.std),
    ):
        same = len(stored) == channels and all(_same(value, wanted) for value in stored)
        yield _check(f"normalization {name}", same, f"{channels} x {wanted:g}, found {stored}")
    low, high = stored_range(asked.image, asked.recipe.io)
    bounds = (*about.input.minimum, *about.input.maximum)
    wanted_bounds = [low] * channels + [high] * channels
    fits = len(bounds) == len(wanted_bounds) and all(map(_same, bounds, wanted_bounds))
    yield _check("input range", fits, f"{low:g} to {high:g} asked, found {bounds}")
    words = {
        "name": (about.name, asked.about.name),
        "description": (about.description, asked.about.description),
        "version": (about.version, asked.about.version),
        "author": (about.author, asked.about.author),
        "license": (about.license, asked.about.license),
        "input name": (about.input.name, asked.about.input_name),
        "output name": (about.output.name, asked.about.output_name),
        "colour": (about.input.color, asked.image.color),
    }
    wrong = [f"{key} {got!r}" for key, (got, wanted) in words.items() if got != wanted]
    evidence = f"{len(words)} texts compared" + (f", wrong: {', '.join(wrong)}" if wrong else "")
    yield _check("metadata texts", not wrong, evidence)
    yield _check("notice", NOTICE in about.description, "the description states the notice")
    packed = (LABELS_FILE, FULL_NAMES_FILE) if full_names else (LABELS_FILE,)
    yield _check(
        "packed files",
        about.files == packed,
        f"{', '.join(packed)} asked, found {', '.join(about.files)}",
    )


def _recipe_checks(found: Inspection, recipe: Recipe) -> Iterator[Check]:
    custom = [operator.key for operator in found.graph.custom_operators]
    yield _check("built-in operators only", not custom, f"custom operators: {custom or 'none'}")
    yield _check("one graph", found.graph.subgraphs == 1, f"{found.graph.subgraphs} subgraphs")
    needed, barred = _WEIGHTS[recipe.quantize]
    stored = found.graph.weight_bytes
    if recipe.float16_layers:
        # A layer left in floats keeps its bias in float32.
        barred = ()
    applied = needed in stored and not any(dtype in stored for dtype in barred)
    yield _check(
        "recipe applied to weights",
        applied,
        f"{needed} and no {' or '.join(barred)} asked, found bytes of {stored}",
    )
    yield _float_operators_check(found, recipe)
    yield _check(
        "file size",
        found.size_bytes <= _MAX_SIZE_BYTES,
        f"{found.size_bytes} bytes",
        value=found.size_bytes / _MEGABYTE,
        unit="MB",
        comparison="<=",
        threshold=_MAX_SIZE_BYTES / _MEGABYTE,
    )


def _float_operators_check(found: Inspection, recipe: Recipe) -> Check:
    floats = found.graph.float_operators
    listed = f"on floats: {', '.join(operator.key for operator in floats) or 'none'}"
    if recipe.quantize is not Quantize.int8:
        return _check("operators on floats", bool(floats), listed)
    count, wanted = sum(operator.count for operator in floats), len(recipe.float16_layers)
    if not wanted:
        return _check("no operators on floats", count == 0, listed)
    return _check(
        "operators on floats", count == wanted, f"{wanted} layers in float16 asked, {listed}"
    )


def delegation_checks(recipe: Recipe, delegation: Mapping[str, Any]) -> tuple[Check, ...]:
    """Check that XNNPACK runs all of an int8 graph but what it has no kernel for.

    It has none for an int8 SOFTMAX, nor for QUANTIZE between uint8 and int8; TensorFlow's own
    int8 files leave the same three nodes to the interpreter. Other recipes are only recorded.
    """
    if recipe.quantize is not Quantize.int8:
        return ()
    nodes, delegated = delegation["nodes"], delegation["delegated"]
    left, pieces = delegation["left"], delegation["partitions"]
    return (
        _check(
            "delegated nodes",
            nodes > 0 and set(left) <= _NEVER_DELEGATED,
            f"XNNPACK runs {delegated} of {nodes} nodes in {pieces} pieces; left to the "
            f"interpreter: {', '.join(left) or 'none'}",
            value=float(delegated),
            unit="nodes",
            comparison=">=",
            threshold=float(nodes - sum(name in _NEVER_DELEGATED for name in left)),
        ),
    )


def _runtime_checks(found: Inspection, min_runtime: str) -> Iterator[Check]:
    need = found.runtime
    if need.version is None:
        yield Check(
            name="oldest runtime",
            gate=Gate.structure,
            outcome=Outcome.inconclusive,
            evidence={
                "kind": "not_measured",
                "reason": {"kind": "unknown_operators", "operators": list(need.unknown)},
            },
        )
        return
    yield _check(
        "oldest runtime",
        version_key(need.version) <= version_key(min_runtime),
        f"TFLite {need.version} loads it (for {', '.join(need.because)}), {min_runtime} asked",
    )
    claimed = found.graph.converter_min_runtime
    yield _check(
        "converter's oldest runtime",
        claimed == need.version,
        f"the converter wrote {claimed or 'nothing'}, the operators need {need.version}",
    )


def _same(stored: float, wanted: float) -> bool:
    # The file stores float32.
    return math.isclose(stored, wanted, rel_tol=1e-6, abs_tol=1e-6)


def _check(name: str, passed: bool, evidence: str, **measured: object) -> Check:
    outcome = Outcome.passed if passed else Outcome.failed
    fields = {
        "name": name,
        "gate": Gate.structure,
        "outcome": outcome,
        "evidence": {"kind": "text", "text": evidence},
    }
    return Check.model_validate(fields | measured)
