"""Export one file: build it, judge it, publish it only if it is proven."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.contract.bundle import (
    MANIFEST_PIN,
    VERDICT_FILE,
    load_bundle,
    manifest_digest,
)
from pipeline.contract.choices import Split
from pipeline.contract.images import ImageSet, images_of_dataset
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.measured import load_measured, write_records
from pipeline.contract.recipe import Recipe
from pipeline.contract.run import RunDir, publish_dir, staging_dir
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput
from pipeline.export.bundle import BuiltBundle, build
from pipeline.export.golden_photos import GoldenPhoto, user_photos
from pipeline.export.goldens import make_goldens
from pipeline.export.sbom import write_sbom
from pipeline.progress import Report, silent
from pipeline.runtimes.bundle_reference import write_reference
from pipeline.tflite.metadata import DescribedModel
from pipeline.tflite.runtime_versions import check_version
from pipeline.worker import shared_processes
from pipeline.workflow.decide import decided, with_file_figures
from pipeline.workflow.export_job import ExportJob
from pipeline.workflow.exported import (
    Exported,
    fragile_advice,
    recommendation,
    reference_advice,
)
from pipeline.workflow.judge import GATE_REVISION, Candidate, HeldReference, hold_reference, judge
from pipeline.workflow.model_card import write_model_card
from pipeline.workflow.source import KerasSource


def export_all(
    jobs: Sequence[ExportJob], run: RunDir, *, report: Report = silent
) -> tuple[Exported, ...]:
    """Export several files of one model, one after another; see `export`.

    TensorFlow and LiteRT are started once each for all of them. A file that fails its gate does
    not stop the others.

    Raises:
        BadInput: the model, the dataset, an image or a golden photo is refused.
        EnvironmentProblem: a tool could not run.
    """
    with shared_processes():
        return tuple(export(job, run, report=report) for job in jobs)


def export(job: ExportJob, run: RunDir, *, report: Report = silent) -> Exported:
    """Build a bundle, judge it in every gate, publish it or keep it aside.

    A published bundle that was made from exactly these inputs and judged by these gates and
    thresholds is returned as it is. A rejected one replaces an earlier rejected one of the same
    recipe; an earlier published one, proven for its own model, stays. The caller holds
    `run.lock()`.

    Raises:
        BadInput: the model, the dataset, an image or a golden photo is refused.
        EnvironmentProblem: a tool could not run.
    """
    check_version(job.promised_runtime)
    job.decision.check_labels(job.source.labels)
    photos = user_photos(job.golden_photos, job.source.image)
    images = images_of_dataset(job.source.dataset, Split.validation)
    job = decided(job, images, run, report)
    inputs = job.inputs(photos)
    if (earlier := _published(run.bundle(job.recipe.name), job.recipe, inputs)) is not None:
        return earlier
    # A reference that does not do its job proves nothing, so nothing is built for it.
    held = hold_reference(job.source, images, job.thresholds, run, report=report)
    refused = held.verdict()
    if refused.checks and not refused.passed:
        return Exported(job.recipe, None, False, False, refused, None, reference_advice(refused))
    with staging_dir(run.bundle(job.recipe.name)) as staging:
        # 1. Build.
        built = build(job.build_request(), run, staging, report=report)
        # 2. Judge.
        verdict = judge(
            _candidate(built, job.source),
            job.source,
            job.thresholds,
            run,
            critical=job.source.labels.critical,
            inputs=inputs,
            held=held,
            report=report,
        )
        # 3. Publish, or keep aside.
        return _publish(built, verdict, held, images, photos, job, run, report)


def _candidate(built: BuiltBundle, source: KerasSource) -> Candidate:
    # What the manifest states, which the structure gate compares with the file's own words.
    described = DescribedModel(image=built.manifest.image, labels=source.labels)
    return Candidate(built.file, built.inspection, described, built.manifest)


def _publish(
    built: BuiltBundle,
    verdict: Verdict,
    held: HeldReference,
    images: ImageSet,
    photos: Sequence[GoldenPhoto],
    job: ExportJob,
    run: RunDir,
    report: Report,
) -> Exported:
    manifest, name = built.manifest, job.recipe.name
    if job.reference:
        reference = write_reference(held.recording, built.folder)
        manifest = manifest.model_copy(update={"files": {**manifest.files, **reference}})
    if verdict.passed:
        # One that failed its structure was never asked for answers.
        manifest = with_file_figures(manifest, _candidate(built, job.source), images, run, report)
        log = run.log(f"goldens-{name}")
        added = make_goldens(built.folder, manifest, photos, log=log, report=report)
        added |= write_sbom(built.folder, manifest)
        added |= write_model_card(built.folder, manifest, verdict)
        manifest = manifest.model_copy(update={"files": {**manifest.files, **added}})
    manifest, verdict = write_records(built.folder, manifest, verdict)
    target = run.bundle(name) if verdict.passed else run.rejected(name)
    publish_dir(built.folder, target)
    advice = None
    if not verdict.passed:
        advice = fragile_advice(verdict) or recommendation(run, job.recipe, job.source.sha256)
    return Exported(job.recipe, target, verdict.passed, False, verdict, manifest, advice)


def _published(folder: Path, recipe: Recipe, inputs: dict[str, str]) -> Exported | None:
    if not folder.is_dir():
        return None
    try:
        verdict: Verdict = Verdict.load(folder / VERDICT_FILE)
        manifest: BundleManifest = load_bundle(folder)
        measured = load_measured(folder)
    except BadInput:
        # Damaged or edited: it is made again, never used.
        return None
    pinned = {**inputs, "gates": str(GATE_REVISION), MANIFEST_PIN: manifest_digest(manifest)}
    if not verdict.passed or VERDICT_FILE not in manifest.files or verdict.inputs != pinned:
        return None
    return Exported(
        recipe, folder, True, True, measured.of_verdict(verdict), measured.of_manifest(manifest)
    )
