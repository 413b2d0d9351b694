"""Put a bundle together: convert, describe, read back, list; publishing is not its business."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.child import run_child
from pipeline.contract.bundle import LABELS_FILE, MANIFEST_FILE, MODEL_FILE, RECIPE_FILE
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.files import write_text_atomic
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import (
    BundleManifest,
    FileEntry,
    ModelManifest,
    package_versions,
)
from pipeline.contract.recipe import Recipe
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Check
from pipeline.errors import BadInput
from pipeline.export.converted import Conversion, converted_file
from pipeline.export.metadata_writer import about_classifier, write_metadata
from pipeline.export.readback import Asked, delegation_checks, read_back
from pipeline.progress import Report, silent
from pipeline.runtimes.keras_file import check_keras_archive
from pipeline.tflite.inspect import Inspection, inspect_file
from pipeline.tflite.runtime_versions import version_key

_PACKAGES = (
    "ai-edge-litert",
    "flatbuffers",
    "keras",
    "litert-quantizer",
    "numpy",
    "pillow",
    "tensorflow",
)


@dataclass(frozen=True)
class BuiltBundle:
    """Hold a filled staging folder: its manifest, what the finished file says, the checks."""

    folder: Path
    manifest: BundleManifest
    inspection: Inspection
    checks: tuple[Check, ...]


def build(
    model: Path,
    recipe: Recipe,
    run: RunDir,
    staging: Path,
    *,
    dataset: DatasetManifest,
    labels: Labels,
    image: ImageContract,
    model_manifest: ModelManifest | None = None,
    license: str = "unknown",
    model_version: str | None = None,
    author: str = "",
    min_runtime: str = "2.16.0",
    report: Report = silent,
) -> BuiltBundle:
    """Fill `staging` with model.tflite, labels.txt, recipe.json and manifest.json, and check.

    1. Refuse a model that carries code. 2. Choose representative images. 3. Convert, quantize
    and repair, or take what an earlier, interrupted export left. 4. Write the
    metadata. 5. Read everything back. 6. Write the manifest.

    Args:
        model: a `.keras` file.
        recipe: how to quantize.
        run: names the cache of converted files and the logs.
        staging: an existing, empty folder.
        dataset: its training split gives the representative images.
        labels: in the model's output order.
        image: what the model takes.
        model_manifest: what training recorded; where given, everything must agree with it.
        license: the licence of the model, for the metadata.
        model_version: the model's own version; by default 12 digits of its hash.
        author: who made the model.
        min_runtime: the oldest TFLite runtime that must load the file, as `2.16.0`.
        report: receives progress.

    Raises:
        BadInput: the model, the dataset or an image is refused, or they disagree.
        EnvironmentProblem: a tool could not run.
    """
    _check_version(min_runtime)
    # 1.
    check_keras_archive(model)
    model_sha256 = sha256_file(model)
    if model_manifest is not None:
        _check_agreement(model_manifest, model, model_sha256, labels, image)
    # 2. and 3.
    made = converted_file(
        Conversion(model, model_sha256, recipe, image, labels, dataset), run, report
    )
    # 4.
    about = about_classifier(
        recipe,
        image,
        labels,
        model_sha256=model_sha256,
        model_version=model_version,
        author=author,
        license=license,
    )
    file = staging / MODEL_FILE
    write_metadata(made.path, file, image=image, labels=labels, io=recipe.io, about=about)
    # 5.
    found = inspect_file(file)
    delegation = run_child(
        "pipeline.runtimes.delegation:delegation_child",
        {"model": str(file.resolve())},
        log=run.logs / f"delegate-{recipe.name}.log",
    )
    asked = Asked(
        recipe=made.recipe, image=image, labels=labels, about=about, min_runtime=min_runtime
    )
    checks = (*read_back(found, asked), *delegation_checks(made.recipe, delegation))
    # 6.
    write_text_atomic(staging / LABELS_FILE, labels.text())
    made.recipe.save(staging / RECIPE_FILE)
    manifest = BundleManifest(
        versions=package_versions(*_PACKAGES),
        seed=recipe.seed,
        parents={"dataset": dataset.digest(), "model": model_sha256},
        files={
            name: FileEntry.of(staging / name) for name in (LABELS_FILE, MODEL_FILE, RECIPE_FILE)
        },
        image=image,
        labels=labels,
        recipe=made.recipe,
        inputs=found.graph.inputs,
        outputs=found.graph.outputs,
        operators={operator.key: operator.count for operator in found.operators},
        min_runtime=found.runtime.version or "unknown",
        representative_sha256=made.representative_sha256,
        ladder=made.ladder,
        nodes=delegation["nodes"],
        delegated_nodes=delegation["delegated"],
        license=license,
    )
    manifest.save(staging / MANIFEST_FILE)
    return BuiltBundle(folder=staging, manifest=manifest, inspection=found, checks=checks)


def _check_agreement(
    manifest: ModelManifest, model: Path, model_sha256: str, labels: Labels, image: ImageContract
) -> None:
    recorded = manifest.files.get(model.name)
    for what, expected, got in (
        ("content", recorded.sha256 if recorded else "a record of this file", model_sha256),
        ("labels", list(manifest.labels.names), list(labels.names)),
        ("image contract", manifest.image.digest(), image.digest()),
    ):
        if expected != got:
            raise BadInput(
                f"the model's {what} is not what its manifest records",
                where=str(model),
                expected=str(expected),
                got=str(got),
                next_step="train again, or export the model its manifest belongs to",
            )


def _check_version(min_runtime: str) -> None:
    try:
        version_key(min_runtime)
    except ValueError as error:
        raise BadInput(
            "not a runtime version", expected="numbers and dots, as 2.16.0", got=min_runtime
        ) from error
