"""Name what the training tests ask of a process with TensorFlow, and what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.contract.base import Frozen


class LaboratoryRequest(Frozen):
    """Ask for every experiment, on images that decoders disagree about."""

    folder: Path
    images: tuple[Path, ...]


class LaboratoryAnswer(Frozen):
    """Hold what each experiment measured, by its name."""

    found: dict[str, Any]


class WeightsRequest(Frozen):
    """Ask for a file of random weights of a backbone without its top."""

    backbone: str
    width: float
    size_px: int
    file: Path


class WeightsAnswer(Frozen):
    """Say how many arrays the file holds."""

    arrays: int
