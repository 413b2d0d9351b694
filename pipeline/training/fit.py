"""Train one phase, epoch by epoch, so that it can be ended at any moment. Child process only.

What a resumed training equals: order, augmentation and learning rate of an epoch follow from the
seed and the epoch's number alone, and the checkpoint of an epoch holds weights, optimizer,
averages and the dropout generators. An epoch that was cut short is done again from its start. So
a training that was killed and resumed computes what an undisturbed one computes, up to the
rounding of TensorFlow's multi-threaded sums.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline.errors import BadInput
from pipeline.metrics import Probabilities, Truth, balanced_accuracy, confusion_matrix
from pipeline.progress import ProgressEvent, Report, silent
from pipeline.training.adam import Adam, warmup_cosine
from pipeline.training.journal import (
    Epoch,
    Journal,
    PhaseState,
    kept_epoch,
    load_variables,
    save_variables,
)
from pipeline.training.request import Settings

_REPORT_EVERY_S = 0.5


@dataclass(frozen=True)
class Phase:
    """Say what a phase trains, on what, and how it is judged.

    `forward(rows)` gives probabilities as training computes them, with dropout. `batches(epoch)`
    gives (rows, truth float32 (batch, classes), weight float32 (batch,)), with epochs counted
    from 1. `validate()` gives the validation probabilities of the model as it is.
    """

    name: str
    model: keras.Model
    forward: Callable[[tf.Tensor], tf.Tensor]
    settings: Settings
    epochs: int
    learning_rate: float
    steps: int
    batches: Callable[[int], tf.data.Dataset]
    validate: Callable[[], Probabilities]
    truth: Truth


def fit(phase: Phase, journal: Journal, report: Report) -> None:
    """Train a phase to its end, from where the journal says, and leave the weights it keeps.

    Raises:
        BadInput: the loss is no longer a number.
    """
    state = journal.phase(phase.name)
    if not state.finished:
        state = _Trainer(phase, journal, report).run(state)
    assert state.best is not None, "epoch 0 is always measured"
    load_variables(journal.files.folder / state.best, phase.model.variables)


def training_step(phase: Phase, journal: Journal) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Return the step that `fit` takes: from a batch to its loss and hits; it steps the weights."""
    step: Callable[..., tuple[tf.Tensor, tf.Tensor]] = _Trainer(phase, journal, silent).step
    return step


class _Trainer:
    def __init__(self, phase: Phase, journal: Journal, report: Report) -> None:
        self.phase, self.journal, self.report = phase, journal, report
        self.model, self.keep = phase.model, phase.settings.keep
        self.weights = list(phase.model.trainable_variables)
        self.optimizer = Adam(self.weights, phase.settings.weight_decay)
        self.averages = (
            [tf.Variable(w) for w in self.weights] if phase.settings.average_decay else []
        )
        classes = self.model.output.shape[-1]
        # One signature for whole and for last batches: tracing this takes seconds.
        self.step = tf.function(
            self._step,
            input_signature=[
                tf.TensorSpec(self.model.input.shape, tf.float32),
                tf.TensorSpec((None, classes), tf.float32),
                tf.TensorSpec((None,), tf.float32),
            ],
        )
        self.start: float | None = None
        self.first_step = 0

    def run(self, state: PhaseState) -> PhaseState:
        logs = self.journal.files.tensorboard / self.phase.name
        self.summary = tf.summary.create_file_writer(str(logs))
        if state.checkpoint is None:
            state = self._commit(state, 0, None, None)
        else:
            load_variables(self.journal.files.folder / state.checkpoint, self._checkpointed())
        done = state.history[-1].epoch
        for epoch in range(done + 1, self.phase.epochs + 1):
            if epoch - kept_epoch(state.history, self.keep).epoch > self.phase.settings.patience:
                break
            state = self._commit(state, epoch, *self._train(epoch, state.history[-1]))
        state = state.model_copy(update={"finished": True, "checkpoint": None})
        self.journal.write(self.phase.name, state)
        self.summary.close()
        return state

    def _train(self, epoch: int, last: Epoch) -> tuple[float, float]:
        losses, hits, seen, reported_s = 0.0, 0.0, 0, 0.0
        for number, batch in enumerate(self.phase.batches(epoch), start=1):
            loss, correct = self.step(*batch)
            if not np.isfinite(loss):
                raise BadInput(
                    f"the training diverged: the loss of epoch {epoch}, batch {number} of the "
                    f"{self.phase.name} phase is not a number",
                    expected="a finite loss",
                    got=str(float(loss)),
                    next_step=f"lower the learning rate (it is {self.phase.learning_rate:g})",
                )
            size = len(batch[2])
            losses, hits, seen = losses + float(loss) * size, hits + float(correct), seen + size
            if time.monotonic() - reported_s > _REPORT_EVERY_S or number == self.phase.steps:
                reported_s = time.monotonic()
                self._report(epoch, number, losses / seen, hits / seen, last)
        return losses / seen, hits / seen

    def _report(self, epoch: int, number: int, loss: float, accuracy: float, last: Epoch) -> None:
        done = (epoch - 1) * self.phase.steps + number
        total = self.phase.epochs * self.phase.steps
        now = time.monotonic()
        if self.start is None:
            # The first step traces the graph, which says nothing about the others.
            self.start, self.first_step = now, done
        spent_s, steps = now - self.start, done - self.first_step
        left = (
            f"{_duration(spent_s / steps * (total - done))} left" if steps else "time left unknown"
        )
        self.report(
            ProgressEvent(
                f"train {self.phase.name}",
                done,
                total,
                f"epoch {epoch}/{self.phase.epochs}, loss {loss:.3f}, accuracy {accuracy:.3f}, "
                f"validation {last.val_accuracy:.3f} (balanced {last.val_balanced_accuracy:.3f}), "
                + left,
            )
        )

    def _step(
        self, rows: tf.Tensor, truth: tf.Tensor, weight: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            probability = self.phase.forward(rows)
            losses = keras.losses.categorical_crossentropy(
                truth, probability, label_smoothing=self.phase.settings.label_smoothing
            )
            loss = tf.reduce_mean(weight * losses)
        self.optimizer.apply(tape.gradient(loss, self.weights), self._rate())
        # The average follows closely at first: it starts from weights nobody has trained.
        steps = tf.cast(self.optimizer.steps, tf.float32)
        decay = tf.minimum(self.phase.settings.average_decay, (1.0 + steps) / (10.0 + steps))
        for average, value in zip(self.averages, self.weights, strict=False):
            average.assign(decay * average + (1.0 - decay) * value)
        hits = tf.equal(tf.argmax(probability, axis=1), tf.argmax(truth, axis=1))
        return loss, tf.reduce_sum(tf.cast(hits, tf.float32))

    def _rate(self) -> tf.Tensor:
        peak, steps = self.phase.learning_rate, self.phase.epochs * self.phase.steps
        if self.phase.settings.schedule == "constant":
            return tf.constant(peak, tf.float32)
        return warmup_cosine(self.optimizer.steps, steps, peak)

    def _commit(
        self, state: PhaseState, epoch: int, loss: float | None, accuracy: float | None
    ) -> PhaseState:
        name, files = self.phase.name, self.journal.files
        best = state.best
        with self._averaged():
            row = self._measure(epoch, loss, accuracy)
            if kept_epoch((*state.history, row), self.keep) is row:
                best_file = files.checkpoint(name, epoch, best=True)
                save_variables(best_file, self.model.variables)
                best = best_file.name
        checkpoint = files.checkpoint(name, epoch)
        save_variables(checkpoint, self._checkpointed())
        state = PhaseState(history=(*state.history, row), checkpoint=checkpoint.name, best=best)
        self.journal.write(name, state)
        with self.summary.as_default(step=epoch):
            for figure, value in row.model_dump(exclude={"phase", "epoch"}).items():
                if value is not None:
                    tf.summary.scalar(figure, value)
        return state

    def _measure(self, epoch: int, loss: float | None, accuracy: float | None) -> Epoch:
        probabilities, truth = self.phase.validate(), self.phase.truth
        predicted = probabilities.argmax(axis=1).astype(np.int64)
        of_truth = probabilities[np.arange(len(truth)), truth].astype(np.float64)
        confusion = confusion_matrix(truth, predicted, probabilities.shape[1])
        return Epoch(
            phase=self.phase.name,
            epoch=epoch,
            loss=loss,
            accuracy=accuracy,
            val_loss=float(-np.log(np.maximum(of_truth, 1e-12)).mean()),
            val_accuracy=float((predicted == truth).mean()),
            val_balanced_accuracy=balanced_accuracy(confusion),
        )

    def _checkpointed(self) -> list[Any]:
        return [*self.model.variables, *self.optimizer.variables, *self.averages]

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        if not self.averages:
            yield
            return
        trained = [w.numpy() for w in self.weights]
        for weight, average in zip(self.weights, self.averages, strict=True):
            weight.assign(average)
        try:
            yield
        finally:
            for weight, value in zip(self.weights, trained, strict=True):
                weight.assign(value)


def class_weights(truth: Truth, classes: int, power: float) -> npt.NDArray[np.float32]:
    """Return one weight for each sample, mean 1: (n / (classes * n_class)) ** power, scaled."""
    counts = np.bincount(truth, minlength=classes)
    weight = (len(truth) / (classes * counts[truth])) ** power
    scaled: npt.NDArray[np.float32] = (weight / weight.mean()).astype(np.float32)
    return scaled


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
