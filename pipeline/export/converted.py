"""Make the file of a recipe, before metadata, or find it where an earlier export left it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, assert_never

from pipeline.child import LITERT, TENSORFLOW, ask_child
from pipeline.classifier.spec import ClassifierSpec
from pipeline.contract.choices import Repair
from pipeline.contract.dataset import DatasetManifest, ImageRecord
from pipeline.contract.files import resolved, write_bytes_atomic
from pipeline.contract.hashing import sha256_bytes, sha256_file, sha256_json
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import package_versions
from pipeline.contract.normalization import UniformNormalization
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.contract.run import RunDir
from pipeline.contract.sealed import is_whole, seal
from pipeline.contract.search import SearchRecord
from pipeline.export.convert import REVISION, ConvertAnswer, ConvertRequest
from pipeline.export.dynamic import DYNAMIC_REVISION, DynamicRequest
from pipeline.export.float16 import FLOAT16_REVISION, with_float16_constants
from pipeline.export.input_adapter import ADAPTER_REVISION, adapt_input
from pipeline.export.int8.request import (
    ModelFile,
    QuantizeAnswer,
    QuantizeRequest,
    image_files,
)
from pipeline.export.representative import representative_images
from pipeline.progress import Report
from pipeline.tflite.edit import pack, unpack_whole
from pipeline.tflite.flatbuffer import read_file

_CONVERTER_PACKAGES = ("tensorflow", "keras")
_QUANTIZER_PACKAGES = ("ai-edge-litert", "litert-quantizer", "numpy", "pillow")
# Raise it when `pipeline.export.int8` changes the bytes it makes: it is part of the cache key.
_INT8_REVISION = 9
# Raise it when what is packed into or laid beside the converted file changes: metadata, goldens.
_BUNDLE_REVISION = 2
# Pinned in every verdict, so that a bundle of an older exporter is made again.
EXPORTER_REVISION = (
    f"{REVISION}.{ADAPTER_REVISION}.{FLOAT16_REVISION}.{DYNAMIC_REVISION}.{_INT8_REVISION}"
    f".{_BUNDLE_REVISION}"
)
# With as many blends of them, a few seconds for each step that is measured.
_REPAIR_IMAGES = 128


@dataclass(frozen=True)
class Conversion:
    """Hold what decides the bytes of a file."""

    classifier: ClassifierSpec
    recipe: Recipe
    labels: Labels
    dataset: DatasetManifest

    @property
    def model_sha256(self) -> str:
        """Return the hash of the model."""
        return self.classifier.sha256


@dataclass(frozen=True)
class Converted:
    """Hold the file, the recipe as it was followed, and what an int8 search tried.

    `image` is what the file takes: RGB pixels of one mean and one standard deviation, whatever
    the model itself takes.
    """

    path: Path
    recipe: Recipe
    image: ImageContract
    search: SearchRecord = field(default_factory=SearchRecord)
    representative_sha256: tuple[str, ...] = ()


@dataclass(frozen=True)
class AdaptedFile:
    """Hold a float32 file and what it takes."""

    path: Path
    sha256: str
    image: ImageContract


def converted_file(conversion: Conversion, run: RunDir, report: Report) -> Converted:
    """Return the converted, quantized and repaired file of a recipe.

    A file in the cache is used only as it was sealed; a damaged one is made again.

    Raises:
        BadInput: the model, the dataset or an image is refused.
        EnvironmentProblem: a tool could not run.
    """
    recipe = conversion.recipe
    match recipe.quantize:
        case Quantize.float32:
            adapted = adapted_float_file(conversion.classifier, run, report)
            return Converted(adapted.path, recipe, adapted.image)
        case Quantize.float16:
            adapted = adapted_float_file(conversion.classifier, run, report)
            return Converted(_float16_file(adapted, run, report), recipe, adapted.image)
        case Quantize.dynamic:
            adapted = adapted_float_file(conversion.classifier, run, report)
            return Converted(_dynamic_file(adapted, run, report), recipe, adapted.image)
        case Quantize.int8:
            return _int8_file(conversion, run, report)
        case _:
            assert_never(recipe.quantize)


def adapted_float_file(classifier: ClassifierSpec, run: RunDir, report: Report) -> AdaptedFile:
    """Return the float32 file that takes what a phone feeds.

    What the model does to its input first is computed as one scale and offset for each channel,
    and left out where the phone's normalization says as much.

    Raises:
        BadInput: the model is refused.
        EnvironmentProblem: a tool could not run.
    """
    source = _convert(classifier, run, report)
    data = read_file(source)
    known_by = {
        "float_sha256": sha256_bytes(data),
        "normalization": classifier.normalization.model_dump(mode="json"),
        "adapter": ADAPTER_REVISION,
    }
    cached = _cached(known_by, run)
    note = cached.with_suffix(".json")
    if not (is_whole(note, report) and is_whole(cached, report)):
        model = unpack_whole(data, where=str(source))
        adapted = adapt_input(model, classifier.normalization)
        adapted.normalization.save(note)
        seal(note)
        write_bytes_atomic(cached, pack(adapted.model))
        seal(cached)
    fed = UniformNormalization.load(note)
    return AdaptedFile(cached, sha256_file(cached), _fed_image(classifier, fed))


def _fed_image(classifier: ClassifierSpec, fed: UniformNormalization) -> ImageContract:
    return classifier.image.model_copy(update={"mean": fed.mean, "std": fed.std})


def _float16_file(source: AdaptedFile, run: RunDir, report: Report) -> Path:
    known_by = {"float_sha256": source.sha256, "float16": FLOAT16_REVISION}

    def make(out: Path) -> None:
        model = unpack_whole(read_file(source.path), where=str(source.path))
        write_bytes_atomic(out, pack(with_float16_constants(model)))

    return _made_once(known_by, run, report, make)


def _dynamic_file(source: AdaptedFile, run: RunDir, report: Report) -> Path:
    known_by = {
        "float_sha256": source.sha256,
        "dynamic": DYNAMIC_REVISION,
        "versions": package_versions(*_QUANTIZER_PACKAGES),
    }

    def make(out: Path) -> None:
        float_file = ModelFile(path=str(source.path), sha256=source.sha256)
        ask_child(
            "pipeline.export.dynamic:dynamic_child",
            DynamicRequest(float_file=float_file, out=str(out)),
            ConvertAnswer,
            report=report,
            log=run.log("quantize-dynamic"),
            process=LITERT,
        )

    return _made_once(known_by, run, report, make)


def _int8_file(conversion: Conversion, run: RunDir, report: Report) -> Converted:
    recipe = conversion.recipe
    source = adapted_float_file(conversion.classifier, run, report)
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
        float_file=ModelFile(path=str(source.path), sha256=source.sha256),
        recipe=recipe,
        image=source.image,
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
    hashes = tuple(one.sha256 for one in representative)
    return Converted(cached, settled, source.image, answer.search, hashes)


def _convert(classifier: ClassifierSpec, run: RunDir, report: Report) -> Path:
    known_by = {
        "classifier": classifier.model_dump(mode="json", exclude={"path", "normalization"}),
        "versions": package_versions(*_CONVERTER_PACKAGES),
        "revision": REVISION,
    }

    def make(out: Path) -> None:
        ask_child(
            "pipeline.export.convert:convert_child",
            ConvertRequest(
                classifier=classifier.model_copy(update={"path": resolved(classifier.path)}),
                out=str(out),
            ),
            ConvertAnswer,
            report=report,
            log=run.log("convert-float32"),
            process=TENSORFLOW,
        )

    return _made_once(known_by, run, report, make)


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
    if not (is_whole(answer_file, report) and is_whole(cached, report)):
        unfinished = cached.with_suffix(".unfinished")
        answer = ask_child(
            "pipeline.export.int8.quantize:quantize_child",
            request.model_copy(update={"out": str(unfinished)}),
            QuantizeAnswer,
            report=report,
            log=run.log(f"quantize-{request.recipe.name}"),
            process=LITERT,
        )
        # The answer first: a file in the cache has one.
        answer.save(answer_file)
        seal(answer_file)
        unfinished.replace(cached)
        seal(cached)
    return cached, QuantizeAnswer.load(answer_file)


def _made_once(
    known_by: dict[str, Any], run: RunDir, report: Report, make: Callable[[Path], None]
) -> Path:
    """Return the cached file of these inputs; `make` writes it where it is not there whole."""
    cached = _cached(known_by, run)
    if not is_whole(cached, report):
        unfinished = cached.with_suffix(".unfinished")
        make(unfinished)
        unfinished.replace(cached)
        seal(cached)
    return cached


def _cached(known_by: dict[str, Any], run: RunDir) -> Path:
    folder = resolved(run.export_cache)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{sha256_json(known_by)}.tflite"
