"""Say what one export is asked for, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.contract.choices import DEFAULT_RUNTIME, Quantize
from pipeline.contract.chosen import ChosenDecision, DecisionAsked
from pipeline.contract.decision import Decision
from pipeline.contract.hashing import sha256_json
from pipeline.contract.recipe import Recipe
from pipeline.export.bundle import BuildRequest
from pipeline.export.converted import EXPORTER_REVISION, Conversion
from pipeline.export.golden_photos import GoldenPhoto
from pipeline.export.metadata_writer import about_classifier
from pipeline.parity.thresholds import Thresholds
from pipeline.workflow.source import KerasSource


@dataclass(frozen=True)
class ExportJob:
    """Hold everything one export is asked for.

    `promised_runtime` is the oldest TFLite runtime that must load the file, as `2.16.0`.
    `decision` says how a device is to speak of an answer, `golden_photos` (JPEG) are the user's
    own. `model_version` is the model's, its hash's beginning where None. `reference` says whether
    the bundle carries what the Keras model answered. `asked` says what else of the decision is
    to be chosen on the validation images, `chosen` what was; None until then.
    """

    source: KerasSource
    recipe: Recipe
    thresholds: Thresholds = field(default_factory=Thresholds)
    promised_runtime: str = DEFAULT_RUNTIME
    decision: Decision = field(default_factory=Decision)
    golden_photos: tuple[Path, ...] = ()
    model_version: str | None = None
    author: str = ""
    reference: bool = True
    asked: DecisionAsked = field(default_factory=DecisionAsked)
    chosen: ChosenDecision | None = None

    def for_recipes(self, recipes: Sequence[Recipe]) -> tuple[ExportJob, ...]:
        """Return this job once for each recipe; what does nothing for one is left out of it."""
        return tuple(
            replace(
                self,
                recipe=recipe,
                thresholds=self.thresholds.model_copy(
                    # Only what works in 8 bits is excused by the model's own noise.
                    update={
                        "accept_fragile": self.thresholds.accept_fragile
                        and recipe.quantize is Quantize.int8
                    }
                ),
            )
            for recipe in recipes
        )

    def build_request(self) -> BuildRequest:
        """Return what the build needs of this job."""
        source = self.source
        return BuildRequest(
            conversion=Conversion(
                source.classifier_spec(), self.recipe, source.labels, source.dataset
            ),
            about=about_classifier(
                self.recipe,
                source.image,
                source.labels,
                model_sha256=source.sha256,
                model_version=self.model_version,
                author=self.author,
                license=source.license,
                decision=self.decision,
                temperature=None if source.calibration is None else source.calibration.temperature,
            ),
            license=source.license,
            promised_runtime=self.promised_runtime,
            decision=self.decision,
            reference="included" if self.reference else "left_out",
            calibration=source.calibration,
            chosen=self.chosen,
        )

    def inputs(self, photos: Sequence[GoldenPhoto]) -> dict[str, str]:
        """Return the digests of everything that decides the bundle and its verdict."""
        request = self.build_request()
        return {
            "model": self.source.sha256,
            "dataset": self.source.dataset.digest(),
            "recipe": self.recipe.digest(),
            "image": self.source.image.pixels_digest(),
            "normalization": self.source.normalization.digest(),
            "logits": str(self.source.logits),
            "labels": self.source.labels.digest(),
            "about": request.about.digest(),
            "thresholds": self.thresholds.digest(),
            "min_runtime": self.promised_runtime,
            "exporter": EXPORTER_REVISION,
            "decision": self.decision.digest(),
            "reference": request.reference,
            "golden_photos": sha256_json([photo.sha256 for photo in photos]),
            **({"asked": self.asked.digest()} if self.asked.asks_something else {}),
        }
