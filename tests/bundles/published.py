"""Publish a folder of a real model's files with a verdict of the real gates on made-up answers."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.contract.bundle import (
    MANIFEST_FILE,
    MANIFEST_PIN,
    MODEL_FILE,
    VERDICT_FILE,
    seal_bundle,
)
from pipeline.contract.hashing import sha256_json
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.contract.noise import MeasuredNoise, NoiseFloor, NoiseLevel
from pipeline.contract.normalization import Normalization
from pipeline.contract.recipe import Quantize
from pipeline.contract.verdict import Outcome, Verdict
from pipeline.parity.judge import judge_recordings
from pipeline.parity.reference import reference_checks
from pipeline.parity.thresholds import Thresholds
from pipeline.runtimes.recording import Recording
from pipeline.tflite.inspect import inspect_file
from pipeline.tflite.metadata import DescribedModel
from pipeline.workflow.judge import GATE_REVISION, Candidate, structure_gate
from tests.parity.recordings import answers, recording

THRESHOLDS = Thresholds()
NO_HASH = "0" * 64
PARENTS = {"dataset": NO_HASH, "model": NO_HASH}
_IMAGES_OF_CLASS = 30


def publish(folder: Path, manifest: BundleManifest, *, by_hand: bool = False) -> None:
    """Judge the model in `folder`, whose other files `manifest` lists, and write both records.

    A network made `by_hand` has no signature and no runtime version: of its structure only what
    passes is recorded, which is enough for the app.
    """
    labels, file = manifest.labels, folder / MODEL_FILE
    found = inspect_file(file)
    described = DescribedModel(image=manifest.image, labels=labels)
    structure = structure_gate(Candidate(file, found, described, manifest))
    truth = [k for _ in range(_IMAGES_OF_CLASS) for k in range(len(labels))]
    rows = answers(truth, len(labels))
    reference, candidate = (
        recording(rows, truth, runtime=runtime, labels=labels.names, model_sha256=sha256)
        for runtime, sha256 in (("keras", manifest.parents["model"]), ("litert", found.sha256))
    )
    verdict = judge_recordings(
        reference,
        candidate,
        THRESHOLDS,
        critical=labels.critical,
        before=(
            *reference_checks(reference, Normalization(), (), THRESHOLDS),
            *(c for c in structure.checks if not by_hand or c.outcome is Outcome.passed),
        ),
        noise=_noise(reference) if manifest.recipe.quantize is Quantize.int8 else None,
    )
    assert verdict.passed, verdict.broken()
    inputs = {
        "model": manifest.parents["model"],
        "dataset": manifest.parents["dataset"],
        "recipe": manifest.recipe.digest(),
        "image": manifest.image.pixels_digest(),
        "normalization": manifest.normalization.digest(),
        "logits": str(manifest.logits),
        "labels": labels.digest(),
        "about": manifest.about.digest(),
        "thresholds": THRESHOLDS.digest(),
        "min_runtime": manifest.promised_runtime,
        "decision": manifest.decision.digest(),
        "golden_photos": sha256_json([]),
        "gates": str(GATE_REVISION),
    }
    seal_bundle(folder, manifest, verdict.model_copy(update={"inputs": inputs}))


def _noise(reference: Recording) -> MeasuredNoise:
    """Return the noise of a network that every pixel's last bit leaves where it is."""
    level = NoiseLevel(pixel_steps=1.0, agreement=1.0, mean_difference=0.0)
    ids = tuple(map(str, reference.image_ids))
    return MeasuredNoise(image_ids=ids, floor=NoiseFloor(images=len(ids), seed=0, levels=(level,)))


def seal_again(folder: Path, *names: str) -> None:
    """Record files that were changed, and pin everything again, as a careful forger would."""
    manifest: BundleManifest = BundleManifest.load(folder / MANIFEST_FILE)
    files = {**manifest.files, **{name: FileEntry.of(folder / name) for name in names}}
    changed = manifest.model_copy(update={"files": files})
    seal_bundle(folder, changed, Verdict.load(folder / VERDICT_FILE))


def seal_json_again(folder: Path) -> None:
    """Pin both records again as they are, in whatever form of another release."""
    manifest, verdict = (
        json.loads((folder / name).read_text(encoding="utf-8"))
        for name in (MANIFEST_FILE, VERDICT_FILE)
    )
    manifest["files"].pop(VERDICT_FILE)
    verdict["inputs"][MANIFEST_PIN] = sha256_json(manifest)
    (folder / VERDICT_FILE).write_text(json.dumps(verdict), encoding="utf-8")
    manifest["files"][VERDICT_FILE] = FileEntry.of(folder / VERDICT_FILE).model_dump()
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
