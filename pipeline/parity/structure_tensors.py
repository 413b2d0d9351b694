"""Check input and output tensors: type, shape, names, quantization."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import BundleManifest, TensorInfo
from pipeline.contract.recipe import Io
from pipeline.contract.verdict import Check, Gate
from pipeline.parity.comparison import compare, expect
from pipeline.tflite.inspect import Inspection

_SCALE_TOLERANCE = 1e-3
# Raw pixels have whole zero points; half a level is what a mean of 127.5 is off.
_HALF_LEVEL = 0.5
_HALF_STEP = 0.51
_PROBABILITY_STEP = 1 / 256


def tensor_checks(
    found: Inspection, image: ImageContract, labels: Labels, io: Io
) -> Iterator[Check]:
    """Compare type and shape of input and output with the image contract and the labels."""
    for name, infos, shape in (
        ("input_tensor", found.graph.inputs, image.input_shape),
        ("output_tensor", found.graph.outputs, (1, len(labels))),
    ):
        yield expect(
            name,
            Gate.structure,
            [{"dtype": str(io), "shape": list(shape)}],
            [{"dtype": info.dtype, "shape": list(info.shape)} for info in infos],
        )


def signature_check(found: Inspection, input_name: str, output_name: str) -> Check:
    """Compare the names of input and output in the signature."""
    signatures = [[s.key, list(s.inputs), list(s.outputs)] for s in found.graph.signatures]
    wanted = [["serving_default", [input_name], [output_name]]]
    return expect("signature", Gate.structure, wanted, signatures)


def manifest_check(found: Inspection, manifest: BundleManifest) -> Check:
    """Compare what the manifest recorded of the file with the file."""
    return expect(
        "tensors_of_manifest",
        Gate.structure,
        {
            "inputs": [tensor_json(info) for info in manifest.inputs],
            "outputs": [tensor_json(info) for info in manifest.outputs],
            "operators": dict(manifest.operators),
            "min_runtime": manifest.min_runtime,
        },
        {
            "inputs": [tensor_json(info) for info in found.graph.inputs],
            "outputs": [tensor_json(info) for info in found.graph.outputs],
            "operators": {operator.key: operator.count for operator in found.operators},
            "min_runtime": found.runtime.version or "unknown",
        },
    )


def quantization_checks(found: Inspection, image: ImageContract, io: Io) -> Iterator[Check]:
    """Check that input and output scales stand for pixels and probabilities."""
    if len(found.graph.inputs) != 1 or len(found.graph.outputs) != 1:
        return
    first, last = found.graph.inputs[0], found.graph.outputs[0]
    if io is Io.float32:
        yield expect(
            "input_and_output_not_quantized",
            Gate.structure,
            [None, None],
            [first.scale, last.scale],
        )
        return
    yield from _input_checks(first, image, io)
    yield expect(
        "output_quantization",
        Gate.structure,
        {"scale": _PROBABILITY_STEP, "zero_point": 0 if io is Io.uint8 else -128},
        {"scale": last.scale, "zero_point": last.zero_point},
        relative_tolerance=1e-6,
    )


def _input_checks(info: TensorInfo, image: ImageContract, io: Io) -> Iterator[Check]:
    if info.scale is None or info.zero_point is None:
        yield expect("input_quantization", Gate.structure, "a scale and a zero point", None)
    elif io is Io.uint8:
        yield expect(
            "input_scale",
            Gate.structure,
            1 / image.std,
            info.scale,
            relative_tolerance=_SCALE_TOLERANCE,
        )
        yield expect(
            "input_zero_point",
            Gate.structure,
            image.mean,
            info.zero_point,
            absolute_tolerance=_HALF_LEVEL,
        )
    else:
        yield compare(
            "input_quantization",
            Gate.structure,
            max(_levels_off(info.scale, info.zero_point, image)),
            "<=",
            _HALF_STEP,
            unit="pixel values",
            evidence={"kind": "input_quantization", "found": tensor_json(info)},
        )


def _levels_off(scale: float, zero_point: int, image: ImageContract) -> Iterator[float]:
    for level in range(256):
        real = (level - image.mean) / image.std
        stored = min(127, max(-128, round(real / scale) + zero_point))
        yield abs((stored - zero_point) * scale - real) * image.std


def tensor_json(info: TensorInfo) -> dict[str, Any]:
    """Return a tensor as JSON values, without what it does not have."""
    return info.model_dump(mode="json", exclude_none=True)
