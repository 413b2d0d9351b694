"""Derive from a pair which class each side chose and where it was right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.metrics import confusion_matrix
from pipeline.parity.align import Pair
from pipeline.parity.paired import PairedShares

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Side:
    """Hold what one side answered.

    chosen: int64 (n,), the first class of the highest probability, as an app takes it.
    right: bool (n,), False where the truth is unknown.
    tied: bool (n,), whether another class shares the highest probability.
    confusion: int64 (classes, classes) over the labelled images, rows the true class.
    """

    chosen: npt.NDArray[np.int64]
    right: Flags
    tied: Flags
    confusion: npt.NDArray[np.int64]

    @property
    def hits(self) -> int:
        """Return the number of labelled images answered right."""
        return int(self.right.sum())


@dataclass(frozen=True)
class Answers:
    """Hold both sides' answers to the same images; `labelled` is bool (n,)."""

    pair: Pair
    labelled: Flags
    reference: Side
    candidate: Side

    @classmethod
    def of(cls, pair: Pair) -> Answers:
        """Derive the answers; probabilities must be finite."""
        labelled = pair.truth >= 0
        return cls(
            pair,
            labelled,
            _side(pair.reference, pair.truth, labelled),
            _side(pair.candidate, pair.truth, labelled),
        )

    @property
    def agreed(self) -> Flags:
        """Tell for each image whether both sides chose the same class."""
        return np.equal(self.reference.chosen, self.candidate.chosen)

    def paired(self, among: Flags) -> PairedShares:
        """Count who alone is right on the images of `among`, bool (n,), at least one."""
        return PairedShares.of(self.reference.right[among], self.candidate.right[among])


def _side(
    probabilities: npt.NDArray[np.float32], truth: npt.NDArray[np.int64], labelled: Flags
) -> Side:
    chosen = probabilities.argmax(axis=1).astype(np.int64)
    highest = probabilities.max(axis=1, keepdims=True)
    return Side(
        chosen=chosen,
        right=chosen == truth,
        tied=(probabilities == highest).sum(axis=1) > 1,
        confusion=confusion_matrix(truth[labelled], chosen[labelled], probabilities.shape[1]),
    )
