"""Feed images to TensorFlow: decode once, keep the resized pixels, read them in seeded batches.

Imported in a child process only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline import imaging
from pipeline.contract.dataset import ImageRecord
from pipeline.contract.files import reserve_space
from pipeline.contract.hashing import sha256_json
from pipeline.contract.image import ImageContract
from pipeline.contract.run import shard_of
from pipeline.errors import PipelineError
from pipeline.imaging.decode import Pixels, decode_file
from pipeline.progress import ProgressEvent, Report
from pipeline.training.shards import Shard, ShardedPixels, check_space

# A few hundred images of the default size: what a killed process loses at most.
SHARD_BYTES = 1 << 26

Gather = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.generic]]


class ImageReader:
    """Decode image files in parallel inside tf.data.

    A refused image ends the iteration: TensorFlow then raises its own error, and `refusal`
    holds the pipeline's.
    """

    def __init__(
        self, paths: Sequence[Path], sha256: Sequence[str | None], contract: ImageContract
    ) -> None:
        self._paths = list(paths)
        self._sha256 = list(sha256)
        self._contract = contract
        self.refusal: PipelineError | None = None

    def pixels(self) -> tf.data.Dataset:
        """Return the images in order: uint8 (height, width, 3), 0 to 255."""
        height, width = self._contract.height_px, self._contract.width_px

        def load(index: tf.Tensor) -> tf.Tensor:
            decoded = tf.numpy_function(self._decode, [index], tf.uint8)
            decoded.set_shape((None, None, 3))
            resized = tf.image.resize(decoded, (height, width), method="bilinear", antialias=False)
            # tf.round rounds half to even, as the contract says.
            return tf.cast(tf.round(resized), tf.uint8)

        return (
            tf.data.Dataset.range(len(self._paths))
            .map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .prefetch(tf.data.AUTOTUNE)
        )

    def _decode(self, index: np.int64) -> Pixels:
        path, expected = self._paths[int(index)], self._sha256[int(index)]
        try:
            return decode_file(path, self._contract, expected)
        except PipelineError as error:
            self.refusal = error
            raise


def cache_pixels(
    stem: Path,
    records: Sequence[ImageRecord],
    root: Path,
    contract: ImageContract,
    report: Report,
    *,
    shard_bytes: int = SHARD_BYTES,
) -> ShardedPixels:
    """Decode images into shards on the disk, or open those that are there already and whole.

    Each shard appears whole or not at all, so what a killed process finished is kept; one that
    was damaged, or made from other images, is made again alone.

    Args:
        stem: what the names of the shards begin with.
        records: the images.
        root: the folder they are in.
        contract: says how they are resized.
        report: gets the progress.
        shard_bytes: about the largest size of a shard; it holds at least one image.

    Returns:
        the images in the order of `records`, uint8 (images, height, width, 3), read when asked for.

    Raises:
        BadInput: an image is bad, or is not the one the dataset manifest lists.
        EnvironmentProblem: the disk has no room for the shards.
        OSError: a file cannot be written.
    """
    shards = plan_shards(stem, records, contract, shard_bytes)
    most = shards[0].count
    missing = []
    for number, shard in enumerate(shards):
        if shard.is_whole(report):
            report(ProgressEvent("check cached pixels", number + 1, len(shards)))
        else:
            missing.append(number)
    if not missing:
        return ShardedPixels(shards)
    stem.parent.mkdir(parents=True, exist_ok=True)
    check_space([shards[number] for number in missing])
    wanted = [one for number in missing for one in records[number * most : (number + 1) * most]]
    reader = ImageReader([root / r.path for r in wanted], [r.sha256 for r in wanted], contract)
    there = len(records) - len(wanted)

    def decoded() -> Iterator[Pixels]:
        for done, image in enumerate(reader.pixels().as_numpy_iterator(), there + 1):
            report(ProgressEvent("decode images", done, len(records)))
            yield image

    images = decoded()
    try:
        for number in missing:
            shards[number].write(islice(images, shards[number].count))
    except tf.errors.OpError:
        if reader.refusal is not None:
            raise reader.refusal from None
        raise
    return ShardedPixels(shards)


def plan_shards(
    stem: Path, records: Sequence[ImageRecord], contract: ImageContract, shard_bytes: int
) -> list[Shard]:
    """Return the shards that `cache_pixels` keeps these images in, without looking at one."""
    shape = (contract.height_px, contract.width_px, contract.channels)
    most = max(1, shard_bytes // math.prod(shape))
    starts = range(0, len(records), most)
    decided_by = {
        "pixels": contract.pixels_digest(),
        "imaging": imaging.REVISION,
        "tensorflow": tf.__version__,
    }
    return [
        Shard(
            file=shard_of(stem, number, len(starts)),
            count=len(part),
            shape=shape,
            made_from=sha256_json({**decided_by, "images": [one.sha256 for one in part]}),
        )
        for number, start in enumerate(starts)
        for part in (records[start : start + most],)
    ]


def allocate(
    path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]
) -> np.memmap[tuple[int, ...], np.dtype[Any]]:
    """Create an array file mapped for writing, with its disk space taken at once.

    A mapped file without its space ends the process with SIGBUS when the disk fills up; this
    raises OSError instead.
    """
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    reserve_space(path, header_bytes=array.offset)
    return array


def batches(
    gather: Gather, order: npt.NDArray[np.int64], batch_size: int, dtype: tf.DType
) -> tf.data.Dataset:
    """Read rows in the given order.

    Args:
        gather: returns the rows of int64 (batch,) indices, as an array of `dtype`.
        order: int64 (n,), the row of each sample.
        batch_size: samples in a batch; the last one may be smaller.
        dtype: of the rows.

    Returns:
        a dataset of (position int64 (), rows (batch, ...)); position counts batches from 0.
    """
    starts = np.arange(0, len(order), batch_size)
    shape = (None, *gather(order[:1]).shape[1:])

    def read(start: np.int64) -> npt.NDArray[np.generic]:
        return gather(order[int(start) : int(start) + batch_size])

    def load(position: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.numpy_function(read, [start], dtype)
        rows.set_shape(shape)
        return position, rows

    return (
        tf.data.Dataset.from_tensor_slices((np.arange(len(starts)), starts))
        .map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def normalized(pixels: tf.Tensor, contract: ImageContract) -> tf.Tensor:
    """Map pixels, 0 to 255 of any dtype, to model inputs: float32 (pixel - mean) / std."""
    mean, std = np.float32(contract.mean), np.float32(contract.std)
    return (tf.cast(pixels, tf.float32) - mean) / std
