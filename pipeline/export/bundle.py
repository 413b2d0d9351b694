"""Build the files of a bundle: convert, describe, read back, list; judging is not its business."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.contract.about import About
from pipeline.contract.bundle import LABELS_FILE, MODEL_FILE, RECIPE_FILE
from pipeline.contract.calibration import Calibration
from pipeline.contract.chosen import ChosenDecision
from pipeline.contract.decision import Decision
from pipeline.contract.files import write_text_atomic
from pipeline.contract.manifest import BundleManifest, FileEntry, package_versions
from pipeline.contract.run import RunDir
from pipeline.export.converted import Conversion, converted_file
from pipeline.export.metadata_writer import write_metadata
from pipeline.progress import Report, silent
from pipeline.tflite.inspect import Inspection, inspect_file

_PACKAGES = (
    "ai-edge-litert",
    "flatbuffers",
    "keras",
    "litert-quantizer",
    "mediapipe",
    "numpy",
    "pillow",
    "tensorflow",
)


@dataclass(frozen=True)
class BuildRequest:
    """Hold everything that decides the files of a bundle.

    `promised_runtime` is the oldest TFLite runtime that must load the file, as `2.16.0`.
    `reference` says whether the Keras model's answers are to be in the bundle, `calibration` how
    that model was calibrated, `chosen` what the decision was chosen for.
    """

    conversion: Conversion
    about: About
    license: str
    promised_runtime: str
    decision: Decision = field(default_factory=Decision)
    reference: Literal["included", "left_out"] = "included"
    calibration: Calibration | None = None
    chosen: ChosenDecision | None = None


@dataclass(frozen=True)
class BuiltBundle:
    """Hold a filled staging folder: its manifest, not yet written, and what the file says."""

    folder: Path
    manifest: BundleManifest
    inspection: Inspection

    @property
    def file(self) -> Path:
        """Return the model file."""
        return self.folder / MODEL_FILE


def build(
    request: BuildRequest, run: RunDir, staging: Path, *, report: Report = silent
) -> BuiltBundle:
    """Fill `staging` with model.tflite, labels.txt and recipe.json.

    1. Choose representative images; convert, quantize and repair, or take what an earlier,
    interrupted export left. 2. Write the metadata. 3. Read the finished file back. 4. List
    everything in a manifest.

    Args:
        request: what to build.
        run: names the cache of converted files and the logs.
        staging: an existing, empty folder.
        report: receives progress.

    Raises:
        BadInput: the model, the dataset or an image is refused.
        EnvironmentProblem: a tool could not run.
    """
    conversion = request.conversion
    # 1.
    made = converted_file(conversion, run, report)
    # 2.
    file = staging / MODEL_FILE
    write_metadata(
        made.path,
        file,
        image=made.image,
        labels=conversion.labels,
        io=made.recipe.io,
        about=request.about,
    )
    write_text_atomic(staging / LABELS_FILE, conversion.labels.text())
    made.recipe.save(staging / RECIPE_FILE)
    # 3.
    found = inspect_file(file)
    # 4.
    manifest = BundleManifest(
        versions=package_versions(*_PACKAGES),
        seed=made.recipe.seed,
        parents={"dataset": conversion.dataset.digest(), "model": conversion.model_sha256},
        files={
            LABELS_FILE: FileEntry.of(staging / LABELS_FILE),
            MODEL_FILE: FileEntry(sha256=found.sha256, size_bytes=found.size_bytes),
            RECIPE_FILE: FileEntry.of(staging / RECIPE_FILE),
        },
        image=made.image,
        labels=conversion.labels,
        about=request.about,
        recipe=made.recipe,
        inputs=found.graph.inputs,
        outputs=found.graph.outputs,
        operators={operator.key: operator.count for operator in found.operators},
        min_runtime=found.runtime.version or "unknown",
        promised_runtime=request.promised_runtime,
        representative_sha256=made.representative_sha256,
        search=made.search,
        decision=request.decision,
        normalization=conversion.classifier.normalization,
        logits=conversion.classifier.logits,
        reference=request.reference,
        license=request.license,
        calibration=request.calibration,
        chosen=request.chosen,
    )
    return BuiltBundle(folder=staging, manifest=manifest, inspection=found)
