"""Export a file, prove it against Keras, and publish it only if it is proven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.contract.bundle import MANIFEST_FILE, MODEL_FILE, VERDICT_FILE, load_bundle
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.decision import Decision
from pipeline.contract.hashing import sha256_file, sha256_json
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.contract.run import RunDir, publish_dir, staging_dir
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput, PipelineError
from pipeline.export.bundle import build
from pipeline.export.converted import EXPORTER_REVISION
from pipeline.export.golden_photos import user_photos
from pipeline.export.goldens import make_goldens
from pipeline.parity.judge import judge
from pipeline.parity.thresholds import Thresholds
from pipeline.progress import Report, silent
from pipeline.report.verdict_figures import figures_of
from pipeline.runtimes.ask import record
from pipeline.workflow.refusal import refusal
from pipeline.workflow.source import KerasSource

_PLAIN = Decision()
_FLOAT16 = "pipeline export --quantize float16, which changes least"


@dataclass(frozen=True)
class Exported:
    """Hold what became of one export: `folder` is the bundle, published or kept aside.

    `instead` says what to ship in place of a refused one.
    """

    recipe: Recipe
    folder: Path
    published: bool
    resumed: bool
    verdict: Verdict
    manifest: BundleManifest
    instead: str | None = None

    def refusal(self) -> PipelineError | None:
        """Return why this export was not published, or None if it was."""
        what = f"{self.recipe.name} is not published"
        return refusal(
            self.verdict,
            failed=f"{what}: it failed its gate",
            undecided=f"{what}: its gate could not be decided",
            where=str(self.folder),
            next_step=self.instead,
        )


def export_and_prove(
    source: KerasSource,
    recipe: Recipe,
    run: RunDir,
    thresholds: Thresholds,
    *,
    min_runtime: str,
    golden_photos: Sequence[Path] = (),
    decision: Decision = _PLAIN,
    report: Report = silent,
) -> Exported:
    """Build a bundle, walk the structure, numbers and task gates, publish or keep it aside.

    A published bundle that was made from exactly these inputs and judged by these thresholds is
    returned as it is. A rejected one replaces an earlier rejected one of the same recipe; an
    earlier published one, proven for its own model, stays. What is published carries goldens,
    drawn ones and the user's own `golden_photos` (JPEG), and says with `decision` how a device is
    to speak of an answer.

    Raises:
        BadInput: the model, the dataset, an image or a golden photo is refused.
        EnvironmentProblem: a tool could not run.
    """
    photos = user_photos(golden_photos, source.image)
    decision.check_labels(source.labels)
    inputs = {
        "model": sha256_file(source.path),
        "dataset": source.dataset.digest(),
        "recipe": recipe.digest(),
        "image": source.image.digest(),
        "labels": source.labels.digest(),
        "thresholds": thresholds.digest(),
        "min_runtime": min_runtime,
        "exporter": EXPORTER_REVISION,
        "decision": decision.digest(),
        "golden_photos": sha256_json([photo.sha256 for photo in photos]),
    }
    earlier = _published(run.bundle(recipe.name), recipe, inputs)
    if earlier is not None:
        return earlier
    with staging_dir(run.bundle(recipe.name)) as staging:
        built = build(
            source.path,
            recipe,
            run,
            staging,
            dataset=source.dataset,
            labels=source.labels,
            image=source.image,
            model_manifest=source.manifest,
            license=source.dataset.license,
            min_runtime=min_runtime,
            report=report,
        )
        verdict = Verdict.from_checks(built.checks)
        if verdict.passed:
            verdict = _prove(source, staging / MODEL_FILE, run, thresholds, verdict, report)
        verdict = verdict.model_copy(update={"inputs": inputs})
        verdict.save(staging / VERDICT_FILE)
        manifest, published = built.manifest, verdict.passed
        if published:
            log = run.logs / f"goldens-{recipe.name}.log"
            goldens = make_goldens(staging, manifest, photos, log=log, report=report)
            manifest = manifest.model_copy(
                update={"files": {**manifest.files, **goldens}, "decision": decision}
            )
            manifest.save(staging / MANIFEST_FILE)
        target = run.bundle(recipe.name) if published else run.rejected(recipe.name)
        publish_dir(staging, target)
    offer = None if published else instead(run, recipe, inputs["model"])
    return Exported(recipe, target, published, False, verdict, manifest, offer)


def instead(run: RunDir, recipe: Recipe, model_sha256: str) -> str:
    """Offer float16, with its figures where this model's is published."""
    if recipe.quantize is Quantize.float16:
        return "read the report; `pipeline export --quantize none` changes nothing but the format"
    folder = run.bundle(str(Quantize.float16))
    if folder.is_dir():
        try:
            verdict, manifest = Verdict.load(folder / VERDICT_FILE), load_bundle(folder)
            agreement = figures_of(verdict).top1_agreement
        except BadInput:
            # A damaged bundle is nothing to ship; the report lists it.
            return _FLOAT16
        if verdict.passed and agreement and manifest.parents.get("model") == model_sha256:
            size_mb = manifest.files[MODEL_FILE].size_bytes / 1e6
            return (
                f"ship float16, which is proven: agreement {100 * agreement.share:.1f}%, "
                f"{size_mb:.1f} MB, at {folder}"
            )
    return _FLOAT16


def _prove(
    source: KerasSource,
    model: Path,
    run: RunDir,
    thresholds: Thresholds,
    structure: Verdict,
    report: Report,
) -> Verdict:
    recordings = [
        record(
            runtime,
            file,
            source.dataset,
            Split.validation,
            run,
            image=source.image,
            labels=source.labels,
            report=report,
        )[0]
        for runtime, file in ((RuntimeName.keras, source.path), (RuntimeName.litert, model))
    ]
    judged = judge(recordings[0], recordings[1], thresholds, critical=source.labels.critical)
    return Verdict.from_checks(
        (*structure.checks, *judged.checks),
        reference=judged.reference,
        candidate=judged.candidate,
        figures=judged.figures,
    )


def _published(folder: Path, recipe: Recipe, inputs: dict[str, str]) -> Exported | None:
    if not folder.is_dir():
        return None
    try:
        verdict, manifest = Verdict.load(folder / VERDICT_FILE), load_bundle(folder)
    except BadInput:
        # Damaged or edited: it is made again, never used.
        return None
    if not verdict.passed or verdict.inputs != inputs:
        return None
    return Exported(recipe, folder, True, True, verdict, manifest)
