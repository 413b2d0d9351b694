"""Hold where, on the way from Keras to a phone, the answers of a model changed."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field

from pipeline.contract.base import Frozen


class StepKind(StrEnum):
    """Name what a step changes."""

    keras = "Keras"
    convert = "float32 file"
    recipe = "recipe, float input and output"
    io = "input and output type"
    runtime = "runtime"


class TraceStep(Frozen):
    """Hold what one step did to the answers.

    `name` is the recipe, the type or the runtime. `before` is the place of the step that it
    follows, None for the first. `flips` are the images that change class against that step,
    `keras_flips` those against Keras; `mean_difference` and `keras_mean_difference` are the means
    over the images of the largest difference of a probability. `accuracy` and `critical_recall`
    are shares, None where nothing is labelled.
    """

    kind: StepKind
    name: str
    before: int | None
    model_sha256: str
    runtime: str
    runtime_version: str
    host: str
    flips: int = Field(ge=0)
    keras_flips: int = Field(ge=0)
    mean_difference: float = Field(ge=0.0)
    keras_mean_difference: float = Field(ge=0.0)
    accuracy: float | None
    critical_recall: dict[str, float | None] = Field(default_factory=dict)


class Trace(Frozen):
    """Hold the steps of one bundle, in order, on `images` images of one split.

    All files are answered by LiteRT; the runtimes at the end answer the bundle's own file.
    """

    made_by: ClassVar[str | None] = "pipeline trace BUNDLE"

    schema_version: Literal[1] = 1
    kind: Literal["trace"] = "trace"
    bundle: str
    model_sha256: str
    split: str
    images: int = Field(ge=1)
    steps: tuple[TraceStep, ...] = Field(min_length=1)

    def agreement(self, step: TraceStep) -> float:
        """Return on which share of the images a step chooses the class of the one before."""
        return 1 - step.flips / self.images

    def keras_agreement(self, step: TraceStep) -> float:
        """Return on which share of the images a step chooses Keras' class."""
        return 1 - step.keras_flips / self.images

    @property
    def lost_at(self) -> int | None:
        """Return the place of the step at which most images change class; None where none does.

        Of steps with as many the one that moves the probabilities most.
        """
        order = sorted(
            range(len(self.steps)),
            key=lambda i: (-self.steps[i].flips, -self.steps[i].mean_difference, i),
        )
        return order[0] if self.steps[order[0]].flips else None
