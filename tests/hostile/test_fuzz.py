"""Damage good files at random, always the same way: every reader refuses or reads, none breaks."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.goldens import Goldens
from pipeline.contract.image import ImageContract
from pipeline.contract.label_file import read_labels
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.verdict import Verdict
from pipeline.data.table import read_table
from pipeline.errors import BadInput
from pipeline.imaging.decode import decode_file
from pipeline.runtimes.recording import Recording
from pipeline.tflite.inspect import inspect_file
from pipeline.tflite.metadata import described_model
from pipeline.workflow.config import RunConfig

_ROUNDS = int(os.environ.get("PIPELINE_FUZZ", "400"))
_SPLICES = (
    *(b"\0", b"\xff" * 8, b"[" * 5000, b"{" * 5000, b"1e999", b"-1", b'"', b"\n", b"\x80"),
    *(b"9" * 5000, b"NaN", b"../../../etc/passwd", b"\xef\xbb\xbf", b",,,,", b"\xff\xd8\xff"),
)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return bytes with up to eight flips, cuts, repeats and splices."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(5):
            case 0 if at < len(changed):
                changed[at] = chance.randrange(256)
            case 1:
                del changed[at : at + chance.randint(1, max(1, len(changed) // 8))]
            case 2:
                changed[at:at] = changed[at : at + chance.randint(1, 64)]
            case 3:
                changed[at:at] = chance.choice(_SPLICES)
            case _:
                changed[at : at + 4] = chance.randrange(2**32).to_bytes(4, "little")
    return bytes(changed)


def _recording(path: Path) -> None:
    Recording.load(path)


_READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "tflite": ("model.tflite", inspect_file),
    "int8 tflite": ("int8.tflite", inspect_file),
    "tflite metadata": ("model.tflite", described_model),
    "bundle manifest": ("bundle/manifest.json", BundleManifest.load),
    "verdict": ("bundle/verdict.json", Verdict.load),
    "goldens": ("bundle/goldens/goldens.json", Goldens.load),
    "dataset": ("run/data/dataset.json", DatasetManifest.load),
    "recording": ("recordings/a.json", _recording),
    "configuration": ("pipeline.toml", RunConfig.from_toml),
    "table": (
        "isic/ISIC_2019_Training_GroundTruth.csv",
        lambda path: read_table(path, ("image",)),
    ),
    "labels": ("labels.txt", lambda path: read_labels(str(path))),
    "JPEG": ("photo.jpg", lambda path: decode_file(path, ImageContract())),
}


@pytest.mark.slow
@pytest.mark.hostile
@pytest.mark.parametrize("name", list(_READERS))
def test_a_reader_refuses_whatever_it_cannot_read(world: Path, tmp_path: Path, name: str) -> None:
    source, read = _READERS[name]
    data, chance = (world / source).read_bytes(), random.Random(f"15 {name}")
    path = tmp_path / Path(source).name
    refused = 0
    for number in range(_ROUNDS):
        spoilt = mutated(data, chance)
        path.write_bytes(spoilt)
        try:
            read(path)
        except BadInput:
            refused += 1
        except BaseException:
            kept = tmp_path.parent / f"crash-{Path(source).name}"
            with contextlib.suppress(OSError):
                kept.write_bytes(spoilt)
            pytest.fail(f"round {number}, the file is kept as {kept}")
    assert refused, "nothing that was damaged was ever refused"
