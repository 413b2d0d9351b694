"""Keep many equally large images in shards: TFRecord files with a checksum each record.

Child process only. A shard is a plain TFRecord file: a record an image, of the bytes of its
pixels, then one record of 32 bytes, the SHA-256 of what the shard was made from. TensorFlow frames
a record by its length (8 bytes), the length's masked CRC32C (4), the data and the data's masked
CRC32C (4). As all images are equally large, the place of each follows from its number.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline.contract.files import atomic_path, reserve_space
from pipeline.contract.sealed import say_damaged
from pipeline.errors import EnvironmentProblem
from pipeline.progress import Report

_LENGTH = struct.Struct("<Q")
_HEAD_BYTES = 12
_FRAME_BYTES = 16
_DIGEST_BYTES = 32
_BUFFER_BYTES = 1 << 20

ImageShape = tuple[int, int, int]


@dataclass(frozen=True)
class Shard:
    """Name one shard, and what belongs in it.

    Attributes:
        file: the TFRecord file.
        count: of images.
        shape: (height, width, 3) of each.
        made_from: SHA-256, as hex digits, of everything that decides the pixels.
    """

    file: Path
    count: int
    shape: ImageShape
    made_from: str

    @property
    def record_bytes(self) -> int:
        """Return the size of an image with its frame."""
        return int(np.prod(self.shape)) + _FRAME_BYTES

    @property
    def size_bytes(self) -> int:
        """Return the size of the whole file."""
        return self.count * self.record_bytes + _DIGEST_BYTES + _FRAME_BYTES

    def is_whole(self, report: Report) -> bool:
        """Read every record against its checksum; say so in one line where the file was damaged."""
        if not self.file.exists():
            return False
        if self._has_what_it_should():
            return True
        say_damaged(self.file, report)
        return False

    def _has_what_it_should(self) -> bool:
        try:
            if self.file.stat().st_size != self.size_bytes:
                return False
            records = 0
            for record in tf.data.TFRecordDataset(str(self.file), buffer_size=_BUFFER_BYTES):
                records, last = records + 1, record
            return records == self.count + 1 and last.numpy() == bytes.fromhex(self.made_from)
        except (OSError, tf.errors.OpError):
            # What cannot be read is no more whole than what differs.
            return False

    def write(self, images: Iterable[npt.NDArray[np.uint8]]) -> None:
        """Write the images in order, with the disk space of the file taken before the first.

        Raises:
            ValueError: these are not `count` images of `shape`.
            OSError: the disk is full, or the file cannot be written.
        """
        with atomic_path(self.file) as temporary:
            written = 0
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                # The writer began by emptying the file, and goes over these zeros.
                os.truncate(temporary, self.size_bytes)
                reserve_space(temporary, header_bytes=0)
                for image in images:
                    if image.shape != self.shape or image.dtype != np.uint8:
                        raise ValueError(f"{image.dtype} {image.shape} in a shard of {self.shape}")
                    writer.write(image.tobytes())
                    written += 1
                writer.write(bytes.fromhex(self.made_from))
            if written != self.count:
                raise ValueError(f"{written} images for a shard of {self.count}")


class ShardedPixels:
    """Read images of shards by their numbers, as from one array of all of them.

    Nothing is mapped or kept: an image is read when it is asked for, so that the memory is that of
    what was asked, whatever the size of the data set. Checksums are those of `Shard.is_whole`,
    which is asked first. Threads may read at the same time.

    Attributes:
        shape: (images, height, width, 3).
        dtype: uint8.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        """Take shards in order; all but the last hold as many images as the first."""
        self._shards = tuple(shards)
        self._most = self._shards[0].count
        self.shape = (sum(shard.count for shard in shards), *self._shards[0].shape)
        self.dtype = np.dtype(np.uint8)

    def __len__(self) -> int:
        """Return the number of images."""
        return self.shape[0]

    def __getitem__(
        self, rows: int | slice | Sequence[int] | npt.NDArray[np.integer[Any]]
    ) -> npt.NDArray[np.uint8]:
        """Read images as NumPy does by a number, a slice or an array of numbers.

        Returns:
            uint8 (height, width, 3) of a number, (rows, height, width, 3) otherwise.

        Raises:
            IndexError: there is no such image, or the numbers are not integers.
            EnvironmentProblem: a shard was changed since it was checked.
        """
        if isinstance(rows, slice):
            return self._read(np.arange(*rows.indices(len(self))))
        asked = np.asarray(rows)
        if not asked.size:
            return self._read(np.zeros(0, np.int64))
        if not np.issubdtype(asked.dtype, np.integer) or asked.ndim > 1:
            raise IndexError(f"images are read by integers in one row, not {asked.dtype}")
        if asked.min() < -len(self) or asked.max() >= len(self):
            raise IndexError(f"there are {len(self)} images, from 0")
        found = self._read(np.atleast_1d(asked) % len(self))
        return found if asked.ndim else found[0]

    def _read(self, rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        shards, places = np.divmod(rows, self._most)
        for number in np.unique(shards).tolist():
            shard = self._shards[number]
            with shard.file.open("rb", buffering=0) as stream:
                for row in np.flatnonzero(shards == number).tolist():
                    stream.seek(int(places[row]) * shard.record_bytes)
                    head, image = stream.read(_HEAD_BYTES), memoryview(found[row]).cast("B")
                    expected = _LENGTH.pack(len(image))
                    if not head.startswith(expected) or stream.readinto(image) != len(image):
                        raise EnvironmentProblem(
                            "a file of cached pixels was changed while it was being read",
                            where=str(shard.file),
                            next_step="run the same command again: it is made again",
                        )
        return found


def check_space(shards: Sequence[Shard]) -> None:
    """Refuse to begin shards that the disk has no room for.

    Raises:
        EnvironmentProblem: says how much is needed and how much is free.
        OSError: the folder cannot be looked at.
    """
    needed_bytes = sum(shard.size_bytes for shard in shards)
    folder = shards[0].file.parent
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes > free_bytes:
        raise EnvironmentProblem(
            "the disk has no room for the resized images, which are kept during the training",
            where=str(folder),
            expected=f"{needed_bytes / 1e6:,.0f} MB free",
            got=f"{free_bytes / 1e6:,.0f} MB",
            next_step="make room there, or choose a folder on another disk with --run-dir",
        )
