"""Walk one training from images to a `.keras` file. Child process only."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline.contract.dataset import DatasetManifest, Split
from pipeline.contract.files import write_text_atomic
from pipeline.contract.image import ImageContract
from pipeline.errors import EnvironmentProblem
from pipeline.metrics import Truth, measure
from pipeline.progress import ProgressEvent, Report
from pipeline.training.augment import flip_and_rotate
from pipeline.training.features import cache_features
from pipeline.training.fit import Phase, class_weights, fit
from pipeline.training.input import batches, cache_levels, normalized
from pipeline.training.journal import Journal
from pipeline.training.model import build, divide, follow_closely, save
from pipeline.training.predict import predictor
from pipeline.training.request import Settings, TrainRequest

Levels = npt.NDArray[np.uint8]

_FEWEST_VIEWS = 2


def train_child(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Train, and write `model.keras` and `metrics.json` to the folder `request["out"]`.

    The request holds request (a TrainRequest), dataset (the manifest's file), inputs_sha256,
    state (the folder of unfinished work) and out. The result is the history's summary.

    Raises:
        BadInput: an image or the weights are refused, or the loss is no longer a number.
        EnvironmentProblem: a file cannot be written, or the weights cannot be downloaded.
    """
    try:
        return _Training(request, report).run(Path(request["out"]))
    except OSError as error:
        raise EnvironmentProblem(
            "cannot read or write a file of the training",
            where=str(error.filename or request["state"]),
            got=str(error),
            next_step="free disk space or mend the permissions, then rerun: the work resumes",
        ) from error


class _Training:
    def __init__(self, request: dict[str, Any], report: Report) -> None:
        self.request = TrainRequest.model_validate(request["request"])
        self.settings: Settings = self.request.settings()
        self.image: ImageContract = self.request.image
        self.dataset = DatasetManifest.load(Path(request["dataset"]))
        self.report = report
        self.journal = Journal(Path(request["state"]), request["inputs_sha256"])
        self.classes = len(self.dataset.labels)
        keras.utils.set_random_seed(self.request.seed)

    def run(self, out: Path) -> dict[str, Any]:
        """Train in the way of the recipe, then save and measure the model."""
        model = build(
            self.image,
            self.request.width,
            self.request.weights,
            self.classes,
            self.settings.dropout,
        )
        if self.settings.way == "transfer":
            self._transfer(model)
        else:
            self._whole(model)
        metrics, answer = {}, predictor(model, self.image)
        for split in Split:
            if self.dataset.of(split):
                report = partial(_report_rows, self.report, f"measure {split}")
                answers = answer(self._levels(split), report)
                metrics[split.value] = measure(
                    self._truth(split), answers, self.dataset.labels.names
                )
        write_text_atomic(
            out / "metrics.json",
            json.dumps({k: m.model_dump(mode="json") for k, m in metrics.items()}, indent=2) + "\n",
        )
        save(model, out / "model.keras")
        return {"phases": self._summary(), "parameters": int(model.count_params())}

    def _whole(self, model: keras.Model) -> None:
        follow_closely(model)
        levels, truth = self._levels(Split.train), self._truth(Split.train)
        held_out = self._levels(Split.validation)

        def augmented(epoch: int) -> tf.data.Dataset:
            order = self._shuffled(epoch, len(levels))
            targets = self._targets(truth, order)
            images = batches(lambda rows: levels[rows], order, self.settings.batch_size, tf.uint8)
            seed = self.request.seed

            def prepare(numbered: Any, target: Any) -> tuple[tf.Tensor, ...]:
                number, rows = numbered
                draw = tf.stack([tf.cast(seed, tf.int64), epoch * 1_000_000 + number])
                return (normalized(flip_and_rotate(rows, draw), self.image), *target)

            return (
                tf.data.Dataset.zip(images, targets)
                .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
                .prefetch(tf.data.AUTOTUNE)
            )

        self._fit(
            "whole",
            model,
            partial(model, training=True),
            self.settings.epochs,
            self.settings.learning_rate,
            augmented,
            partial(predictor(model, self.image), held_out),
        )

    def _transfer(self, model: keras.Model) -> None:
        parts = divide(model)
        # Turning a picture by a right angle keeps its size only where it is square.
        possible = 8 if self.image.height_px == self.image.width_px else 4
        count = len(self.dataset.of(Split.train))
        views = min(possible, max(_FEWEST_VIEWS, self.settings.cached_images // count))
        cached = {
            split: cache_features(
                self.journal.folder,
                split.value,
                parts.trunk,
                self._levels(split),
                shown,
                self.image,
                self.report,
            )
            for split, shown in ((Split.train, views), (Split.validation, 1))
        }
        train, held_out = cached[Split.train], cached[Split.validation]
        truth = self._truth(Split.train)

        def seen(source: list[Any], dtype: tf.DType, epoch: int) -> tf.data.Dataset:
            order = self._shuffled(epoch, len(truth))
            which = np.random.default_rng([self.request.seed, epoch, 1]).integers(
                views, size=len(truth)
            )

            def gather(rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
                return np.stack([source[which[row]][row] for row in rows])

            rows = batches(gather, order, self.settings.batch_size, dtype)
            return tf.data.Dataset.zip(rows, self._targets(truth, order)).map(
                lambda image, target: (tf.cast(image[1], tf.float32), *target)
            )

        self._fit(
            "head",
            parts.head,
            partial(parts.head, training=True),
            self.settings.head_epochs,
            self.settings.head_learning_rate,
            lambda epoch: seen(train.pooled, tf.float32, epoch),
            partial(predictor(parts.head), held_out.pooled[0]),
        )
        self._fit(
            "finetune",
            parts.top,
            lambda rows: parts.head(parts.body(rows, training=False), training=True),
            self.settings.epochs,
            self.settings.learning_rate,
            lambda epoch: seen(train.trunk, tf.float16, epoch),
            partial(predictor(parts.top), held_out.trunk[0]),
        )

    def _fit(
        self,
        name: str,
        model: keras.Model,
        forward: Any,
        epochs: int,
        learning_rate: float,
        samples: Any,
        validate: Any,
    ) -> None:
        fit(
            Phase(
                name=name,
                model=model,
                forward=forward,
                settings=self.settings,
                epochs=epochs,
                learning_rate=learning_rate,
                steps=-(-len(self._truth(Split.train)) // self.settings.batch_size),
                batches=samples,
                answer=validate,
                truth=self._truth(Split.validation),
            ),
            self.journal,
            self.report,
        )

    def _levels(self, split: Split) -> Levels:
        path = self.journal.folder / f"{split}-levels.npy"
        records, root = self.dataset.of(split), Path(self.dataset.root)
        return cache_levels(path, records, root, self.image, self.report)

    def _truth(self, split: Split) -> Truth:
        labels = self.dataset.labels
        return np.array([labels.index(r.label) for r in self.dataset.of(split)], dtype=np.int64)

    def _shuffled(self, epoch: int, count: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng([self.request.seed, epoch]).permutation(count)

    def _targets(self, truth: Truth, order: npt.NDArray[np.int64]) -> tf.data.Dataset:
        weight = class_weights(truth, self.classes, self.settings.class_weight_power)
        one_hot = np.eye(self.classes, dtype=np.float32)[truth[order]]
        pairs = tf.data.Dataset.from_tensor_slices((one_hot, weight[order]))
        return pairs.batch(self.settings.batch_size)

    def _summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = {}
        for name in dict.fromkeys(epoch.phase for epoch in self.journal.history()):
            epochs = self.journal.phase(name).history
            best = max(epochs, key=lambda epoch: epoch.score)
            summary[name] = {"epochs": epochs[-1].epoch, "best": best.model_dump(mode="json")}
        return summary


def _report_rows(report: Report, task: str, done: int, total: int) -> None:
    report(ProgressEvent(task, done, total))
