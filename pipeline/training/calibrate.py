"""Calibrate the model at the end of its training. Child process only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.classifier.temperature import fold_temperature
from pipeline.contract.calibration import Calibration
from pipeline.contract.choices import Split
from pipeline.training.calibration import Answers, Temperature, calibration, fit_temperature

# The images that the weights were not fitted on.
_HELD_OUT = (Split.validation, Split.test)


@dataclass(frozen=True)
class Scaled:
    """Hold what a model was scaled by, and what it answered before."""

    temperature: Temperature
    before: Mapping[Split, Answers]

    def compared_with(self, after: Mapping[Split, Answers]) -> Calibration:
        """Measure the calibration error before and after, by split.

        Args:
            after: what the scaled model answers, by split.
        """
        return calibration(
            self.temperature,
            {split.value: answers for split, answers in self.before.items()},
            {split.value: after[split] for split in self.before},
        )


def calibrate(
    model: Any, splits: Collection[Split], answers: Callable[[Any, Split, str], Answers]
) -> Scaled:
    """Scale a trained `keras.Model` by the temperature that its validation images ask for.

    Args:
        model: ends in one dense layer; its weights are changed in place.
        splits: those that have images, validation among them.
        answers: returns what a model answers to a split, told what for.
    """
    held_out = [split for split in _HELD_OUT if split in splits]
    before = {split: answers(model, split, "calibrate on") for split in held_out}
    known = before[Split.validation]
    temperature = fit_temperature(known.truth, known.probabilities)
    fold_temperature(model, temperature.value, where="the trained model")
    return Scaled(temperature, before)
