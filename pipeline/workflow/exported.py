"""Hold what became of an export, and what to ship in place of a refused one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.contract.bundle import MODEL_FILE, VERDICT_FILE, load_bundle
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput, PipelineError
from pipeline.report.verdict_figures import figures_of
from pipeline.workflow.refusal import refusal


@dataclass(frozen=True)
class Exported:
    """Hold what became of one export: `folder` is the bundle, published or kept aside.

    `advice` says what to ship in place of a refused one.
    """

    recipe: Recipe
    folder: Path
    published: bool
    resumed: bool
    verdict: Verdict
    manifest: BundleManifest
    advice: str | None = None

    def refusal(self) -> PipelineError | None:
        """Return why this export was not published, or None if it was."""
        what = f"{self.recipe.name} is not published"
        return refusal(
            self.verdict,
            failed=f"{what}: it failed its gate",
            undecided=f"{what}: its gate could not be decided",
            where=str(self.folder),
            next_step=self.advice,
        )


def recommendation(run: RunDir, recipe: Recipe, model_sha256: str) -> str:
    """Offer float16, with its figures where this model's is published."""
    if recipe.quantize is Quantize.float16:
        return (
            "read the report; `pipeline export --quantize float32` changes nothing but the format"
        )
    fallback = "pipeline export --quantize float16, which changes least"
    folder = run.bundle(str(Quantize.float16))
    if not folder.is_dir():
        return fallback
    try:
        verdict, manifest = Verdict.load(folder / VERDICT_FILE), load_bundle(folder)
        agreement = figures_of(verdict).top1_agreement
    except BadInput:
        # A damaged bundle is nothing to recommend.
        return fallback
    if not verdict.passed or agreement is None or manifest.parents.get("model") != model_sha256:
        return fallback
    size_mb = manifest.files[MODEL_FILE].size_bytes / 1e6
    return (
        f"ship float16, which is proven: agreement {100 * agreement.share:.1f}%, {size_mb:.1f} MB, "
        f"at {folder}"
    )
