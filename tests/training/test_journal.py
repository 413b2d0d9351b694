"""A training's state: damage is noticed, told in one line, and never trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.progress import ProgressEvent
from pipeline.training.journal import Epoch, Journal, PhaseState

_INPUTS = "a" * 64


def trained(folder: Path) -> Journal:
    journal = Journal(folder, _INPUTS)
    checkpoint = journal.files.checkpoint("whole", 1)
    best = journal.files.checkpoint("whole", 1, best=True)
    checkpoint.write_bytes(b"weights and optimizer")
    best.write_bytes(b"the best weights")
    epoch = Epoch(
        phase="whole",
        epoch=1,
        loss=0.5,
        accuracy=0.5,
        val_loss=0.5,
        val_accuracy=0.25,
        val_balanced_accuracy=0.25,
    )
    journal.write("whole", PhaseState(history=(epoch,), checkpoint=checkpoint.name, best=best.name))
    return journal


def test_a_whole_state_is_taken_up_in_silence(tmp_path: Path) -> None:
    trained(tmp_path / "state")
    events: list[ProgressEvent] = []
    assert len(Journal(tmp_path / "state", _INPUTS, events.append).history()) == 1
    assert events == []


@pytest.mark.parametrize("name", ["whole-0001.npz", "whole-best-0001.npz", "journal.json"])
def test_damage_of_the_same_size_starts_the_training_anew(tmp_path: Path, name: str) -> None:
    trained(tmp_path / "state")
    path = tmp_path / "state" / name
    data = path.read_bytes()
    # In the journal this is a figure, which stays valid JSON.
    changed = data.replace(b"0.25", b"0.75") if name == "journal.json" else data[:-1] + b"X"
    assert len(changed) == len(data)
    assert changed != data
    path.write_bytes(changed)
    events: list[ProgressEvent] = []
    assert Journal(tmp_path / "state", _INPUTS, events.append).history() == []
    assert [event.task for event in events] == ["train from the start"]
    assert "was damaged" in events[0].detail


def test_a_missing_checkpoint_is_damage_too(tmp_path: Path) -> None:
    journal = trained(tmp_path / "state")
    journal.files.checkpoint("whole", 1).unlink()
    events: list[ProgressEvent] = []
    assert Journal(tmp_path / "state", _INPUTS, events.append).history() == []
    assert len(events) == 1
