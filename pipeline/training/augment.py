"""Turn and flip training images, the same way again for the same seed. Child process only."""

from __future__ import annotations

import math

import tensorflow as tf

MAX_ROTATION_DEGREES = 30.0


def flip_and_rotate(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Flip each image at random, both ways, then rotate it by up to 30 degrees either way.

    Args:
        images: (batch, height, width, channels), any numeric dtype.
        seed: int64 (2,); the same seed gives the same images.

    Returns:
        float32 images of the same shape and range: bilinear, the outside filled by reflection.
    """
    count = tf.shape(images)[0]
    draws = tf.random.stateless_uniform((3, count), seed)
    flipped = tf.cast(images, tf.float32)
    for axis, draw in ((2, draws[0]), (1, draws[1])):
        mirrored = tf.reverse(flipped, [axis])
        flipped = tf.where(draw[:, None, None, None] < 0.5, mirrored, flipped)
    return rotate(flipped, (2.0 * draws[2] - 1.0) * math.radians(MAX_ROTATION_DEGREES))


def rotate(images: tf.Tensor, angles: tf.Tensor) -> tf.Tensor:
    """Rotate about the centre.

    Args:
        images: float32 (batch, height, width, channels).
        angles: float32 (batch,), radians.

    Returns:
        float32 of the same shape.
    """
    size = tf.shape(images)[1:3]
    center_y = (tf.cast(size[0], tf.float32) - 1.0) / 2.0
    center_x = (tf.cast(size[1], tf.float32) - 1.0) / 2.0
    cos, sin = tf.cos(angles), tf.sin(angles)
    zero = tf.zeros_like(angles)
    # Output (x, y) reads the input at (a0 x + a1 y + a2, b0 x + b1 y + b2).
    transforms = tf.stack(
        [
            cos,
            -sin,
            center_x - cos * center_x + sin * center_y,
            sin,
            cos,
            center_y - sin * center_x - cos * center_y,
            zero,
            zero,
        ],
        axis=1,
    )
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
