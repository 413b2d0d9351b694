"""Show why an int8 file of this run quantizes well or badly, layer by layer."""

from __future__ import annotations

from pathlib import Path

from pipeline.child import ask_child
from pipeline.contract.bundle import MANIFEST_FILE, MODEL_FILE, load_bundle
from pipeline.contract.choices import Split, Step
from pipeline.contract.dataset import ImageRecord
from pipeline.contract.files import resolved, write_text_atomic
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.images import images_of_dataset
from pipeline.contract.layer_errors import DebugReport
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.recipe import Recipe
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.export.converted import adapted_float_file
from pipeline.export.int8.request import (
    LayerErrorsAnswer,
    LayerErrorsRequest,
    ModelFile,
    image_files,
)
from pipeline.export.int8.steps.registry import plan_of
from pipeline.export.representative import representative_images
from pipeline.progress import Report, silent
from pipeline.report.debug_page import render_debug_page
from pipeline.report.page import page_date
from pipeline.tflite.edit import activations
from pipeline.tflite.flatbuffer import dtype_name, read_file, unpack
from pipeline.tflite.metadata import described_model
from pipeline.workflow.calibrate import calibrated_copy
from pipeline.workflow.keras_model import StatedModel
from pipeline.workflow.noise import own_noise
from pipeline.workflow.source import (
    KerasSource,
    check_parent,
    keras_source,
    recorded_model,
)


def debug_model(
    run: RunDir, model: Path, images: int, *, report: Report = silent
) -> tuple[DebugReport, Path]:
    """Compare every layer of an int8 file with the run's float model, and write the page.

    Args:
        run: holds the Keras model and the dataset.
        model: a bundle or a `.tflite` file.
        images: how many training images to compare on; all of them where there are fewer.
        report: receives progress.

    Returns:
        The figures, and the page under `run.debug`.

    Raises:
        BadInput: the file is not int8 or not of this run's model, or something is missing.
        EnvironmentProblem: a tool could not run.
    """
    manifest = _manifest_of(model)
    file = model / MODEL_FILE if model.is_dir() else model
    sha256 = sha256_bytes(data := read_file(file))
    _refuse_floats(data, str(file))
    stated = StatedModel()
    copy = None if manifest is None else calibrated_copy(run, manifest)
    if copy is not None or not run.model_manifest.exists():
        image = described_model(file).image if manifest is None else manifest.image
        stated = recorded_model(manifest, image)
    source = keras_source(run, copy, stated)
    if manifest is not None:
        check_parent(
            manifest,
            source,
            model,
            next_step="give the --run-dir of the run that exported it",
        )
    recipe = Recipe() if manifest is None else manifest.recipe
    calibration = _calibration(source, manifest)
    picked = representative_images(source.dataset, images, recipe.seed)
    converted = adapted_float_file(source.classifier_spec(), run, report)
    request = LayerErrorsRequest(
        float_file=ModelFile(path=str(converted.path), sha256=converted.sha256),
        int8_file=ModelFile(path=str(resolved(file)), sha256=sha256),
        image=converted.image,
        images=image_files(picked, source.dataset),
        representative=image_files(calibration, source.dataset),
        steps=recipe.steps or (),
        seed=recipe.seed,
    )
    held_out = images_of_dataset(source.dataset, Split.validation)
    answer = ask_child(
        "pipeline.export.int8.layer_errors:layer_errors_child",
        request,
        LayerErrorsAnswer,
        report=report,
        log=run.log("debug"),
        blamed=file,
    )
    found = DebugReport(
        model=str(model),
        model_sha256=sha256,
        images=len(picked),
        noise=own_noise(source, held_out, run, report=report).floor,
        equalized=Step.equalization in (recipe.steps or ()),
        layers=answer.layers,
    )
    # A bundle's file is called model.tflite everywhere, so the folder names the page.
    folder = model if model.is_dir() else model.parent
    name = model.stem if manifest is None else resolved(folder).name
    page = run.debug_page(name)
    report_page = f"../report/{run.report.name}" if run.report.is_file() else None
    write_text_atomic(page, render_debug_page(found, date=page_date(), report_page=report_page))
    return found, page


def _refuse_floats(data: bytes, where: str) -> None:
    model = unpack(data, where=where)
    tensors = model.subgraphs[0].tensors
    if not any(dtype_name(tensors[j]) == "int8" for j in activations(model)):
        raise BadInput(
            "this is not an int8 file",
            where=where,
            expected="activations in int8",
            got="every activation in floats",
            next_step="pipeline export --quantize int8",
        )


def _manifest_of(model: Path) -> BundleManifest | None:
    if model.is_dir():
        return load_bundle(model)
    # A file named inside its bundle is the bundle's all the same.
    if model.name == MODEL_FILE and (model.parent / MANIFEST_FILE).is_file():
        return load_bundle(model.parent)
    return None


def _calibration(source: KerasSource, manifest: BundleManifest | None) -> tuple[ImageRecord, ...]:
    """Return the images that the float model must be rewritten on; none for most files."""
    if manifest is None or not plan_of(manifest.recipe.steps or ()).prepares:
        return ()
    recipe = manifest.recipe
    images = representative_images(source.dataset, recipe.representative_count, recipe.seed)
    if tuple(one.sha256 for one in images) != manifest.representative_sha256:
        raise BadInput(
            "the bundle was calibrated on images that this run no longer has",
            where=str(source.dataset.root),
            expected=f"{len(manifest.representative_sha256)} images that its manifest names",
            next_step="export again, or give the --run-dir of the run that exported it",
        )
    return images
