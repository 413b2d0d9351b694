"""Hold which known mistake explains why a runtime disagrees with a bundle."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.choices import Mistake


class Found(StrEnum):
    """Say what a diagnosis came to."""

    no_disagreement = "no disagreement"
    known = "known mistake"
    none_known = "none of the known mistakes"


class Suspect(Frozen):
    """Hold how well the best variant of one mistake predicts what the runtime answered.

    `images` is how many were scored: a mistake that is far off on the first ones is not asked on
    the others. `flips` are those among them on which the runtime chose another class than the
    bundle does, `flips_explained` those where the mistake gives the runtime's class, `agreed` the
    images on which it does. `distance` is the mean total variation distance between the
    predicted probabilities and the runtime's, `right_distance` that of the right answers on the
    same images. `log_likelihood_ratio` is against no mistake, in nats. `clear` says that it is
    far better than no mistake. `order` names, for a mistake in the order of labels, which class
    each output holds.
    """

    mistake: Mistake
    variant: str
    images: int = Field(ge=1)
    flips: int = Field(ge=0)
    flips_explained: int = Field(ge=0)
    agreed: int = Field(ge=0)
    distance: float = Field(ge=0.0)
    right_distance: float = Field(ge=0.0)
    log_likelihood_ratio: float
    clear: bool
    order: tuple[str, ...] = ()

    @property
    def explained_share(self) -> float:
        """Return how much of the difference in the probabilities is gone; negative where more."""
        if self.right_distance == 0:
            return 0.0
        return 1 - self.distance / self.right_distance


class Diagnosis(Frozen):
    """Hold what was compared, and every mistake that can be made, the likeliest first.

    `recorded` images are in the recording, `images` of them were found and scored. `flips` is on
    how many of these the runtime chose another class. `distance` is the mean total variation
    distance between the right answers and the runtime's, `largest_difference` the mean over the
    images of the largest difference in any class.

    `named` is the mistake, and those that predict these answers as well, in the order of
    `Mistake`. `unseen` mistakes change nothing on these images with this model, `impossible` ones
    cannot be made with it.
    """

    schema_version: Literal[1] = 1
    kind: Literal["diagnosis"] = "diagnosis"
    found: Found
    reference: str
    reference_sha256: str
    candidate: str
    runtime: str
    runtime_version: str
    host: str
    same_model: bool
    recorded: int = Field(ge=1)
    images: int = Field(ge=1)
    flips: int = Field(ge=0)
    distance: float = Field(ge=0.0)
    largest_difference: float = Field(ge=0.0)
    named: tuple[Mistake, ...] = ()
    suspects: tuple[Suspect, ...]
    unseen: tuple[Mistake, ...] = ()
    impossible: tuple[Mistake, ...] = ()
