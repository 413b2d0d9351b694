"""Train from pretrained weights on cached features: the head, then the top blocks.

The fine-tuning may be done several times from the same head, each time with an order, mirrored
views and mixing of its own. The weights of these members are then averaged: they lie in one basin
of the loss, so the average answers much as the members together would, at the cost of one model.
Source: Wortsman et al. 2022, Model soups, arXiv 2203.05482. Child process only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline.metrics import Truth
from pipeline.progress import Report
from pipeline.training.distil import Pairs, mean_answers
from pipeline.training.features import Features
from pipeline.training.fit import Phase, class_weights, fit
from pipeline.training.input import batches
from pipeline.training.journal import Journal
from pipeline.training.model import Parts
from pipeline.training.predict import predictor
from pipeline.training.request import Settings

Rows = npt.NDArray[np.int64]
# Which random draw of an epoch is meant: each has a stream of its own.
_ORDER, _VIEW, _MIX, _PAIR = range(4)
# No member has this number.
_DISTIL = 1_000_000


@dataclass(frozen=True)
class Samples:
    """Hold the features of a split's images and their true classes, int64 (images,)."""

    features: Features
    truth: Truth


class Transfer:
    """Train the head and then the top blocks of a classifier on cached features."""

    def __init__(
        self,
        parts: Parts,
        settings: Settings,
        seed: int,
        train: Samples,
        held_out: Samples,
        journal: Journal,
        report: Report,
    ) -> None:
        self.parts, self.settings, self.seed = parts, settings, seed
        self.train, self.held_out = train, held_out
        self.journal, self.report = journal, report
        self.classes = int(parts.head.output.shape[-1])

    def run(self) -> None:
        """Train every phase, and leave the averaged weights in the model.

        Raises:
            BadInput: the loss is no longer a number.
        """
        fit(self.head(), self.journal, self.report)
        top = self.parts.top
        start = _values(top.variables)
        trained: list[list[npt.NDArray[Any]]] = []
        for member in range(1, self.settings.members + 1):
            _assign(top.variables, start)
            fit(self.finetune(member), self.journal, self.report)
            trained.append(_values(top.trainable_variables))
        averaged = [np.mean(values, axis=0) for values in zip(*trained, strict=True)]
        _assign(top.trainable_variables, averaged)
        if self.settings.distil_epochs:
            fit(self.distil(), self.journal, self.report)

    def head(self) -> Phase:
        """Return the phase that trains the dense layer alone."""
        head = self.parts.head
        return self._phase(
            "head",
            head,
            partial(head, training=True),
            self.settings.head_epochs,
            self.settings.head_learning_rate,
            lambda epoch: self._seen(self.train.features.pooled, tf.float32, epoch, 0),
            partial(predictor(head), self.held_out.features.pooled[0]),
            self.settings.model_copy(update={"keep": "best"}),
        )

    def finetune(self, member: int) -> Phase:
        """Return the phase that trains the blocks after the trunk; members count from 1."""
        body, head, top = self.parts.body, self.parts.head, self.parts.top
        return self._phase(
            finetune_name(member),
            top,
            lambda rows: head(body(rows, training=False), training=True),
            self.settings.epochs,
            self.settings.learning_rate,
            lambda epoch: self._seen(self.train.features.trunk, tf.float16, epoch, member),
            partial(predictor(top), self.held_out.features.trunk[0]),
            self.settings,
        )

    def distil(self) -> Phase:
        """Return the phase that teaches the model as it is the mean of its answers to all views."""
        body, head, top = self.parts.body, self.parts.head, self.parts.top
        views, images = self.train.features.trunk, len(self.train.truth)
        sets = [
            Pairs.draw(images, self._draw(number, 0, _PAIR))
            for number in range(self.settings.distil_sets)
        ]
        path = self.journal.files.mean_answers
        # A file of an earlier teacher of the same training is the same: everything is seeded.
        taught = mean_answers(path, predictor(top), views, sets, self.report)

        def seen(epoch: int) -> tf.data.Dataset:
            order = self._draw(epoch, _DISTIL, _ORDER).permutation(images)
            which = self._draw(epoch, _DISTIL, _VIEW).integers(len(views), size=images)
            number, size = epoch % len(sets), self.settings.batch_size

            def gather(rows: Rows) -> npt.NDArray[Any]:
                return np.concatenate(
                    [
                        sets[number].mixed(views[which[r]], rows[i : i + 1])
                        for i, r in enumerate(rows)
                    ]
                )

            aims = (taught[number][order], np.ones(images, np.float32))
            targets = tf.data.Dataset.from_tensor_slices(aims).batch(size)
            rows = batches(gather, order, size, tf.float32)
            return tf.data.Dataset.zip(rows, targets).map(lambda row, aim: (row[1], *aim))

        return self._phase(
            "distil",
            top,
            lambda rows: head(body(rows, training=False), training=True),
            self.settings.distil_epochs,
            self.settings.distil_learning_rate,
            seen,
            partial(predictor(top), self.held_out.features.trunk[0]),
            self.settings.model_copy(update={"label_smoothing": 0.0, "keep": "last"}),
        )

    def _phase(
        self,
        name: str,
        model: Any,
        forward: Callable[[tf.Tensor], tf.Tensor],
        epochs: int,
        learning_rate: float,
        samples: Callable[[int], tf.data.Dataset],
        validate: Any,
        settings: Settings,
    ) -> Phase:
        return Phase(
            name=name,
            model=model,
            forward=forward,
            settings=settings,
            epochs=epochs,
            learning_rate=learning_rate,
            steps=-(-len(self.train.truth) // self.settings.batch_size),
            batches=samples,
            validate=validate,
            truth=self.held_out.truth,
        )

    def _seen(
        self, source: Sequence[npt.NDArray[Any]], dtype: tf.DType, epoch: int, member: int
    ) -> tf.data.Dataset:
        truth, size = self.train.truth, self.settings.batch_size
        order = self._draw(epoch, member, _ORDER).permutation(len(truth))
        which = self._draw(epoch, member, _VIEW).integers(len(source), size=len(truth))

        def gather(rows: Rows) -> npt.NDArray[Any]:
            return np.stack([source[which[row]][row] for row in rows])

        weight = class_weights(truth, self.classes, self.settings.class_weight_power)
        one_hot = np.eye(self.classes, dtype=np.float32)[truth]
        targets = tf.data.Dataset.from_tensor_slices((one_hot[order], weight[order])).batch(size)
        rows = batches(gather, order, size, dtype)
        seen = tf.data.Dataset.zip(rows, targets).map(
            lambda row, target: (tf.cast(row[1], tf.float32), *target)
        )
        if not self.settings.mixup or member == 0:
            return seen
        alpha = self.settings.mixup
        share = self._draw(epoch, member, _MIX).beta(alpha, alpha, len(truth)).astype(np.float32)
        shares = tf.data.Dataset.from_tensor_slices(share).batch(size)
        return tf.data.Dataset.zip(seen, shares).map(
            lambda batch, part: tuple(_mixed(values, part) for values in batch)
        )

    def _draw(self, epoch: int, member: int, use: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, use, member])


def finetune_name(member: int) -> str:
    """Return the name of a member's phase; the first has none of its own."""
    return "finetune" if member == 1 else f"finetune-{member}"


def _mixed(values: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    # mixup (Zhang et al. 2018, arXiv 1710.09412) with the row at the mirrored place of the batch.
    part = tf.reshape(share, tf.concat([[-1], tf.ones(tf.rank(values) - 1, tf.int32)], axis=0))
    mixed = part * values + (1.0 - part) * tf.reverse(values, [0])
    mixed.set_shape(values.shape)
    return mixed


def _values(variables: Sequence[Any]) -> list[npt.NDArray[Any]]:
    return [np.array(variable) for variable in variables]


def _assign(variables: Sequence[Any], values: Sequence[npt.NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
