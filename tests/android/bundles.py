"""Whole bundles of a tiny real model, and what only who installs one says of a broken one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.contract.bundle import MANIFEST_FILE, MODEL_FILE
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.contract.recipe import Recipe
from pipeline.export.goldens import make_goldens
from pipeline.tflite.inspect import inspect_file
from tests.bundles.published import PARENTS, publish
from tests.export.samples import ABOUT, IMAGE, INT8, LABELS, samples


def whole_bundle(folder: Path, recipe: Recipe = INT8) -> Path:
    """Write a published bundle of the tiny model to `folder`, a new one."""
    shutil.copytree(_made(recipe), folder)
    return folder


@cache
def _made(recipe: Recipe) -> Path:
    folder = samples().folder / "bundles" / recipe.name
    write_bundle(folder, samples().described[recipe.name], recipe)
    return folder


def write_bundle(folder: Path, described: Path, recipe: Recipe) -> None:
    """Publish a described file of the tiny model, as `recipe` made it, in `folder`, a new one."""
    folder.mkdir(parents=True)
    shutil.copyfile(described, folder / MODEL_FILE)
    (folder / "labels.txt").write_text(LABELS.text(), encoding="utf-8")
    recipe.save(folder / "recipe.json")
    found = inspect_file(folder / MODEL_FILE)
    manifest = BundleManifest(
        versions={},
        seed=0,
        parents=PARENTS,
        files={
            name: FileEntry.of(folder / name) for name in ("labels.txt", MODEL_FILE, "recipe.json")
        },
        image=IMAGE,
        labels=LABELS,
        about=ABOUT,
        recipe=recipe,
        inputs=found.graph.inputs,
        outputs=found.graph.outputs,
        operators={operator.key: operator.count for operator in found.operators},
        min_runtime=found.runtime.version or "unknown",
        promised_runtime="2.16.0",
    )
    files = make_goldens(folder, manifest)
    publish(folder, manifest.model_copy(update={"files": manifest.files | files}))


def edit_json(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file in place."""
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


@dataclass(frozen=True)
class Hostile:
    """Name what is wrong with a bundle, and the one sentence every layer says of it."""

    name: str
    break_it: Callable[[Path], None]
    sentence: str


HOSTILE = (
    Hostile(
        "no model",
        lambda folder: (folder / MODEL_FILE).unlink(),
        'No model is installed: run "pipeline android install BUNDLE".',
    ),
    Hostile(
        "two models",
        lambda folder: (folder / "old.tflite").write_bytes(b"old"),
        "There are 2 .tflite files where one model belongs: model.tflite, old.tflite.",
    ),
    Hostile(
        "no manifest",
        lambda folder: (folder / MANIFEST_FILE).unlink(),
        "The bundle is not whole: manifest.json is missing.",
    ),
)
