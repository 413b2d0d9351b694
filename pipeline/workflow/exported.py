"""Hold what became of an export, and what to ship in place of a refused one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.contract.bundle import MODEL_FILE, VERDICT_FILE, load_bundle
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Outcome, Verdict
from pipeline.errors import BadInput, PipelineError
from pipeline.parity.own_noise import is_within_own_noise
from pipeline.report.noise_sentences import WHAT_HELPS
from pipeline.report.verdict_figures import figures_of
from pipeline.workflow.refusal import refusal


@dataclass(frozen=True)
class Exported:
    """Hold what became of one export: `folder` is the bundle, published or kept aside.

    `folder` and `manifest` are None where the reference was refused, so that nothing was built.
    `advice` says what to ship in place of a refused file, or how to mend what was stated.
    """

    recipe: Recipe
    folder: Path | None
    published: bool
    resumed: bool
    verdict: Verdict
    manifest: BundleManifest | None
    advice: str | None = None

    def refusal(self) -> PipelineError | None:
        """Return why this export was not published, or None if it was."""
        what = f"{self.recipe.name} is not published"
        return refusal(
            self.verdict,
            failed=f"{what}: it failed its gate",
            undecided=f"{what}: its gate could not be decided",
            where=None if self.folder is None else str(self.folder),
            next_step=self.advice,
        )


def reference_advice(verdict: Verdict) -> str | None:
    """Return the option that mends what was stated of a refused reference.

    Red and blue swapped and two labels swapped can do the same to pictures of plain colours: then
    both are named, since only the owner knows which it was.
    """
    mends = list(_mends(verdict))
    if mends:
        return "; or ".join(mends)
    if any(check.name.startswith("reference_") for check in verdict.broken()):
        return (
            "train longer, check labels and input convention, or publish it all the same "
            "with --accept-weak-reference"
        )
    return None


def _mends(verdict: Verdict) -> Iterator[str]:
    for check in verdict.broken():
        better = check.evidence.get("better")
        if check.name == "reference_input_convention" and isinstance(better, dict):
            yield f"say {better['option']}"
        if check.name == "reference_label_order":
            order = check.evidence.get("order")
            if isinstance(order, list) and order:
                yield f"give the labels in this order: --labels {','.join(map(str, order))}"


def fragile_advice(verdict: Verdict) -> str | None:
    """Return what to do about a file that is undecided for its own model's noise."""
    if verdict.outcome is not Outcome.inconclusive:
        return None
    for check in verdict.broken():
        if is_within_own_noise(check):
            return (
                f"{WHAT_HELPS}; or export --quantize float16; or publish this one all the same "
                "with --accept-fragile"
            )
    return None


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
