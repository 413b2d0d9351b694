"""Say how an answer is to be read on the device."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pipeline.contract.base import Frozen, Number
from pipeline.contract.labels import Labels
from pipeline.errors import BadInput

# The app holds probabilities and limits as float32, and compares them so.
_FLOAT32 = struct.Struct("f")

Probability = Annotated[Number, Field(gt=0.0, lt=1.0)]


@dataclass(frozen=True)
class Reading:
    """Hold how one answer is to be read.

    label: the most probable class; the first of equals, as in the app.
    unsure: whether it is too weak to be named.
    over_threshold: the classes that reach a threshold of their own, most probable first.
    """

    label: str
    unsure: bool
    over_threshold: tuple[str, ...]


class Decision(Frozen):
    """Name the probabilities at which a device speaks differently of an answer.

    Below `unsure_below` the most probable class is called unsure. A class that reaches its own of
    `thresholds` is named even where another is more probable. Both are the user's to choose, on
    data of their own: nothing here is a clinical recommendation.
    """

    unsure_below: Probability | None = None
    thresholds: dict[str, Probability] = Field(default_factory=dict)

    @property
    def states_something(self) -> bool:
        """Tell whether an answer is read otherwise than by its most probable class."""
        return self.unsure_below is not None or bool(self.thresholds)

    def read(self, probabilities: Mapping[str, float]) -> Reading:
        """Read one answer as the Android app does, comparing in float32.

        Args:
            probabilities: by label in the model's order, 0 to 1; at least one.
        """
        ranked = sorted(probabilities, key=lambda name: -probabilities[name])
        best = probabilities[ranked[0]]
        return Reading(
            label=ranked[0],
            unsure=self.unsure_below is not None and _float32(best) < _float32(self.unsure_below),
            over_threshold=tuple(
                name
                for name in ranked
                if name in self.thresholds
                and _float32(probabilities[name]) >= _float32(self.thresholds[name])
            ),
        )

    def check_labels(self, labels: Labels) -> None:
        """Refuse a threshold of a class that the model does not have.

        Raises:
            BadInput: one is named that is not a label.
        """
        labels.refuse_unknown(self.thresholds, "a threshold")


def _float32(value: float) -> float:
    (rounded,) = _FLOAT32.unpack(_FLOAT32.pack(value))
    return float(rounded)


def parse_thresholds(texts: list[str], noun: str = "threshold") -> dict[str, float]:
    """Read `LABEL=PROBABILITY` texts; `noun` is what an error calls one.

    Raises:
        BadInput: a text is not of that form, or a label is given twice.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        try:
            threshold = float(value)
        except ValueError:
            threshold = None
        if not name or threshold is None or name in found:
            raise BadInput(
                f"not a {noun}" if name not in found else f"a {noun} is given twice",
                expected=f"LABEL={'PROBABILITY' if noun == 'threshold' else 'SHARE'}, as MEL=0.3",
                got=text,
            )
        found[name] = threshold
    return found
