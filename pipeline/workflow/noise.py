"""Measure how much a model answers differently by itself before an 8-bit file is judged."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.child import ask_child
from pipeline.contract.choices import Io, Quantize, Split
from pipeline.contract.dataset import ImageRecord
from pipeline.contract.hashing import sha256_json
from pipeline.contract.manifest import package_versions
from pipeline.contract.noise import MeasuredNoise
from pipeline.contract.recipe import Recipe
from pipeline.contract.run import RunDir
from pipeline.export.converted import Conversion, adapted_float_file
from pipeline.export.int8.request import ModelFile, NoiseRequest, image_files
from pipeline.progress import Report, silent
from pipeline.tflite.inspect import Inspection
from pipeline.workflow.source import KerasSource

# Evenly from the validation split: seconds, and a share of 0.95 known to within 0.03.
_MOST_IMAGES = 256
_SEED = 0
# Raise it when the same file and images would be measured otherwise.
_REVISION = 1


def works_in_8_bits(inspection: Inspection) -> bool:
    """Tell whether a file computes in 8 bits, so that its own rounding is like noise."""
    names = {operator.name for operator in inspection.operators}
    tensors = (*inspection.graph.inputs, *inspection.graph.outputs)
    return "QUANTIZE" in names or any(one.dtype in ("int8", "uint8") for one in tensors)


def evenly_spaced(images: Iterable[ImageRecord], most: int) -> tuple[ImageRecord, ...]:
    """Return `most` of the distinct images, evenly from all of them; all where they are fewer."""
    unique = tuple({one.sha256: one for one in images}.values())
    count = min(most, len(unique))
    return tuple(unique[place * len(unique) // count] for place in range(count))


def own_noise(source: KerasSource, run: RunDir, *, report: Report = silent) -> MeasuredNoise:
    """Return the noise floor of a model's float file on images of the validation split.

    What was measured before is found again.

    Raises:
        BadInput: the model or an image is refused.
        EnvironmentProblem: a tool could not run.
    """
    labels, dataset = source.labels, source.dataset
    recipe = Recipe(quantize=Quantize.float32, io=Io.float32)
    conversion = Conversion(source.classifier_spec(), recipe, labels, dataset)
    adapted = adapted_float_file(conversion, run, report)
    chosen = evenly_spaced(dataset.of(Split.validation), _MOST_IMAGES)
    request = NoiseRequest(
        float_file=ModelFile(path=str(adapted.path), sha256=adapted.sha256),
        image=adapted.image,
        labels=labels,
        images=image_files(chosen, dataset),
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
        ask_child(child, request, MeasuredNoise, report=report, log=log).save(path)
    return MeasuredNoise.load(path)
