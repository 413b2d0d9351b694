"""What a test asks the child process in `models.py`, and what it answers; free of TensorFlow."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.classifier.requirements import Adaptation
from pipeline.classifier.spec import ClassifierSpec
from pipeline.contract.base import Frozen


class Specs(Frozen):
    """List models to open, by a name for each."""

    specs: dict[str, ClassifierSpec]
    pixels: str


class Opened(Frozen):
    """Hold what a model answers for the pixels, or why it was refused."""

    probabilities: tuple[tuple[float, ...], ...] = ()
    adaptations: tuple[Adaptation, ...] = ()
    error: dict[str, Any] = Field(default_factory=dict)
    random_operators: int = 0
    converted_shape: tuple[int, ...] = ()


class AllOpened(Frozen):
    """Hold what became of each."""

    models: dict[str, Opened]


class Pairs(Frozen):
    """Name a `.keras` file and pixels, to be asked by plain Keras."""

    model: str
    pixels: str
    mean: float
    std: float


class Rows(Frozen):
    """Hold one row for each image."""

    rows: tuple[tuple[float, ...], ...]


class Conversion(Frozen):
    """Name a `.keras` file that takes pixels of 32 x 32, and the float TFLite file to write."""

    model: str
    out: str
