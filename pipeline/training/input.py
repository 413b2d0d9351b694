"""Feed images to TensorFlow: decode once, keep the resized pixels, read them in seeded batches.

Imported in a child process only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline.contract.dataset import ImageRecord
from pipeline.contract.files import atomic_path, reserve_space
from pipeline.contract.image import ImageContract
from pipeline.contract.sealed import is_whole, seal
from pipeline.errors import PipelineError
from pipeline.imaging.decode import Pixels, decode_file
from pipeline.progress import ProgressEvent, Report

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
    path: Path,
    records: Sequence[ImageRecord],
    root: Path,
    contract: ImageContract,
    report: Report,
) -> npt.NDArray[np.uint8]:
    """Decode images into the array file `path`, or open it when it is there already.

    Returns:
        uint8 array (images, height, width, 3) mapped from the file, so that a large dataset
        need not fit into memory.

    Raises:
        BadInput: an image is bad, or is not the one the dataset manifest lists.
    """
    if not is_whole(path, report):
        reader = ImageReader(
            [root / r.path for r in records], [r.sha256 for r in records], contract
        )
        shape = (len(records), *contract.input_shape[1:])
        with atomic_path(path) as temporary:
            array = allocate(temporary, np.uint8, shape)
            try:
                for done, image in enumerate(reader.pixels().as_numpy_iterator()):
                    array[done] = image
                    report(ProgressEvent("decode images", done + 1, len(records)))
            except tf.errors.OpError:
                if reader.refusal is not None:
                    raise reader.refusal from None
                raise
            array.flush()
            del array
        seal(path)
    pixels: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return pixels


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
