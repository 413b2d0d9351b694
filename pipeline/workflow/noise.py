"""Measure how much a model answers differently by itself before an 8-bit file is judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pipeline.child import LITERT, ask_child
from pipeline.contract.hashing import sha256_json
from pipeline.contract.images import ImageSet
from pipeline.contract.manifest import package_versions
from pipeline.contract.noise import MOST_NOISE_IMAGES, MeasuredNoise
from pipeline.contract.run import RunDir
from pipeline.export.converted import adapted_float_file
from pipeline.export.int8.request import ImageFile, ModelFile, NoiseRequest
from pipeline.progress import Report, silent
from pipeline.tflite.inspect import Inspection
from pipeline.workflow.keras_model import KerasModel

_SEED = 0
# Raise it when the same file and images would be measured otherwise.
_REVISION = 1
_Image = TypeVar("_Image")


def works_in_8_bits(inspection: Inspection) -> bool:
    """Tell whether a file computes in 8 bits, so that its own rounding is like noise."""
    names = {operator.name for operator in inspection.operators}
    tensors = (*inspection.graph.inputs, *inspection.graph.outputs)
    return "QUANTIZE" in names or any(one.dtype in ("int8", "uint8") for one in tensors)


def evenly_spaced(images: Sequence[_Image], most: int) -> tuple[_Image, ...]:
    """Return `most` of the images, evenly from all of them; all where they are fewer."""
    count = min(most, len(images))
    return tuple(images[place * len(images) // count] for place in range(count))


def own_noise(
    source: KerasModel, images: ImageSet, run: RunDir, *, report: Report = silent
) -> MeasuredNoise:
    """Return the noise floor of a model's float file on some of these images.

    What was measured before is found again.

    Raises:
        BadInput: the model or an image is refused.
        EnvironmentProblem: a tool could not run.
    """
    labels = source.labels
    adapted = adapted_float_file(source.classifier_spec(), run, report)
    chosen = evenly_spaced(images.images, MOST_NOISE_IMAGES)
    request = NoiseRequest(
        float_file=ModelFile(path=str(adapted.path), sha256=adapted.sha256),
        image=adapted.image,
        labels=labels,
        images=tuple(
            ImageFile(path=str(one.path), sha256=one.sha256, label=one.label) for one in chosen
        ),
        seed=_SEED,
    )
    known_by = {
        "float_sha256": adapted.sha256,
        "image": adapted.image.model_dump(mode="json"),
        "labels": list(labels.names),
        "critical": list(labels.critical),
        "images": [one.sha256 for one in chosen],
        "versions": package_versions("ai-edge-litert", "numpy", "pillow"),
        "seed": _SEED,
        "revision": _REVISION,
    }
    path = run.noise(sha256_json(known_by))
    if not path.is_file():
        log = run.log("noise")
        child = "pipeline.export.int8.noise:noise_child"
        ask_child(child, request, MeasuredNoise, report=report, log=log, process=LITERT).save(path)
    return MeasuredNoise.load(path)
