"""Teach a model the mean of its own answers to all views of an image. Child process only.

A model answers the mirrored views of an image a little differently, and the mean of these answers
is better than each. On the training images themselves it would teach little, since the model knows
them by heart; so images are mixed in pairs, and teacher and student see the same mix. Source: Beyer
et al. 2022, Knowledge distillation: A good teacher is patient and consistent, arXiv 2106.05237.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.files import atomic_path
from pipeline.contract.sealed import is_whole, seal
from pipeline.metrics import Probabilities
from pipeline.progress import ProgressEvent, Report
from pipeline.training.input import allocate
from pipeline.training.predict import Predictor

Rows = npt.NDArray[np.int64]
Views = Sequence[npt.NDArray[Any]]

_CHUNK = 256


@dataclass(frozen=True)
class Pairs:
    """Say what each image is mixed with: int64 (images,), and its own share, float32, 0 to 1."""

    partner: Rows
    share: npt.NDArray[np.float32]

    @classmethod
    def draw(cls, images: int, random: np.random.Generator) -> Pairs:
        """Draw a partner for each image, and shares evenly from 0 to 1."""
        return cls(random.permutation(images), random.random(images, dtype=np.float32))

    def mixed(self, view: npt.NDArray[Any], rows: Rows) -> npt.NDArray[np.float32]:
        """Return the mixed features of some images, float32 (rows, ...)."""
        own, other = (view[which].astype(np.float32) for which in (rows, self.partner[rows]))
        share = self.share[rows].reshape(-1, *[1] * (own.ndim - 1))
        mixed: npt.NDArray[np.float32] = share * own + (np.float32(1) - share) * other
        return mixed


def mean_answers(
    path: Path, predict: Predictor, views: Views, pairs: Sequence[Pairs], report: Report
) -> Probabilities:
    """Compute what the teacher answers to each mix, averaged over the views.

    Args:
        path: the file that holds the answers; it is opened when it is there and whole.
        predict: the teacher.
        views: of the training images, (images, ...) each.
        pairs: one set of mixes each.
        report: gets the progress.

    Returns:
        float32 (sets, images, classes), mapped from the file.
    """
    if not is_whole(path, report):
        images = len(views[0])
        classes = predict(pairs[0].mixed(views[0], np.arange(1))).shape[1]
        total = len(pairs) * len(views) * images
        with atomic_path(path) as temporary:
            found = allocate(temporary, np.float32, (len(pairs), images, classes))
            done = 0
            for number, one in enumerate(pairs):
                for view in views:
                    for start in range(0, images, _CHUNK):
                        rows = np.arange(start, min(start + _CHUNK, images))
                        found[number, rows] += predict(one.mixed(view, rows)) / len(views)
                        done += len(rows)
                        report(ProgressEvent("average the views' answers", done, total))
            found.flush()
            del found
        seal(path)
    answers: Probabilities = np.load(path, mmap_mode="r")
    return answers
