"""Say how an answer is to be read on the device."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.contract.base import Frozen, Number
from pipeline.contract.labels import Labels
from pipeline.errors import BadInput

Probability = Annotated[Number, Field(gt=0.0, lt=1.0)]


class Decision(Frozen):
    """Name the probabilities at which a device speaks differently of an answer.

    Below `unsure_below` the most probable class is called unsure. A class that reaches its own of
    `thresholds` is named even where another is more probable. Both are the user's to choose, on
    data of their own: nothing here is a clinical recommendation.
    """

    unsure_below: Probability | None = None
    thresholds: dict[str, Probability] = Field(default_factory=dict)

    def check_labels(self, labels: Labels) -> None:
        """Refuse a threshold of a class that the model does not have.

        Raises:
            BadInput: one is named that is not a label.
        """
        unknown = [name for name in self.thresholds if name not in labels.names]
        if unknown:
            raise BadInput(
                "a threshold is of a class that the model does not have",
                expected=f"one of {', '.join(labels.names)}",
                got=", ".join(unknown),
            )


def parse_thresholds(texts: list[str]) -> dict[str, float]:
    """Read `LABEL=PROBABILITY` texts.

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
                "not a threshold" if name not in found else "a threshold is given twice",
                expected="LABEL=PROBABILITY, as MEL=0.3",
                got=text,
            )
        found[name] = threshold
    return found
