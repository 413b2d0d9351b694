"""Make the file of a recipe, before metadata, or find it where an earlier export left it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.child import ask_child
from pipeline.contract.choices import Repair
from pipeline.contract.dataset import DatasetManifest, ImageRecord
from pipeline.contract.hashing import sha256_file, sha256_json
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import package_versions
from pipeline.contract.recipe import Io, Quantize, Recipe
from pipeline.contract.run import RunDir
from pipeline.contract.search import SearchRecord
from pipeline.export.convert import REVISION, ConvertAnswer, ConvertRequest
from pipeline.export.int8.request import (
    ModelFile,
    QuantizeAnswer,
    QuantizeRequest,
    image_files,
)
from pipeline.export.representative import representative_images
from pipeline.progress import Report

_CONVERTER_PACKAGES = ("tensorflow", "keras")
_QUANTIZER_PACKAGES = ("ai-edge-litert", "litert-quantizer", "numpy", "pillow")
# Raise it when `pipeline.export.int8` changes the bytes it makes: it is part of the cache key.
_INT8_REVISION = 5
# Raise it when what is packed into or laid beside the converted file changes: metadata, goldens.
_BUNDLE_REVISION = 1
# Pinned in every verdict, so that a bundle of an older exporter is made again.
EXPORTER_REVISION = f"{REVISION}.{_INT8_REVISION}.{_BUNDLE_REVISION}"
# With as many blends of them, a few seconds for each step that is measured.
_REPAIR_IMAGES = 128


@dataclass(frozen=True)
class Conversion:
    """Hold what decides the bytes of a file."""

    model: Path
    model_sha256: str
    recipe: Recipe
    image: ImageContract
    labels: Labels
    dataset: DatasetManifest


@dataclass(frozen=True)
class Converted:
    """Hold the file, the recipe as it was followed, and what an int8 search tried."""

    path: Path
    recipe: Recipe
    search: SearchRecord = field(default_factory=SearchRecord)
    representative_sha256: tuple[str, ...] = ()


def converted_file(conversion: Conversion, run: RunDir, report: Report) -> Converted:
    """Return the converted, quantized and repaired file of a recipe.

    A file in the cache is whole, since it got there by a rename.

    Raises:
        BadInput: the model, the dataset or an image is refused.
        EnvironmentProblem: a tool could not run.
    """
    if conversion.recipe.quantize is not Quantize.int8:
        return Converted(_convert(conversion, conversion.recipe, run, report), conversion.recipe)
    recipe = conversion.recipe
    source = float_file(conversion, run, report)
    representative = representative_images(
        conversion.dataset, recipe.representative_count, recipe.seed
    )
    searched = recipe.steps is None and recipe.repair is not Repair.none
    measured: tuple[ImageRecord, ...] = ()
    if searched:
        measured = representative_images(
            conversion.dataset, _REPAIR_IMAGES, recipe.seed, exclude=representative
        )
    request = QuantizeRequest(
        float_file=ModelFile(path=str(source), sha256=sha256_file(source)),
        recipe=recipe,
        image=conversion.image,
        labels=conversion.labels,
        representative=image_files(representative, conversion.dataset),
        repair=image_files(measured, conversion.dataset),
        out="",
    )
    cached, answer = _quantized(request, run, report)
    settled = Recipe.model_validate(
        {
            **recipe.model_dump(),
            "steps": answer.steps,
            "float16_layers": answer.float16_layers,
        }
    )
    return Converted(cached, settled, answer.search, tuple(one.sha256 for one in representative))


def float_file(conversion: Conversion, run: RunDir, report: Report) -> Path:
    """Return the float32 file of a conversion's model, whatever its recipe.

    Raises:
        BadInput: the model is refused.
        EnvironmentProblem: a tool could not run.
    """
    return _convert(conversion, Recipe(quantize=Quantize.float32, io=Io.float32), run, report)


def _convert(conversion: Conversion, recipe: Recipe, run: RunDir, report: Report) -> Path:
    known_by = {
        "model_sha256": conversion.model_sha256,
        "quantize": str(recipe.quantize),
        "image": conversion.image.model_dump(mode="json"),
        "classes": len(conversion.labels),
        "versions": package_versions(*_CONVERTER_PACKAGES),
        "revision": REVISION,
    }
    cached = _cached(known_by, run)
    if not cached.is_file():
        unfinished = cached.with_suffix(".unfinished")
        ask_child(
            "pipeline.export.convert:convert_child",
            ConvertRequest(
                model=str(conversion.model.resolve()),
                model_sha256=conversion.model_sha256,
                recipe=recipe,
                image=conversion.image,
                classes=len(conversion.labels),
                out=str(unfinished),
            ),
            ConvertAnswer,
            report=report,
            log=run.logs / f"convert-{recipe.name}.log",
        )
        unfinished.replace(cached)
    return cached


def _quantized(
    request: QuantizeRequest, run: RunDir, report: Report
) -> tuple[Path, QuantizeAnswer]:
    known_by = {
        "float_sha256": request.float_file.sha256,
        "recipe": request.recipe.model_dump(mode="json"),
        "image": request.image.model_dump(mode="json"),
        "labels": list(request.labels.names),
        "critical": list(request.labels.critical),
        "representative": [one.sha256 for one in request.representative],
        "repair": [[one.sha256, one.label] for one in request.repair],
        "versions": package_versions(*_QUANTIZER_PACKAGES),
        "revision": _INT8_REVISION,
    }
    cached = _cached(known_by, run)
    answer_file = cached.with_suffix(".json")
    if not cached.is_file():
        unfinished = cached.with_suffix(".unfinished")
        answer = ask_child(
            "pipeline.export.int8.quantize:quantize_child",
            request.model_copy(update={"out": str(unfinished)}),
            QuantizeAnswer,
            report=report,
            log=run.logs / f"quantize-{request.recipe.name}.log",
        )
        # The answer first: a file in the cache has one.
        answer.save(answer_file)
        unfinished.replace(cached)
    return cached, QuantizeAnswer.load(answer_file)


def _cached(known_by: dict[str, Any], run: RunDir) -> Path:
    folder = run.export_cache.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{sha256_json(known_by)}.tflite"
