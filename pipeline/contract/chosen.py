"""Say by which goals a bundle's thresholds and unsure band were chosen, and what they come to."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.decision import Decision, Probability
from pipeline.contract.labels import Labels
from pipeline.errors import BadInput

# An interval that reaches further below what was asked for promises nothing.
_WIDE = 0.1


class DecisionAsked(Frozen):
    """Ask for a decision by what it is to reach on the validation images, all 0 to 1.

    `sensitivity` asks for a threshold of a class that names at least this share of its images.
    `unsure_risk` asks for the unsure band that leaves the most answers of which at most this share
    is wrong, `unsure_coverage` for one that leaves this share of the answers; with both, the band
    of the risk must leave the coverage.
    """

    sensitivity: dict[str, Probability] = Field(default_factory=dict)
    unsure_risk: Probability | None = None
    unsure_coverage: Probability | None = None

    @property
    def asks_something(self) -> bool:
        """Tell whether anything is to be chosen."""
        return bool(self.sensitivity) or self.asks_a_band

    @property
    def asks_a_band(self) -> bool:
        """Tell whether an unsure band is to be chosen."""
        return self.unsure_risk is not None or self.unsure_coverage is not None

    def check(self, decision: Decision) -> None:
        """Refuse what is both stated and to be chosen.

        Raises:
            BadInput: a class has a threshold and a sensitivity, or the band is stated too.
        """
        twice = [name for name in self.sensitivity if name in decision.thresholds]
        if twice:
            raise BadInput(
                "a threshold is both stated and to be chosen for a sensitivity",
                expected="a threshold or a sensitivity of each class",
                got=", ".join(twice),
            )
        if self.asks_a_band and decision.unsure_below is not None:
            raise BadInput(
                "the unsure band is both stated and to be chosen by risk or coverage",
                expected="unsure_below, or unsure_risk and unsure_coverage",
                got=f"unsure_below {decision.unsure_below:g} too",
            )

    def check_labels(self, labels: Labels) -> None:
        """Refuse a sensitivity of a class that the model does not have.

        Raises:
            BadInput: one is named that is not a label.
        """
        labels.refuse_unknown(self.sensitivity, "a sensitivity")


class CountedShare(Frozen):
    """Hold a share of images with its 95% interval (Wilson), 0 to 1."""

    hits: int = Field(ge=0)
    images: int = Field(ge=1)
    low: float
    high: float

    @property
    def value(self) -> float:
        """Return the share."""
        return self.hits / self.images


class Reached(Frozen):
    """Hold what a threshold comes to: the class's images named, the others not named.

    `specificity` is None where every image is of the class.
    """

    sensitivity: CountedShare
    specificity: CountedShare | None


class ChosenThreshold(Frozen):
    """Hold the threshold of one class, chosen for a sensitivity.

    `reached` is by the reference's answers, which it was chosen on, `file` by those of the exported
    file to the same images.
    """

    label: str
    asked: float
    threshold: Probability
    reached: Reached
    file: Reached | None = None

    @property
    def is_promised(self) -> bool:
        """Tell whether the images are enough: the interval ends near what was asked for."""
        return self.asked - self.reached.sensitivity.low <= _WIDE


class Answered(Frozen):
    """Hold what a band leaves: the share that is answered, and of it what is wrong.

    `risk` is None where nothing is answered.
    """

    coverage: CountedShare
    risk: CountedShare | None


class ChosenBand(Frozen):
    """Hold the unsure band, chosen by risk or coverage; `unsure_below` None leaves all answers.

    `reached` and `file` are as in `ChosenThreshold`.
    """

    unsure_below: Probability | None
    reached: Answered
    file: Answered | None = None


class ChosenDecision(Frozen):
    """Hold what was asked for and what was chosen, on `images` labelled validation images."""

    asked: DecisionAsked
    images: int = Field(ge=1)
    thresholds: tuple[ChosenThreshold, ...] = ()
    band: ChosenBand | None = None

    def applied_to(self, stated: Decision) -> Decision:
        """Return the decision with what was chosen beside what was stated."""
        band = stated.unsure_below if self.band is None else self.band.unsure_below
        chosen = {one.label: one.threshold for one in self.thresholds}
        return Decision(unsure_below=band, thresholds={**stated.thresholds, **chosen})

    def without_file(self) -> Self:
        """Return what the reference's answers alone decide."""
        plain = {"file": None}
        return self.model_copy(
            update={
                "thresholds": tuple(one.model_copy(update=plain) for one in self.thresholds),
                "band": self.band and self.band.model_copy(update=plain),
            }
        )
