"""Run in one child process everything the training tests want to know from TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.contract.dataset import ImageRecord, Split
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.run import RunDir
from pipeline.errors import PipelineError
from pipeline.progress import ProgressEvent, Report, silent
from pipeline.training import adam
from pipeline.training.augment import flip_and_rotate, rotate
from pipeline.training.backbones import DEFAULT, NAMES, backbone
from pipeline.training.child import train_child
from pipeline.training.distil import Pairs
from pipeline.training.features import Features
from pipeline.training.fit import Phase, class_weights, fit
from pipeline.training.input import ImageReader, batches, cache_pixels
from pipeline.training.job import TrainJob
from pipeline.training.journal import Journal
from pipeline.training.model import (
    Parts,
    build,
    save,
    set_batch_norm_momentum,
    split_at_trunk,
)
from pipeline.training.request import TrainRequest
from pipeline.training.speed import step_seconds
from pipeline.training.transfer import Samples, Transfer
from tests.training.questions import LaboratoryAnswer, LaboratoryRequest
from tests.training.samples import SMALL, coloured_dataset, small_image, small_width
from tests.training.shard_trials import shard_trials


def experiment(request: LaboratoryRequest, report: Report) -> LaboratoryAnswer:
    folder = request.folder
    found = {
        "pixels": _pixels(folder, request.images),
        "shards": shard_trials(folder / "shards"),
        "changed": _changed(folder, request.images[0]),
        "augment": _augment(),
        "adam": _adam(),
        "networks": {name: _network(folder / name, name) for name in NAMES},
        "refusals": _refusals(folder),
        "resume": _resume(folder),
        "diverge": _diverge(folder),
        "momentum": _momentum(),
        "transfer": _transfer(folder),
        "speed": _speed(folder),
        "weights": class_weights(np.array([0, 0, 0, 0, 1]), 2, 0.5).tolist(),
    }
    return LaboratoryAnswer(found=found)


def _pixels(folder: Path, images: Sequence[Path]) -> str:
    reader = ImageReader(images, [None] * len(images), ImageContract())
    np.save(folder / "pixels.npy", np.stack(list(reader.pixels().as_numpy_iterator())))
    return str(folder / "pixels.npy")


def _changed(folder: Path, image: Path) -> dict[str, Any]:
    record = ImageRecord(
        path=image.name,
        label="red",
        group="g",
        split=Split.train,
        width_px=67,
        height_px=101,
        size_bytes=image.stat().st_size,
        sha256="0" * 64,
    )
    stem = folder / "changed"
    error = _refusal(lambda: cache_pixels(stem, [record], image.parent, SMALL, silent))
    return {"error": error, "cached": bool(list(folder.glob("*changed*")))}


def _refusal(action: Callable[[], object]) -> dict[str, Any] | None:
    try:
        action()
    except PipelineError as error:
        return error.to_dict()
    return None


def _augment() -> dict[str, Any]:
    images = np.random.default_rng(0).uniform(0, 255, (4, 33, 47, 3)).astype(np.float32)
    seeds = [tf.constant([7, n], tf.int64) for n in (0, 0, 1)]
    first, again, other = (flip_and_rotate(images, seed).numpy() for seed in seeds)
    square = images[:, :33, :33]
    quarter = rotate(square, tf.fill((4,), np.float32(np.pi / 2))).numpy()
    turned = [np.abs(quarter - np.rot90(square, k, axes=(1, 2))).max() for k in (1, 3)]
    still = rotate(images, tf.zeros(4)).numpy()
    return {
        "repeats": bool((first == again).all()),
        "differs": bool((first != other).any()),
        "low": float(first.min()),
        "high": float(first.max()),
        "still": float(np.abs(still - images).max()),
        "quarter turn": float(min(turned)),
    }


def _adam() -> dict[str, float]:
    worst: dict[str, float] = {}
    random = np.random.default_rng(0)
    gradients = [random.normal(size=(3, 4)).astype(np.float32) for _ in range(8)]
    for decay in (0.0, 0.05):
        start = random.normal(size=(3, 4)).astype(np.float32)
        ours, theirs = (keras.Variable(start, name="kernel") for _ in range(2))
        mine = adam.Adam([ours], decay)
        other = keras.optimizers.AdamW(0.01, weight_decay=decay) if decay else None
        keras_adam = other or keras.optimizers.Adam(0.01)
        keras_adam.build([theirs])
        for gradient in gradients:
            mine.apply([tf.constant(gradient)], tf.constant(0.01))
            keras_adam.apply([tf.constant(gradient)], [theirs])
        worst[str(decay)] = float(np.abs(ours.numpy() - theirs.numpy()).max())
    return worst


def _network(folder: Path, name: str) -> dict[str, Any]:
    network = backbone(name)
    assert network.trunk_output is not None
    folder.mkdir()
    image, width = small_image(network), small_width(network)
    network.build(keras.Input((64, 64, 3)), width, None).save_weights(folder / "base.weights.h5")
    pretrained = build(network, image, width, str(folder / "base.weights.h5"), 3, 0.2)
    parts = split_at_trunk(pretrained, network.trunk_output)
    random = np.random.default_rng(0)
    images = random.uniform(*image.float_range, (2, 64, 64, 3)).astype(np.float32)
    middle, pooled = parts.trunk(images)
    whole = pretrained(images).numpy()
    before = [v.numpy() for v in parts.top.non_trainable_variables]
    answers = parts.head(parts.body(middle, training=False), training=True)
    after = [v.numpy() for v in parts.top.non_trainable_variables]
    digests = []
    for copy in ("a", "b"):
        # As in a process of its own: the names of layers count from one again.
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        model = build(network, image, width, "none", 3, 0.2)
        target = folder / copy / "model.keras"
        target.parent.mkdir()
        save(model, target)
        digests.append(sha256_file(target))
    loaded = keras.models.load_model(target, safe_mode=True)
    return {
        "input": [model.input.name, list(model.input.shape)],
        "output": [model.layers[-1].name, list(model.output.shape)],
        "layers": sorted({type(layer).__module__.split(".")[0] for layer in model.layers}),
        "top": float(np.abs(parts.top(middle).numpy() - whole).max()),
        "head": float(np.abs(parts.head(pooled).numpy() - whole).max()),
        "answers": list(answers.shape),
        "frozen": [bool((a == b).all()) for a, b in zip(before, after, strict=True)],
        "trunk": list(parts.trunk.output_shape[0]),
        "trained": [w.path for w in parts.top.trainable_variables],
        "all": [w.path for w in pretrained.trainable_variables],
        "same bytes": digests[0] == digests[1],
        "left over": sorted(p.name for p in target.parent.iterdir()),
        "loaded": float(np.abs(loaded(images).numpy() - model(images).numpy()).max()),
    }


def _momentum() -> list[float]:
    """Set the momentum where a batch normalization stands alone, in a model and in a wrapper."""
    inner = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.BatchNormalization(name="own")])
    inputs = keras.Input((2, 4, 4, 3))
    each = keras.layers.TimeDistributed(inner)(inputs)
    model = keras.Model(inputs, keras.layers.BatchNormalization(name="another")(each))
    set_batch_norm_momentum(model, 0.5)
    return [inner.get_layer("own").momentum, model.get_layer("another").momentum]


def _refusals(folder: Path) -> dict[str, Any]:
    (folder / "text.weights.h5").write_text("not weights")
    # Every proxy refuses: the download fails as it does without a network.
    proxies = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    os.environ.update(proxies, KERAS_HOME=str(folder / "no-weights-here"), no_proxy="")
    asked = {
        "other width": (1.0, str(folder / DEFAULT / "base.weights.h5")),
        "text": (0.35, str(folder / "text.weights.h5")),
        "download": (0.35, "imagenet"),
    }
    found = {
        name: _refusal(partial(build, backbone(DEFAULT), SMALL, width, weights, 3, 0.0))
        for name, (width, weights) in asked.items()
    }
    run = RunDir(folder / "run")
    coloured_dataset(folder / "images", run)
    training = TrainJob(
        request=TrainRequest(weights="none"),
        dataset=run.dataset,
        inputs_sha256="a" * 64,
        # A file stands where the folder should be.
        state=folder / "text.weights.h5" / "state",
        out=folder,
    )
    return {**found, "unwritable": _refusal(lambda: train_child(training, silent))}


def _phase(learning_rate: float) -> Phase:
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 60)
    rows = (np.eye(3)[truth] + random.normal(size=(60, 3)) / 3).astype(np.float32)
    inputs = keras.Input((3,))
    kept = keras.layers.Dropout(0.1)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(kept))

    def seen(epoch: int) -> tf.data.Dataset:
        order = np.random.default_rng([0, epoch]).permutation(60)
        values = batches(lambda which: rows[which], order, 16, tf.float32)
        targets = (np.eye(3, dtype=np.float32)[truth[order]], np.ones(60, np.float32))
        expected = tf.data.Dataset.from_tensor_slices(targets).batch(16)
        return tf.data.Dataset.zip(values, expected).map(lambda value, aim: (value[1], *aim))

    settings = TrainRequest(weights="imagenet", batch_size=16).settings()
    return Phase(
        name="head",
        model=model,
        forward=lambda rows: model(rows, training=True),
        settings=settings.model_copy(update={"patience": 100}),
        epochs=6,
        learning_rate=learning_rate,
        steps=4,
        batches=seen,
        validate=lambda: model(rows, training=False).numpy(),
        truth=truth,
    )


class _PulledPlug(Exception):
    pass


def _resume(folder: Path) -> dict[str, Any]:
    undisturbed = Journal(folder / "undisturbed", "a" * 64)
    fit(_phase(0.05), undisturbed, silent)

    def pull_plug(event: ProgressEvent) -> None:
        if event.done > 14:
            raise _PulledPlug

    try:
        fit(_phase(0.05), Journal(folder / "cut", "a" * 64), pull_plug)
    except _PulledPlug:
        left = len(Journal(folder / "cut", "a" * 64).history())
    resumed = Journal(folder / "cut", "a" * 64)
    fit(_phase(0.05), resumed, silent)
    histories = [[e.model_dump() for e in j.history()] for j in (undisturbed, resumed)]
    csv = (folder / "cut" / "history.csv").read_text()
    other = Journal(folder / "cut", "b" * 64)
    return {"left": left, "histories": histories, "csv": csv, "other": len(other.history())}


def _tiny_transfer(folder: Path, **changed: object) -> Transfer:
    """Return two classes of features in two views, and a body of one dense layer."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    truth = np.arange(24, dtype=np.int64) % 2
    rows = (np.eye(4)[truth] + random.normal(size=(24, 4)) / 4).astype(np.float32)
    views = [rows[:, None, None, :], rows[:, None, None, :] + np.float32(0.1)]
    inputs = keras.Input((1, 1, 4))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Dense(5)(inputs))
    head_in = keras.Input((5,))
    dense = keras.layers.Dense(2, activation="softmax")
    head = keras.Model(head_in, dense(keras.layers.Dropout(0.1)(head_in)))
    body = keras.Model(inputs, pooled)
    top = keras.Model(inputs, head(pooled))
    seen = [np.array(body(view)) for view in views]
    samples = Samples(Features([view.astype(np.float16) for view in views], seen), truth)
    settings = TrainRequest(weights="imagenet", batch_size=7, epochs=2, head_epochs=1).settings()
    return Transfer(
        Parts(trunk=body, body=body, head=head, top=top),
        settings.model_copy(update=changed),
        3,
        samples,
        samples,
        Journal(folder, "a" * 64),
        silent,
    )


def _transfer(folder: Path) -> dict[str, Any]:
    averaged = _tiny_transfer(folder / "averaged", members=2, keep="last")
    averaged.run()
    files = averaged.journal.files
    kept = [files.checkpoint(name, 2, best=True) for name in ("finetune", "finetune-2")]
    members = []
    for path in kept:
        with np.load(path) as values:
            members.append([values[name] for name in sorted(values.files)])
    top = averaged.parts.top
    places = [i for i, v in enumerate(top.variables) if any(v is w for w in top.trainable_weights)]
    off = [
        np.abs(np.array(top.variables[i]) - (members[0][i] + members[1][i]) / 2).max()
        for i in places
    ]
    apart = [np.abs(members[0][i] - members[1][i]).max() for i in places]
    mixing = _tiny_transfer(folder / "mixing", mixup=0.5)
    batches = [list(mixing.finetune(1).batches(epoch)) for epoch in (1, 1, 2)]
    first, again, other = (np.concatenate([batch[1] for batch in epoch]) for epoch in batches)
    distilled = _tiny_transfer(folder / "distilled", keep="last", distil_epochs=2, distil_sets=2)
    distilled.run()
    taught = np.load(distilled.journal.files.mean_answers)
    resumed = _tiny_transfer(folder / "averaged", members=2, keep="last")
    resumed.run()
    return {
        "off the mean": float(max(off)),
        "distilled": [e.epoch for e in distilled.journal.history() if e.phase == "distil"],
        "taught": [list(taught.shape), float(np.abs(taught.sum(axis=2) - 1.0).max())],
        "mix": _mix(),
        "apart": float(max(apart)),
        "places": len(places),
        "phases": sorted({epoch.phase for epoch in averaged.journal.history()}),
        "resumed": max(
            float(np.abs(np.array(a) - np.array(b)).max())
            for a, b in zip(top.trainable_weights, resumed.parts.top.trainable_weights, strict=True)
        ),
        "targets": [float(first.sum()), float(first.min()), float(first.max())],
        "mixed": float(((first > 0.01) & (first < 0.99)).any(axis=1).sum()),
        "repeats": bool((first == again).all()),
        "differs": bool((first != other).any()),
        "steps": [len(epoch) for epoch in batches],
    }


def _mix() -> float:
    """Return how far a mix is from the sum people write down."""
    random = np.random.default_rng(4)
    view = random.normal(size=(6, 2, 3)).astype(np.float16)
    pairs = Pairs.draw(6, random)
    rows = np.array([4, 0])
    share = pairs.share[rows][:, None, None].astype(np.float64)
    sums = share * view[rows] + (1.0 - share) * view[pairs.partner[rows]]
    return float(np.abs(pairs.mixed(view, rows) - sums).max())


def _speed(folder: Path) -> dict[str, Any]:
    tiny = _tiny_transfer(folder / "speed")
    before = [np.array(variable) for variable in tiny.parts.top.variables]
    start_s, step_s = step_seconds(tiny.finetune(1), tiny.journal)
    after = [np.array(variable) for variable in tiny.parts.top.variables]
    return {
        "start_s": start_s,
        "step_s": step_s,
        "untouched": all((a == b).all() for a, b in zip(before, after, strict=True)),
        "written": tiny.journal.history() != [],
    }


def _diverge(folder: Path) -> dict[str, Any] | None:
    journal = Journal(folder / "diverged", "a" * 64)
    return _refusal(lambda: fit(_phase(float("inf")), journal, silent))
