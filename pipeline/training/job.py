"""Name what the training process is asked for and what it answers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.calibration import Calibration
from pipeline.training.budget import Schedule
from pipeline.training.journal import Epoch
from pipeline.training.request import Settings, TrainRequest

# Raise it when a change of this package changes what the same inputs are trained to: models and
# unfinished trainings of an earlier revision are then done again.
REVISION = 2
# The packages whose version decides it too.
PACKAGES = ("keras", "numpy", "pillow", "tensorflow")


class TrainJob(Frozen):
    """Ask for one training.

    `dataset` is the manifest's file. `inputs_sha256` names everything that decides the model;
    unfinished work in the folder `state` goes on only if it was begun for the same inputs. The
    model and its metrics go to the folder `out`.
    """

    request: TrainRequest
    dataset: Path
    inputs_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    state: Path
    out: Path


class PhaseSummary(Frozen):
    """Say how many epochs a phase ran and which of them was kept."""

    epochs: int
    best: Epoch


class TrainAnswer(Frozen):
    """Say how the training went, by phase, and how many weights the model has.

    `settings` are those trained with; `schedule` says how a budget came to them, None without one.
    `calibration` is None where none was asked for.
    """

    phases: dict[str, PhaseSummary]
    settings: Settings
    schedule: Schedule | None
    parameters: int = Field(ge=1)
    calibration: Calibration | None = None
