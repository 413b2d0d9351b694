"""Read the measured values of a verdict that no threshold judges, as far as a page shows them."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from pipeline.contract.base import first_problem
from pipeline.contract.noise import NoiseFloor
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput


class _Shown(BaseModel):
    # A verdict of a later version may measure more.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Shares(_Shown):
    """Hold one share, 0 to 1, of both sides; None where nothing can be divided by."""

    reference: float | None = None
    candidate: float | None = None


class Share(_Shown):
    """Hold one share, 0 to 1, and its 95% Wilson interval where the verdict has one."""

    share: float
    wilson_95: tuple[float, float] | None = None


class Accuracy(_Shown):
    """Hold the accuracy of both sides."""

    reference: Share
    candidate: Share


class Recall(Shares):
    """Hold the recall of one class on both sides."""

    images: int
    critical: bool


class Latency(_Shown):
    """Hold a side's time for one image in milliseconds."""

    p50: float | None = None
    p90: float | None = None


class Latencies(_Shown):
    """Hold the latency of each side that was timed."""

    reference: Latency = Latency()
    candidate: Latency = Latency()


class Confusion(_Shown):
    """Hold the confusion of both sides in images, rows the true class."""

    reference: tuple[tuple[int, ...], ...]
    candidate: tuple[tuple[int, ...], ...]


class Flip(_Shown):
    """Hold one image that the two sides answered differently."""

    image_id: str
    reference: str
    candidate: str
    truth: str | None
    margin: float


class Flips(_Shown):
    """Hold how many images flipped, and the ones the reference was surest about."""

    count: int
    examples: tuple[Flip, ...]


class Difference(_Shown):
    """Hold the largest probability difference of an image, over the images."""

    mean: float
    p99: float
    largest: float


class Ties(_Shown):
    """Hold the images on which a side's first place is shared."""

    reference: int
    candidate: int


class OtherRuntime(_Shown):
    """Hold how another runtime answers the same file; None where it is not installed."""

    runtime: str
    agreement: float | None = None
    mean_difference: float | None = None


class RuntimeSpread(_Shown):
    """Hold how other runtimes answer some images that `runtime` answered too."""

    runtime: str
    images: int
    others: tuple[OtherRuntime, ...]


class Noise(NoiseFloor):
    """Hold the reference's own noise, and whether it is fragile."""

    fragile: bool


class VerdictFigures(_Shown):
    """Hold what a page shows of `Verdict.figures`; what was not measured is None or empty."""

    images: int | None = None
    split: str | None = None
    notes: tuple[dict[str, JsonValue], ...] = ()
    accuracy: Accuracy | None = None
    balanced_accuracy: Shares | None = None
    recall: dict[str, Recall] = Field(default_factory=dict)
    top1_agreement: Share | None = None
    latency_ms: Latencies | None = None
    confusion: Confusion | None = None
    flips: Flips | None = None
    probability_difference: Difference | None = None
    ties: Ties | None = None
    noise: Noise | None = None
    runtime_spread: RuntimeSpread | None = None

    @model_validator(mode="after")
    def _confusion_is_of_the_classes(self) -> Self:
        if self.confusion is not None:
            for matrix in (self.confusion.reference, self.confusion.candidate):
                if {len(matrix), *map(len, matrix)} != {len(self.recall)}:
                    raise ValueError("the confusion is not of the classes that have a recall")
        return self

    @property
    def critical(self) -> tuple[str, ...]:
        """Return the labels of the critical classes."""
        return tuple(label for label, row in self.recall.items() if row.critical)


def figures_of(verdict: Verdict, *, where: str | None = None) -> VerdictFigures:
    """Return a verdict's figures.

    Raises:
        BadInput: they do not have the form that `parity` writes.
    """
    try:
        return VerdictFigures.model_validate(verdict.figures)
    except ValidationError as error:
        raise BadInput(
            "the verdict's figures have another form", where=where, got=first_problem(error)
        ) from error
