"""Compute a frozen trunk's features once, for every flipped view. Child process only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline.contract.files import atomic_path
from pipeline.contract.image import ImageContract
from pipeline.contract.run import TrainingState
from pipeline.contract.sealed import is_whole, seal
from pipeline.progress import ProgressEvent, Report
from pipeline.training.input import allocate, batches, normalized
from pipeline.training.shards import ShardedPixels

_BATCH = 32


@dataclass(frozen=True)
class Features:
    """Hold the features of some images in some views, mapped from files.

    Attributes:
        trunk: per view, float16 (images, height, width, channels) of the trunk's output.
        pooled: per view, float32 (images, features) of the average pooling.
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


def trunk_function(trunk: keras.Model, image: ImageContract) -> Callable[[Any], Any]:
    """Return the function from uint8 (batch, height, width, 3) to (trunk, pooled features)."""

    def features(images: tf.Tensor) -> Any:
        return trunk(normalized(images, image), training=False)

    traced: Callable[[Any], Any] = tf.function(
        features, input_signature=[tf.TensorSpec(trunk.input.shape, tf.uint8)]
    )
    return traced


def cache_features(
    files: TrainingState,
    split: str,
    trunk: keras.Model,
    pixels: ShardedPixels,
    views: int,
    image: ImageContract,
    report: Report,
) -> Features:
    """Compute the features of each view, or open those computed before a kill.

    Args:
        files: name the arrays; each is renamed into place when whole.
        split: of the images.
        trunk: a model from the image to (trunk features, pooled features).
        pixels: of the images.
        views: how many views, from number 0 on.
        image: the contract.
        report: gets the progress, batch by batch.
    """
    found = Features([], [])
    total = views * len(pixels)

    compute = trunk_function(trunk, image)
    for number in range(views):
        trunk_file = files.features(split, number, "trunk")
        pooled_file = files.features(split, number, "pooled")
        if not (is_whole(pooled_file, report) and is_whole(trunk_file, report)):
            shapes = [(len(pixels), *output.shape[1:]) for output in trunk.outputs]
            with atomic_path(pooled_file) as pooled_path, atomic_path(trunk_file) as trunk_path:
                pooled = allocate(pooled_path, np.float32, shapes[1])
                middle = allocate(trunk_path, np.float16, shapes[0])
                flipped = batches(
                    lambda rows, number=number: view(pixels[rows], number),  # type: ignore[misc]
                    np.arange(len(pixels)),
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
                            f"compute features ({split})", number * len(pixels) + done, total
                        )
                    )
                middle.flush()
                pooled.flush()
            seal(trunk_file)
            seal(pooled_file)
        found.trunk.append(np.load(trunk_file, mmap_mode="r"))
        found.pooled.append(np.load(pooled_file, mmap_mode="r"))
    return found
