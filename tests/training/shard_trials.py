"""Fill, damage, cut short and read the sharded cache of pixels. Child process only."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.contract.dataset import ImageRecord
from pipeline.contract.run import RunDir
from pipeline.errors import PipelineError, reason_of
from pipeline.progress import ProgressEvent, Report, silent
from pipeline.training import shards
from pipeline.training.input import ImageReader, batches, cache_pixels
from pipeline.training.shards import ShardedPixels
from tests.training.samples import SMALL, coloured_dataset

IMAGE_BYTES = 64 * 64 * 3
PER_SHARD = 5


class _PulledPlug(Exception):
    pass


class Trials:
    """Hold 42 images, what they decode to, and a folder of shards of five."""

    def __init__(self, folder: Path) -> None:
        manifest = coloured_dataset(folder / "images", RunDir(folder / "run"))
        self.root, self.records = folder / "images", manifest.images
        self.stem = folder / "state" / "train-pixels"
        reader = ImageReader([self.root / r.path for r in self.records], [None] * 42, SMALL)
        self.decoded = np.stack(list(reader.pixels().as_numpy_iterator()))

    def cache(
        self, report: Report = silent, records: tuple[ImageRecord, ...] | None = None
    ) -> ShardedPixels:
        chosen = self.records if records is None else records
        size = PER_SHARD * IMAGE_BYTES
        return cache_pixels(self.stem, chosen, self.root, SMALL, report, shard_bytes=size)

    def files(self) -> list[Path]:
        return sorted(self.stem.parent.iterdir())

    def bytes(self) -> list[bytes]:
        return [file.read_bytes() for file in self.files()]


def shard_trials(folder: Path) -> dict[str, Any]:
    trials = Trials(folder)
    events: list[ProgressEvent] = []
    pixels = trials.cache(events.append)
    return {
        "names": [file.name for file in trials.files()],
        "decoded": [event.done for event in events if event.task == "decode images"],
        "shape": list(pixels.shape),
        "read": _read(pixels, trials),
        "refused": _refused(pixels),
        "records": _records(trials),
        "batches": _batches(pixels, trials),
        "damage": {one.__name__: _damage(trials, one) for one in DAMAGES},
        "while reading": _while_reading(trials),
        "cut short": _cut_short(trials),
        "other images": _other_images(trials),
        "no room": _no_room(trials),
        "limit": _limit(trials),
    }


def _read(pixels: ShardedPixels, trials: Trials) -> dict[str, bool]:
    order = np.random.default_rng(0).permutation(42)
    asked: dict[str, Any] = {
        "all": slice(None),
        "step": slice(2, 30, 3),
        "backwards": slice(None, None, -1),
        "order": order,
        "twice": [7, 7, 0],
        "negative": np.array([-1, -42]),
        "one": 9,
        "last": -1,
        "none": np.array([], np.int64),
        "empty slice": slice(5, 5),
    }
    same = {}
    for name, rows in asked.items():
        found, expected = pixels[rows], trials.decoded[rows]
        same[name] = found.shape == expected.shape and bool((found == expected).all())
    return same | {"length": len(pixels) == 42, "type": pixels.dtype == np.uint8}


def _refused(pixels: ShardedPixels) -> list[str]:
    refused = []
    asked: dict[str, Any] = {"42": 42, "-43": [-43], "0.5": [0.5], "two rows": [[1], [2]]}
    asked["flags"] = np.ones(42, np.bool_)
    for name, rows in asked.items():
        try:
            pixels[rows]
        except IndexError:
            refused.append(name)
    return refused


def _records(trials: Trials) -> bool:
    """Tell whether TensorFlow's own reader finds each image, then a record of 32 bytes."""
    found, ends = b"", []
    for file in trials.files():
        *images, end = [one.numpy() for one in tf.data.TFRecordDataset(str(file))]
        found += b"".join(images)
        ends.append(len(end))
    return found == trials.decoded.tobytes() and set(ends) == {32}


def _batches(pixels: ShardedPixels, trials: Trials) -> bool:
    order = np.random.default_rng(3).permutation(42)
    of_shards, of_array = (
        [rows.numpy() for _, rows in batches(lambda which: source[which], order, 8, tf.uint8)]  # noqa: B023
        for source in (pixels, trials.decoded)
    )
    return all((a == b).all() for a, b in zip(of_shards, of_array, strict=True))


def flipped_pixel(files: list[Path]) -> None:
    _flip(files[3], 12 + 2 * (IMAGE_BYTES + 16) + 100)


def flipped_length(files: list[Path]) -> None:
    _flip(files[3], IMAGE_BYTES + 16)


def flipped_checksum(files: list[Path]) -> None:
    _flip(files[3], 12 + IMAGE_BYTES)


def flipped_origin(files: list[Path]) -> None:
    _flip(files[3], files[3].stat().st_size - 20)


def cut(files: list[Path]) -> None:
    os.truncate(files[3], files[3].stat().st_size - 1)


def emptied(files: list[Path]) -> None:
    os.truncate(files[3], 0)


def grown(files: list[Path]) -> None:
    with files[3].open("ab") as stream:
        stream.write(b"\0")


def zeros(files: list[Path]) -> None:
    files[3].write_bytes(bytes(files[3].stat().st_size))


def another_shard(files: list[Path]) -> None:
    shutil.copyfile(files[2], files[3])


DAMAGES = (
    flipped_pixel,
    flipped_length,
    flipped_checksum,
    flipped_origin,
    cut,
    emptied,
    grown,
    zeros,
    another_shard,
)


def _flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


def _damage(trials: Trials, damage: Callable[[list[Path]], None]) -> dict[str, Any]:
    before, files = trials.bytes(), trials.files()
    damage(files)
    changed = trials.bytes() != before
    states = [file.stat() for file in files]
    events: list[ProgressEvent] = []
    pixels = trials.cache(events.append)
    again = [
        number
        for number, (file, state) in enumerate(zip(files, states, strict=True))
        if (file.stat().st_ino, file.stat().st_mtime_ns) != (state.st_ino, state.st_mtime_ns)
    ]
    return {
        "changed": changed,
        "told": [event.task for event in events if "again" in event.task],
        "again": again,
        "decoded": [event.done for event in events if event.task == "decode images"],
        "same": trials.bytes() == before and bool((pixels[:] == trials.decoded).all()),
    }


def _while_reading(trials: Trials) -> dict[str, Any]:
    pixels = trials.cache()
    whole = trials.files()[1].read_bytes()
    found = {}
    for name, data in (("cut", whole[:20_000]), ("other", bytes(len(whole)))):
        trials.files()[1].write_bytes(data)
        found[name] = _problem(lambda: pixels[5:10])
    trials.files()[1].write_bytes(whole)
    return found


def _cut_short(trials: Trials) -> dict[str, Any]:
    """Stop after 13 images: of shards of five, two are finished and one is begun."""
    for file in trials.files():
        file.unlink()

    def pull_plug(event: ProgressEvent) -> None:
        if event.done == 13:
            raise _PulledPlug

    try:
        trials.cache(pull_plug)
    except _PulledPlug:
        left = [file.name for file in trials.files()]
    events: list[ProgressEvent] = []
    pixels = trials.cache(events.append)
    return {
        "left": left,
        "decoded": [event.done for event in events if event.task == "decode images"],
        "told": [event.task for event in events if "again" in event.task],
        "same": bool((pixels[:] == trials.decoded).all()),
    }


def _other_images(trials: Trials) -> bool:
    pixels = trials.cache(records=trials.records[::-1])
    same = bool((pixels[:] == trials.decoded[::-1]).all())
    return same and bool((trials.cache()[:] == trials.decoded).all())


def _no_room(trials: Trials) -> dict[str, Any]:
    trials.files()[0].unlink()
    own, free_bytes = shutil.disk_usage, 1000

    def nearly_full(path: Path) -> Any:
        return own(path)._replace(free=free_bytes)

    shards.shutil.disk_usage = nearly_full  # type: ignore[assignment]
    try:
        return _problem(trials.cache)
    finally:
        shards.shutil.disk_usage = own


def _limit(trials: Trials) -> dict[str, Any]:
    """Let the kernel refuse the space of a file, as it does where a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * IMAGE_BYTES, before[1]))
    try:
        return _problem(trials.cache) | {"left": [file.name for file in trials.files()]}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _problem(action: Callable[[], object]) -> dict[str, Any]:
    try:
        action()
    except PipelineError as error:
        return error.to_dict()
    except OSError as error:
        return {"kind": "OSError", "what": reason_of(error)}
    return {"kind": "nothing"}
