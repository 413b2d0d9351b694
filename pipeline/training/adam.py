"""Step the weights with Adam, one TensorFlow kernel for each of them. Child process only.

Keras' optimizers spend about twenty small operations on a weight; for this network that doubles
the seconds a training step takes to trace and, on small images, triples its run time. This is
the same arithmetic in TensorFlow's fused kernel, tested equal to Keras'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

_BETA_1 = 0.9
_BETA_2 = 0.999
_EPSILON = 1e-7
_NOT_DECAYED = ("bias", "beta", "gamma")


class Adam:
    """Hold Adam's moments and step count for a list of Keras variables.

    Source: Kingma and Ba 2015, arXiv 1412.6980; with decoupled weight decay (Loshchilov and
    Hutter 2019, arXiv 1711.05101) where `weight_decay` is not 0, for kernels only.
    """

    def __init__(self, weights: Sequence[Any], weight_decay: float) -> None:
        self._weights = list(weights)
        self._weight_decay = weight_decay
        self.steps = tf.Variable(0, dtype=tf.int64, name="steps")
        self._first = [tf.Variable(tf.zeros(w.shape)) for w in self._weights]
        self._second = [tf.Variable(tf.zeros(w.shape)) for w in self._weights]

    @property
    def variables(self) -> list[tf.Variable]:
        """Return everything a resumed training needs, in a fixed order."""
        return [self.steps, *self._first, *self._second]

    def apply(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor) -> None:
        """Step every weight once; `learning_rate` is a float32 scalar."""
        count = tf.cast(self.steps.assign_add(1), tf.float32)
        powers = tf.pow(_BETA_1, count), tf.pow(_BETA_2, count)
        for weight, gradient, first, second in zip(
            self._weights, gradients, self._first, self._second, strict=True
        ):
            variable = weight.value
            if self._weight_decay and weight.name not in _NOT_DECAYED:
                variable.assign_sub(learning_rate * self._weight_decay * variable)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=learning_rate,
                beta1=_BETA_1,
                beta2=_BETA_2,
                epsilon=_EPSILON,
                grad=gradient,
            )


def warmup_cosine(step: tf.Tensor, steps: int, peak: float) -> tf.Tensor:
    """Return the learning rate of a step, float32: a straight rise, then half a cosine.

    Args:
        step: int64 scalar, from 0.
        steps: of the whole phase; the rise takes a twentieth of them.
        peak: the highest rate; the last is a hundredth of it.
    """
    warm_up = max(1, steps // 20)
    at = tf.cast(step, tf.float32)
    rise = peak * (at + 1.0) / warm_up
    turn = math.pi * tf.clip_by_value((at - warm_up) / max(1, steps - warm_up), 0.0, 1.0)
    fall = peak * (0.01 + 0.99 * 0.5 * (1.0 + tf.cos(turn)))
    return tf.where(at < warm_up, rise, fall)
