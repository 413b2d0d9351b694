"""Measure how fast this machine trains, on real batches. Child process only."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice, repeat
from statistics import median
from typing import Any

import keras
import numpy as np

from pipeline.contract.image import ImageContract
from pipeline.metrics import Truth
from pipeline.progress import silent
from pipeline.training.budget import Speed
from pipeline.training.features import Features, trunk_function
from pipeline.training.fit import Phase, training_step
from pipeline.training.journal import Journal
from pipeline.training.model import Parts
from pipeline.training.predict import predictor
from pipeline.training.request import Settings
from pipeline.training.shards import ShardedPixels
from pipeline.training.transfer import Samples, Transfer

ROUNDS = 3
_BATCH = 32


def transfer_speed(
    parts: Parts,
    image: ImageContract,
    pixels: ShardedPixels,
    truth: Truth,
    settings: Settings,
    journal: Journal,
    since: float,
) -> Speed:
    """Measure the trunk on one batch, and both phases on a few batches of its features.

    Args:
        parts: of the classifier, which is left as it was.
        image: the contract.
        pixels: uint8 (images, height, width, 3), of the training images.
        truth: int64 (images,).
        settings: of the recipe.
        journal: of the training; nothing is written to it.
        since: `time.monotonic()` when the training began.
    """
    count = min(len(pixels), (ROUNDS + 1) * settings.batch_size)
    compute = trunk_function(parts.trunk, image)
    first = np.array(pixels[:_BATCH])
    image_s = seconds_each(lambda: compute(first)) / len(first)
    answers = [compute(pixels[at : min(at + _BATCH, count)]) for at in range(0, count, _BATCH)]
    trunk, pooled = (
        np.concatenate([np.array(rows) for rows in layer]) for layer in zip(*answers, strict=True)
    )
    few = Samples(Features([trunk.astype(np.float16)], [pooled]), truth[:count])
    transfer = Transfer(parts, settings, 0, few, few, journal, silent)
    start_s, step_s = step_seconds(transfer.finetune(1), journal)
    _, head_step_s = step_seconds(transfer.head(), journal)
    predict, rows = predictor(parts.top), few.features.trunk[0][:_BATCH]
    return Speed(
        start_s=start_s,
        step_s=step_s,
        head_step_s=head_step_s,
        image_s=image_s,
        validation_image_s=seconds_each(lambda: predict(rows)) / len(rows),
        spent_s=time.monotonic() - since,
    )


def whole_speed(
    model: keras.Model,
    image: ImageContract,
    pixels: ShardedPixels,
    phase: Phase,
    journal: Journal,
    since: float,
) -> Speed:
    """Measure the one phase of a network that is trained whole; see `transfer_speed`."""
    start_s, step_s = step_seconds(phase, journal)
    predict, rows = predictor(model, image), pixels[:_BATCH]
    image_s = seconds_each(lambda: predict(rows)) / len(rows)
    return Speed(
        start_s=start_s,
        step_s=step_s,
        head_step_s=0.0,
        image_s=image_s,
        validation_image_s=image_s,
        spent_s=time.monotonic() - since,
    )


def seconds_each(call: Callable[[], object]) -> float:
    """Return the median seconds of a call, after one that is not counted."""
    call()
    found = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        call()
        found.append(time.monotonic() - began)
    return median(found)


def step_seconds(phase: Phase, journal: Journal) -> tuple[float, float]:
    """Measure what a phase takes to start, and a later step of it, in seconds.

    The start is the first step and the first validation, with their tracing. The batches are
    those of the first epoch, from its first on as often as needed; the model is left as it was.
    """
    before = [np.array(variable) for variable in phase.model.variables]
    step = training_step(phase, journal)
    batches: list[Any] = list(islice(phase.batches(1), ROUNDS + 1))
    began = time.monotonic()
    step(*batches[0])
    phase.validate()
    start_s = time.monotonic() - began
    again = (batch for cycle in repeat(batches) for batch in cycle)
    each_s = seconds_each(lambda: step(*next(again)))
    for variable, value in zip(phase.model.variables, before, strict=True):
        variable.assign(value)
    return start_s, each_s
