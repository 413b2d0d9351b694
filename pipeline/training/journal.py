"""Remember how far a training has come, so that a killed one goes on."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.files import atomic_path, write_text_atomic
from pipeline.contract.hashing import sha256_file, sha256_json
from pipeline.contract.run import TrainingState
from pipeline.contract.sealed import seal
from pipeline.errors import BadInput
from pipeline.progress import ProgressEvent, Report, silent
from pipeline.training.budget import Schedule
from pipeline.training.request import Keep


class Epoch(Frozen):
    """Record one epoch of one phase; epoch 0 is the state the phase began with.

    `loss` and `accuracy` are means over the training samples as the epoch went, None for
    epoch 0; the `val_` figures are of the validation split after it. Accuracies are shares.
    """

    phase: str
    epoch: int
    loss: float | None
    accuracy: float | None
    val_loss: float
    val_accuracy: float
    val_balanced_accuracy: float

    @property
    def score(self) -> tuple[float, int]:
        """Return what the best epoch has the most of.

        Of equals the later one is better: its learning rate was lower, so its weights and
        moving averages are calmer.
        """
        return (self.val_balanced_accuracy, self.epoch)


class PhaseState(Frozen):
    """Say where a phase stands: its epochs, and the files of the newest and the best one."""

    history: tuple[Epoch, ...] = ()
    checkpoint: str | None = None
    best: str | None = None
    finished: bool = False


class _Journal(Frozen):
    """Hold all phases, the hashes of the checkpoints they name, and a hash over these values."""

    inputs_sha256: str
    # What a budget was found to allow; a training that is taken up again keeps it.
    schedule: Schedule | None = None
    phases: dict[str, PhaseState] = Field(default_factory=dict)
    checkpoint_sha256: dict[str, str] = Field(default_factory=dict)
    sha256: str = ""

    def sealed(self) -> _Journal:
        return self.model_copy(update={"sha256": self._own_hash()})

    def problem(self, folder: Path) -> str | None:
        """Return what is damaged of it, None if it is whole."""
        if self.sha256 != self._own_hash():
            return "the journal"
        for name, expected in self.checkpoint_sha256.items():
            try:
                if sha256_file(folder / name) != expected:
                    return name
            except OSError:
                return name
        return None

    def _own_hash(self) -> str:
        return sha256_json(self.model_dump(mode="json", exclude={"sha256"}))


class Journal:
    """Keep the state of one training in a folder.

    The journal's file is written last and names the checkpoint files that count, so a kill at any
    moment leaves the epoch before or the epoch after. State of other inputs is thrown away.
    """

    def __init__(self, folder: Path, inputs_sha256: str, report: Report = silent) -> None:
        self.files = TrainingState(folder)
        self._state = _Journal(inputs_sha256=inputs_sha256).sealed()
        found, damaged = self._found()
        if found is not None and found.inputs_sha256 == inputs_sha256:
            if damaged is None:
                self._state = found
                return
            report(ProgressEvent("train from the start", 1, 1, f"{damaged} was damaged"))
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        self._state.save(self.files.journal)

    def _found(self) -> tuple[_Journal | None, str | None]:
        try:
            found = _Journal.load(self.files.journal)
        except BadInput:
            return None, None
        return found, found.problem(self.files.folder)

    def phase(self, name: str) -> PhaseState:
        """Return where a phase stands."""
        return self._state.phases.get(name, PhaseState())

    @property
    def schedule(self) -> Schedule | None:
        """Return the schedule chosen for a budget, None before it is chosen or without one."""
        return self._state.schedule

    def keep_schedule(self, schedule: Schedule) -> None:
        """Remember the schedule chosen for a budget."""
        self._state = self._state.model_copy(update={"schedule": schedule}).sealed()
        self._state.save(self.files.journal)

    def write(self, name: str, state: PhaseState) -> None:
        """Commit a phase's new state, then remove the checkpoints no phase names any more."""
        phases = {**self._state.phases, name: state}
        named = {f for p in phases.values() for f in (p.checkpoint, p.best) if f is not None}
        known = self._state.checkpoint_sha256
        hashes = {f: known.get(f) or sha256_file(self.files.folder / f) for f in sorted(named)}
        self._state = self._state.model_copy(
            update={"phases": phases, "checkpoint_sha256": hashes}
        ).sealed()
        self._state.save(self.files.journal)
        self._write_csv()
        for path in self.files.checkpoints():
            if path.name not in named:
                path.unlink()

    def history(self) -> list[Epoch]:
        """Return every epoch so far."""
        return [epoch for state in self._state.phases.values() for epoch in state.history]

    def _write_csv(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(Epoch.model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(epoch.model_dump() for epoch in self.history())
        write_text_atomic(self.files.history, text.getvalue())
        seal(self.files.history)


def kept_epoch(history: Sequence[Epoch], keep: Keep) -> Epoch:
    """Return the epoch whose weights a phase keeps: its best, or simply its last."""
    return history[-1] if keep == "last" else max(history, key=lambda epoch: epoch.score)


def save_variables(path: Path, variables: Sequence[Any]) -> None:
    """Write the values of Keras variables, in order, to an `.npz` file, atomically."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        arrays: dict[str, Any] = {f"{i:04d}": np.asarray(v) for i, v in enumerate(variables)}
        np.savez(stream, **arrays)


def load_variables(path: Path, variables: Sequence[Any]) -> None:
    """Read back what `save_variables` wrote for the same variables."""
    with np.load(path, allow_pickle=False) as values:
        for i, variable in enumerate(variables):
            variable.assign(values[f"{i:04d}"])
