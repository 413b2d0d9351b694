"""Check input and output tensors: type, shape, names, quantization."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import BundleManifest, TensorInfo
from pipeline.contract.recipe import Io
from pipeline.contract.verdict import Check
from pipeline.parity.structure_check import structure_check
from pipeline.tflite.inspect import Inspection

_SCALE_TOLERANCE = 1e-3
_HALF_STEP = 0.51


def tensor_checks(
    found: Inspection, image: ImageContract, labels: Labels, io: Io
) -> Iterator[Check]:
    """Compare type and shape of input and output with the image contract and the labels."""
    for name, infos, shape in (
        ("input_tensor", found.graph.inputs, image.input_shape),
        ("output_tensor", found.graph.outputs, (1, len(labels))),
    ):
        fits = len(infos) == 1 and infos[0].shape == shape and infos[0].dtype == io
        yield structure_check(
            name,
            fits,
            expected={"dtype": str(io), "shape": list(shape)},
            found=[tensor_json(info) for info in infos],
        )


def signature_check(found: Inspection, input_name: str, output_name: str) -> Check:
    """Compare the names of input and output in the signature."""
    wanted = [["serving_default", [input_name], [output_name]]]
    signatures = [[s.key, list(s.inputs), list(s.outputs)] for s in found.graph.signatures]
    return structure_check("signature", signatures == wanted, expected=wanted, found=signatures)


def manifest_check(found: Inspection, manifest: BundleManifest) -> Check:
    """Compare what the manifest recorded of the file with the file."""
    operators = {operator.key: operator.count for operator in found.operators}
    same = (
        found.graph.inputs == manifest.inputs
        and found.graph.outputs == manifest.outputs
        and operators == manifest.operators
        and (found.runtime.version or "unknown") == manifest.min_runtime
    )
    return structure_check(
        "tensors_of_manifest",
        same,
        expected={
            "inputs": [tensor_json(info) for info in manifest.inputs],
            "outputs": [tensor_json(info) for info in manifest.outputs],
            "operators": manifest.operators,
            "min_runtime": manifest.min_runtime,
        },
        found={
            "inputs": [tensor_json(info) for info in found.graph.inputs],
            "outputs": [tensor_json(info) for info in found.graph.outputs],
            "operators": operators,
            "min_runtime": found.runtime.version or "unknown",
        },
    )


def quantization_checks(found: Inspection, image: ImageContract, io: Io) -> Iterator[Check]:
    """Check that input and output scales stand for pixels and probabilities."""
    if len(found.graph.inputs) != 1 or len(found.graph.outputs) != 1:
        return
    first, last = found.graph.inputs[0], found.graph.outputs[0]
    if io is Io.float32:
        yield structure_check(
            "input_and_output_not_quantized",
            first.scale is None and last.scale is None,
            expected="no scales",
            found=[tensor_json(first), tensor_json(last)],
        )
        return
    yield _input_check(first, image, io)
    lowest = 0 if io is Io.uint8 else -128
    probability = last.scale is not None and math.isclose(last.scale, 1 / 256, rel_tol=1e-6)
    yield structure_check(
        "output_quantization",
        probability and last.zero_point == lowest,
        expected={"scale": 1 / 256, "zero_point": lowest},
        found=tensor_json(last),
    )


def _input_check(info: TensorInfo, image: ImageContract, io: Io) -> Check:
    name = "input_quantization"
    if info.scale is None or info.zero_point is None:
        return structure_check(
            name, False, expected="a scale and a zero point", found=tensor_json(info)
        )
    if io is Io.uint8:
        fits = math.isclose(info.scale, 1 / image.std, rel_tol=_SCALE_TOLERANCE)
        return structure_check(
            name,
            fits and abs(info.zero_point - image.mean) <= 0.5,
            expected={"scale": 1 / image.std, "zero_point_within_half_of": image.mean},
            found=tensor_json(info),
        )
    wrong_by = max(_levels_off(info.scale, info.zero_point, image))
    return structure_check(
        name,
        wrong_by <= _HALF_STEP,
        expected={"levels_off_at_most": _HALF_STEP},
        found={**tensor_json(info), "levels_off": wrong_by},
    )


def _levels_off(scale: float, zero_point: int, image: ImageContract) -> Iterator[float]:
    for level in range(256):
        real = (level - image.mean) / image.std
        stored = min(127, max(-128, round(real / scale) + zero_point))
        yield abs((stored - zero_point) * scale - real) * image.std


def tensor_json(info: TensorInfo) -> dict[str, Any]:
    """Return a tensor as JSON values, without what it does not have."""
    return info.model_dump(mode="json", exclude_none=True)
