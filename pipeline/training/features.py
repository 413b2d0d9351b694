"""Compute a frozen trunk's features once, for every flipped view. Child process only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline.contract.files import atomic_path
from pipeline.contract.image import ImageContract
from pipeline.progress import ProgressEvent, Report
from pipeline.training.input import allocate, batches, normalized

_BATCH = 32


@dataclass(frozen=True)
class Features:
    """Hold the features of some images in some views, mapped from files.

    Attributes:
        trunk: per view, float16 (images, height, width, channels) of the trunk's output.
        pooled: per view, float32 (images, 1280), for widths up to 1.
    """

    trunk: list[npt.NDArray[np.float16]]
    pooled: list[npt.NDArray[np.float32]]


def view(images: npt.NDArray[np.uint8], number: int) -> npt.NDArray[np.uint8]:
    """Return one of the eight mirrored and turned views of images (batch, height, width, 3).

    0 is the image itself, bit 0 mirrors left and right, bit 1 top and bottom, and bit 2 swaps
    rows and columns, which only a square image may.
    """
    if number & 1:
        images = images[:, :, ::-1]
    if number & 2:
        images = images[:, ::-1]
    if number & 4:
        images = images.transpose(0, 2, 1, 3)
    return images


def cache_features(
    folder: Path,
    name: str,
    trunk: keras.Model,
    levels: npt.NDArray[np.uint8],
    views: int,
    image: ImageContract,
    report: Report,
) -> Features:
    """Compute the features of each view, or open those computed before a kill.

    Args:
        folder: where the files `<name>-<view>-trunk.npy` and `<name>-<view>-pooled.npy` live;
            each is renamed into place when whole.
        name: of the images, for the file names and the progress.
        trunk: a model from the image to (trunk features, pooled features).
        levels: uint8 (images, height, width, 3).
        views: how many views, from number 0 on.
        image: the contract.
        report: told of each batch.
    """
    found = Features([], [])
    total = views * len(levels)

    def features(images: tf.Tensor) -> Any:
        return trunk(normalized(images, image), training=False)

    compute = tf.function(features, input_signature=[tf.TensorSpec(trunk.input.shape, tf.uint8)])

    for number in range(views):
        trunk_file = folder / f"{name}-{number}-trunk.npy"
        pooled_file = folder / f"{name}-{number}-pooled.npy"
        # The pooled file is renamed last: where it is, both are whole.
        if not pooled_file.exists():
            shapes = [(len(levels), *output.shape[1:]) for output in trunk.outputs]
            with atomic_path(pooled_file) as pooled_path, atomic_path(trunk_file) as trunk_path:
                pooled = allocate(pooled_path, np.float32, shapes[1])
                middle = allocate(trunk_path, np.float16, shapes[0])
                flipped = batches(
                    lambda rows, number=number: view(levels[rows], number),  # type: ignore[misc]
                    np.arange(len(levels)),
                    _BATCH,
                    tf.uint8,
                )
                done = 0
                for _, images in flipped:
                    rows = slice(done, done + len(images))
                    middle[rows], pooled[rows] = (output.numpy() for output in compute(images))
                    done += len(images)
                    report(
                        ProgressEvent(
                            f"compute features ({name})", number * len(levels) + done, total
                        )
                    )
                middle.flush()
                pooled.flush()
        found.trunk.append(np.load(trunk_file, mmap_mode="r"))
        found.pooled.append(np.load(pooled_file, mmap_mode="r"))
    return found
