"""Compare training recipes over repeated grouped splits of one folder of labelled images.

Usage: uv run python -m benchmarks.training SRC OUT --weights FILE [--splits 5] [--recipes NAME...]

Each split is what `pipeline data prepare SRC --seed K` makes (70% train, 15% validation, 15% test,
a lesion in one of them). The trunk is frozen, so its features are the same for every split: they
are computed once, into OUT, and each recipe then runs `pipeline.training.transfer` on them as
`pipeline train` does. OUT/rows.jsonl gets a line a training and OUT/answers its probabilities; what
is there already is not done again. The table is of validation and test together: recipes that
keep the last epoch chose nothing on either, a recipe that keeps the best epoch chose it on
validation, so for such a one read the column of the test split.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy.stats import t as student

from pipeline.contract.choices import HELD_OUT
from pipeline.contract.dataset import DatasetManifest, ImageRecord, Split
from pipeline.contract.image import ImageContract
from pipeline.contract.run import RunDir, TrainingState
from pipeline.data.prepare import prepare
from pipeline.metrics import balanced_accuracy, confusion_matrix
from pipeline.progress import ProgressEvent, silent
from pipeline.training.backbones import DEFAULT, backbone
from pipeline.training.features import Features, cache_features
from pipeline.training.input import cache_pixels
from pipeline.training.journal import Journal
from pipeline.training.model import build, split_at_trunk
from pipeline.training.predict import predictor
from pipeline.training.request import Settings, TrainRequest
from pipeline.training.transfer import Samples, Transfer

VIEWS = 8
# The default recipe as it was before the table was made, whatever it is now.
TODAY = Settings(
    strategy="transfer",
    batch_size=32,
    epochs=12,
    learning_rate=2e-4,
    head_epochs=20,
    head_learning_rate=1e-3,
    patience=6,
    schedule="warmup-cosine",
    weight_decay=1e-3,
    dropout=0.3,
    label_smoothing=0.1,
    class_weight_power=0.5,
    average_decay=0.99,
    cached_images=12_000,
)
_FIXED = {"keep": "last", "cached_images": 16_000}
RECIPES: dict[str, dict[str, Any]] = {
    "today": {},
    "head only": {"epochs": 1, "learning_rate": 1e-9},
    "last epoch": {**_FIXED},
    "mixup 0.2": {**_FIXED, "mixup": 0.2},
    "mixup 0.2, rate 5e-4": {**_FIXED, "mixup": 0.2, "learning_rate": 5e-4},
    "rate 5e-4": {**_FIXED, "learning_rate": 5e-4},
    "24 epochs": {**_FIXED, "epochs": 24},
    "24 epochs, mixup 0.2": {**_FIXED, "epochs": 24, "mixup": 0.2},
    "weights 0.75": {**_FIXED, "class_weight_power": 0.75},
    "no smoothing": {**_FIXED, "label_smoothing": 0.0},
    "2 averaged": {**_FIXED, "members": 2},
    "weights 0.75, views distilled": {
        **_FIXED,
        "class_weight_power": 0.75,
        "distil_epochs": 12,
    },
    "mixup 0.2, weights 0.75, views distilled": {
        **_FIXED,
        "mixup": 0.2,
        "class_weight_power": 0.75,
        "distil_epochs": 12,
    },
    "4 averaged": {**_FIXED, "members": 4},
    "mixup 0.2, weights 0.75": {**_FIXED, "mixup": 0.2, "class_weight_power": 0.75},
    "2 averaged, mixup 0.2, weights 0.75": {
        **_FIXED,
        "members": 2,
        "mixup": 0.2,
        "class_weight_power": 0.75,
    },
    "4 averaged, mixup 0.2, weights 0.75": {
        **_FIXED,
        "members": 4,
        "mixup": 0.2,
        "class_weight_power": 0.75,
    },
}


@dataclass(frozen=True)
class Everything:
    """Hold the features of all images, in the order of their paths."""

    rows: dict[str, int]
    features: Features

    def of(self, records: list[ImageRecord], views: int) -> Features:
        """Return some images' features in the first views."""
        which = np.array([self.rows[record.path] for record in records])
        return Features(
            trunk=[view[which] for view in self.features.trunk[:views]],
            pooled=[view[which] for view in self.features.pooled[:views]],
        )


def tell(event: ProgressEvent) -> None:
    """Print a line every tenth of a task."""
    if event.total and event.done % max(1, event.total // 10) == 0:
        print(f"{time.strftime('%H:%M:%S')} {event.task} {event.done}/{event.total}", flush=True)


def network(weights: str, classes: int, dropout: float) -> keras.Model:
    """Build the classifier as `pipeline train` does."""
    return build(backbone(DEFAULT), ImageContract(), 1.0, weights, classes, dropout)


def everything(out: Path, dataset: DatasetManifest, weights: str, views: int) -> Everything:
    """Compute the trunk's features of every image, or open those that are there."""
    files = TrainingState(out / "features")
    files.folder.mkdir(parents=True, exist_ok=True)
    records = sorted(dataset.images, key=lambda record: record.path)
    image = ImageContract()
    pixels = cache_pixels(files.pixels("all"), records, Path(dataset.root), image, tell)
    model = network(weights, len(dataset.labels), 0.0)
    trunk_output = backbone(DEFAULT).trunk_output
    assert trunk_output is not None
    trunk = split_at_trunk(model, trunk_output).trunk
    found = cache_features(files, "all", trunk, pixels, views, image, tell)
    return Everything({record.path: i for i, record in enumerate(records)}, found)


def run(out: Path, number: int, recipe: str, weights: str, images: Everything) -> dict[str, Any]:
    """Train one recipe on one split; return its row."""
    dataset = DatasetManifest.load(RunDir(out / f"split-{number}").dataset)
    settings = TODAY.model_copy(update=RECIPES[recipe])
    keras.backend.clear_session()
    keras.utils.set_random_seed(number)
    model = network(weights, len(dataset.labels), settings.dropout)
    trunk_output = backbone(DEFAULT).trunk_output
    assert trunk_output is not None
    parts = split_at_trunk(model, trunk_output)
    records = {split: list(dataset.of(split)) for split in Split}
    truth = {
        split: np.array([dataset.labels.index(r.label) for r in of], np.int64)  # type: ignore[arg-type]
        for split, of in records.items()
    }
    views = min(VIEWS, max(2, settings.cached_images // len(records[Split.train])))
    train = Samples(images.of(records[Split.train], views), truth[Split.train])
    held_out = {split: images.of(records[split], 1).trunk[0] for split in HELD_OUT}
    validation = Samples(images.of(records[Split.validation], 1), truth[Split.validation])
    journal = Journal(out / "work" / f"{number}-{recipe}", "0" * 64)
    began, began_cpu = time.monotonic(), time.process_time()
    Transfer(parts, settings, number, train, validation, journal, silent).run()
    row = {
        "recipe": recipe,
        "split": number,
        "wall_s": round(time.monotonic() - began),
        "cpu_s": round(time.process_time() - began_cpu),
        "settings": settings.model_dump(mode="json"),
        "figures": {},
    }
    answers = {split: predictor(parts.top)(rows) for split, rows in held_out.items()}
    folder = out / "answers"
    folder.mkdir(exist_ok=True)
    np.savez(
        folder / f"{number}-{recipe}.npz",
        **{f"{split}": given for split, given in answers.items()},
        **{f"{split}-truth": truth[split] for split in HELD_OUT},
    )
    np.savez(
        folder / f"{number}-{recipe}-weights.npz",
        **{f"{i:04d}": np.array(v) for i, v in enumerate(parts.top.trainable_variables)},
    )
    critical = [dataset.labels.index(name) for name in dataset.labels.critical]
    for split in HELD_OUT:
        row["figures"][split.value] = figures(truth[split], answers[split], critical)
    both = [np.concatenate([of[split] for split in HELD_OUT]) for of in (truth, answers)]
    row["figures"]["both"] = figures(both[0], both[1], critical)
    return row


def figures(
    truth: npt.NDArray[np.int64], answers: npt.NDArray[np.float32], critical: list[int]
) -> dict[str, float]:
    """Return accuracy, balanced accuracy and the mean recall of the critical classes."""
    confusion = confusion_matrix(truth, answers.argmax(axis=1), answers.shape[1])
    recall = confusion.diagonal() / confusion.sum(axis=1)
    return {
        "accuracy": float(confusion.diagonal().sum() / confusion.sum()),
        "balanced": balanced_accuracy(confusion),
        "critical": float(recall[critical].mean()),
    }


def interval(values: list[float]) -> str:
    """Return the mean over the splits and half the width of its 95% t interval."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:.3f}"
    half = student.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.3f} ± {half:.3f}"


def table(rows: list[dict[str, Any]]) -> str:
    """Return the table of every recipe, in the order of the first trainings."""
    lines = [
        "| recipe | splits | accuracy | balanced | critical recall | accuracy, test | "
        "balanced, test | critical, test | core minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["recipe"] for row in rows):
        of = [row for row in rows if row["recipe"] == name]
        cells = [
            interval([row["figures"][split][figure] for row in of])
            for split in ("both", "test")
            for figure in ("accuracy", "balanced", "critical")
        ]
        minutes = statistics.fmean(row["cpu_s"] for row in of) / 60
        lines.append(f"| {name} | {len(of)} | {' | '.join(cells)} | {minutes:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is asked for and not there yet, split by split, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--recipes", nargs="*", choices=list(RECIPES), default=list(RECIPES))
    asked = parser.parse_args()
    weights = TrainRequest(weights=asked.weights).weights
    results = asked.out / "rows.jsonl"
    rows = (
        [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    )
    done = {(row["recipe"], row["split"]) for row in rows}
    todo = [(k, name) for k in asked.splits for name in asked.recipes if (name, k) not in done]
    images: Everything | None = None
    for number, recipe in todo:
        split = RunDir(asked.out / f"split-{number}")
        if not split.dataset.exists():
            with split.lock():
                prepare(asked.source, split, seed=number)
        if images is None:
            images = everything(asked.out, DatasetManifest.load(split.dataset), weights, VIEWS)
        row = run(asked.out, number, recipe, weights, images)
        rows.append(row)
        with results.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        print(recipe, number, row["figures"]["both"], f"{row['wall_s']} s", flush=True)
    print(table(rows))


if __name__ == "__main__":
    tf.config.set_soft_device_placement(True)
    main()
