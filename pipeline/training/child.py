"""Run one training from images to a `.keras` file. Child process only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, assert_never

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline.contract.dataset import DatasetManifest, Split
from pipeline.contract.files import write_text_atomic
from pipeline.contract.image import ImageContract
from pipeline.contract.run import KERAS_MODEL_FILE, METRICS_FILE
from pipeline.errors import EnvironmentProblem, reason_of
from pipeline.metrics import Truth, measure
from pipeline.progress import ProgressEvent, Report
from pipeline.training.augment import flip_and_rotate
from pipeline.training.backbones import backbone
from pipeline.training.budget import Speed, Work, choose, views
from pipeline.training.calibrate import calibrate
from pipeline.training.calibration import Answers
from pipeline.training.features import cache_features
from pipeline.training.fit import Phase, class_weights, fit
from pipeline.training.input import batches, cache_pixels, normalized
from pipeline.training.job import PhaseSummary, TrainAnswer, TrainJob
from pipeline.training.journal import Journal, kept_epoch
from pipeline.training.model import (
    WHOLE_NETWORK_MOMENTUM,
    build,
    save,
    set_batch_norm_momentum,
    split_at_trunk,
)
from pipeline.training.predict import predictor
from pipeline.training.request import Settings
from pipeline.training.shards import ShardedPixels
from pipeline.training.speed import transfer_speed, whole_speed
from pipeline.training.transfer import Samples, Transfer


def train_child(request: TrainJob, report: Report) -> TrainAnswer:
    """Train, and write the model and its metrics to the folder `request.out`.

    Raises:
        BadInput: an image or the weights are refused, or the loss is no longer a number.
        EnvironmentProblem: a file cannot be written, or the weights cannot be downloaded.
    """
    try:
        return _Training(request, report).run()
    except OSError as error:
        raise EnvironmentProblem(
            "cannot read or write a file of the training",
            where=str(error.filename or request.state),
            got=reason_of(error),
            next_step="free disk space or mend the permissions, then rerun: the work resumes",
        ) from error


class _Training:
    def __init__(self, job: TrainJob, report: Report) -> None:
        self.since = time.monotonic()
        self.request, self.out = job.request, job.out
        self.backbone = backbone(self.request.backbone)
        self.settings: Settings = self.request.settings()
        self.image: ImageContract = self.request.image
        self.dataset = DatasetManifest.load(job.dataset)
        self.report = report
        self.journal = Journal(job.state, job.inputs_sha256, report)
        self.classes = len(self.dataset.labels)
        self.opened: dict[Split, ShardedPixels] = {}
        keras.utils.set_random_seed(self.request.seed)

    def run(self) -> TrainAnswer:
        """Train with the recipe's strategy, then measure and save the model."""
        model = build(
            self.backbone,
            self.image,
            self.request.width,
            self.request.weights,
            self.classes,
            self.settings.dropout,
        )
        match self.settings.strategy:
            case "transfer":
                self._transfer(model)
            case "seed" | "scratch":
                self._whole(model)
            case _:
                assert_never(self.settings.strategy)
        splits = [split for split in Split if self.dataset.of(split)]
        scaled = calibrate(model, splits, self._answers) if self.request.calibrate else None
        answers = {split: self._answers(model, split, "measure") for split in splits}
        calibration = None if scaled is None else scaled.compared_with(answers)
        metrics = {
            split.value: measure(
                one.truth, one.probabilities, self.dataset.labels.names
            ).model_copy(
                update={"calibration": calibration and calibration.splits.get(split.value)}
            )
            for split, one in answers.items()
        }
        write_text_atomic(
            self.out / METRICS_FILE,
            json.dumps({k: m.model_dump(mode="json") for k, m in metrics.items()}, indent=2) + "\n",
        )
        save(model, self.out / KERAS_MODEL_FILE)
        return TrainAnswer(
            phases=self._summary(),
            settings=self.settings,
            schedule=self.journal.schedule,
            parameters=int(model.count_params()),
            calibration=calibration,
        )

    def _whole(self, model: keras.Model) -> None:
        set_batch_norm_momentum(model, WHOLE_NETWORK_MOMENTUM)
        pixels, truth = self._pixels(Split.train), self._truth(Split.train)
        held_out = self._pixels(Split.validation)

        def augmented(epoch: int) -> tf.data.Dataset:
            order = self._shuffled(epoch, len(pixels))
            targets = self._targets(truth, order)
            images = batches(lambda rows: pixels[rows], order, self.settings.batch_size, tf.uint8)
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

        def phase() -> Phase:
            return Phase(
                name="whole",
                model=model,
                forward=partial(model, training=True),
                settings=self.settings,
                epochs=self.settings.epochs,
                learning_rate=self.settings.learning_rate,
                steps=-(-len(truth) // self.settings.batch_size),
                batches=augmented,
                validate=partial(predictor(model, self.image), held_out),
                truth=self._truth(Split.validation),
            )

        self._keep_to_budget(
            self._work(possible_views=1),
            lambda: whole_speed(model, self.image, pixels, phase(), self.journal, self.since),
        )
        fit(phase(), self.journal, self.report)

    def _transfer(self, model: keras.Model) -> None:
        if self.backbone.trunk_output is None:
            raise ValueError(f"{self.backbone.name} has no trunk to cache")
        parts = split_at_trunk(model, self.backbone.trunk_output)
        # Turning a picture by a right angle keeps its size only where it is square.
        possible = 8 if self.image.height_px == self.image.width_px else 4
        work = self._work(possible)
        self._keep_to_budget(
            work,
            lambda: transfer_speed(
                parts,
                self.image,
                self._pixels(Split.train),
                self._truth(Split.train),
                self.settings,
                self.journal,
                self.since,
            ),
        )
        samples = {
            split: Samples(
                cache_features(
                    self.journal.files,
                    split.value,
                    parts.trunk,
                    self._pixels(split),
                    shown,
                    self.image,
                    self.report,
                ),
                self._truth(split),
            )
            for split, shown in ((Split.train, views(self.settings, work)), (Split.validation, 1))
        }
        Transfer(
            parts,
            self.settings,
            self.request.seed,
            samples[Split.train],
            samples[Split.validation],
            self.journal,
            self.report,
        ).run()

    def _work(self, possible_views: int) -> Work:
        train = len(self.dataset.of(Split.train))
        return Work(
            train_images=train,
            validation_images=len(self.dataset.of(Split.validation)),
            images=len(self.dataset.images),
            steps=-(-train // self.settings.batch_size),
            possible_views=possible_views,
        )

    def _answers(self, model: keras.Model, split: Split, task: str) -> Answers:
        report = partial(_report_rows, self.report, f"{task} {split}")
        probabilities = predictor(model, self.image)(self._pixels(split), report)
        return Answers(self._truth(split), probabilities)

    def _keep_to_budget(self, work: Work, measure_speed: Callable[[], Speed]) -> None:
        """Take the settings that fit the budget, if there is one: chosen once, then kept."""
        budget = self.request.budget_minutes
        if budget is None:
            return
        schedule = self.journal.schedule
        if schedule is None:
            self.report(ProgressEvent("measure the speed", 0))
            schedule = choose(budget, self.settings, measure_speed(), work)
            self.journal.keep_schedule(schedule)
        self.settings = schedule.settings
        self.report(ProgressEvent("choose the schedule", 1, 1, schedule.summary()))

    def _pixels(self, split: Split) -> ShardedPixels:
        # Opening reads every record for its checksum.
        if split not in self.opened:
            stem = self.journal.files.pixels(split)
            records, root = self.dataset.of(split), Path(self.dataset.root)
            self.opened[split] = cache_pixels(stem, records, root, self.image, self.report)
        return self.opened[split]

    def _truth(self, split: Split) -> Truth:
        labels, records = self.dataset.labels, self.dataset.of(split)
        known = [labels.index(one.label) for one in records if one.label is not None]
        if len(known) != len(records):
            raise ValueError("photographs without labels train nothing")
        return np.array(known, dtype=np.int64)

    def _shuffled(self, epoch: int, count: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng([self.request.seed, epoch]).permutation(count)

    def _targets(self, truth: Truth, order: npt.NDArray[np.int64]) -> tf.data.Dataset:
        weight = class_weights(truth, self.classes, self.settings.class_weight_power)
        one_hot = np.eye(self.classes, dtype=np.float32)[truth[order]]
        pairs = tf.data.Dataset.from_tensor_slices((one_hot, weight[order]))
        return pairs.batch(self.settings.batch_size)

    def _summary(self) -> dict[str, PhaseSummary]:
        summary: dict[str, PhaseSummary] = {}
        for name in dict.fromkeys(epoch.phase for epoch in self.journal.history()):
            epochs = self.journal.phase(name).history
            best = kept_epoch(epochs, self.settings.keep)
            summary[name] = PhaseSummary(epochs=epochs[-1].epoch, best=best)
        return summary


def _report_rows(report: Report, task: str, done: int, total: int) -> None:
    report(ProgressEvent(task, done, total))
