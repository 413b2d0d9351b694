"""Whole bundles of a tiny real model, and everything that may be wrong with one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from pipeline.contract.bundle import GOLDENS_FILE, MANIFEST_FILE, MODEL_FILE
from pipeline.contract.hashing import sha256_file
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.contract.recipe import Recipe
from pipeline.contract.verdict import Check, Gate, Outcome, Verdict
from pipeline.export.goldens import make_goldens
from pipeline.tflite.inspect import inspect_file
from pipeline.tflite.metadata import described_model
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
        parents={},
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
    manifest.model_copy(update={"files": manifest.files | files}).save(folder / MANIFEST_FILE)
    verdict(folder, Outcome.passed)


def verdict(folder: Path, outcome: Outcome, model_sha256: str | None = None) -> None:
    """Write a verdict of this outcome on the model in `folder`, or on another one."""
    Verdict.from_checks(
        [Check(name="example", gate=Gate.task, outcome=outcome, evidence={"kind": "example"})],
        candidate={"model_sha256": model_sha256 or sha256_file(folder / MODEL_FILE)},
    ).save(folder / "verdict.json")


def edit_json(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file in place."""
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def record_again(folder: Path, *names: str) -> None:
    """Make the manifest agree with files that were changed, as a careful forger would."""

    def change(manifest: dict[str, Any]) -> None:
        for name in names:
            manifest["files"][name] = FileEntry.of(folder / name).model_dump()

    edit_json(folder / MANIFEST_FILE, change)


@dataclass(frozen=True)
class Hostile:
    """Name what is wrong with a bundle, and the one sentence every layer says of it."""

    name: str
    break_it: Callable[[Path], None]
    sentence: str


def _flip_byte(folder: Path) -> None:
    data = bytearray((folder / MODEL_FILE).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / MODEL_FILE).write_bytes(data)


def _other_order(folder: Path) -> None:
    (folder / "labels.txt").write_text("BLUE\nGREEN\nRED\n", encoding="utf-8")
    record_again(folder, "labels.txt")


def _golden_order(folder: Path) -> None:
    edit_json(folder / GOLDENS_FILE, lambda value: value["labels"].reverse())
    record_again(folder, GOLDENS_FILE)


def _newer_operators(folder: Path) -> None:
    """Give a convolution the version that the table's newest runtime has, and record it all."""
    data = (folder / MODEL_FILE).read_bytes()
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    newest = next(
        code
        for code in model.operatorCodes
        if code.builtinCode == schema.BuiltinOperator.FULLY_CONNECTED
    )
    assert f"{newest.version}"
    # A version is a plain int32 in the file: the same bytes with another number in one place.
    for at in range(0, len(data) - 4):
        if data[at : at + 4] == newest.version.to_bytes(4, "little"):
            changed = bytearray(data)
            changed[at : at + 4] = (13).to_bytes(4, "little")
            try:
                codes = schema.ModelT.InitFromPackedBuf(changed, 0).operatorCodes
            except Exception:
                continue
            if [c.version for c in codes if c.builtinCode == newest.builtinCode] == [13]:
                (folder / MODEL_FILE).write_bytes(changed)
                break
    record_again(folder, MODEL_FILE)
    needed = inspect_file(folder / MODEL_FILE).runtime.version
    edit_json(folder / MANIFEST_FILE, lambda value: value.update(min_runtime=needed))
    verdict(folder, Outcome.passed)


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
    Hostile(
        "no verdict",
        lambda folder: (folder / "verdict.json").unlink(),
        "The bundle is not whole: verdict.json is missing.",
    ),
    Hostile(
        "a golden is missing",
        lambda folder: (folder / "goldens" / "gray.jpg").unlink(),
        "The bundle is not whole: goldens/gray.jpg is missing.",
    ),
    Hostile(
        "one byte of the model changed",
        _flip_byte,
        "The bundle was changed after it was proven: model.tflite differs from manifest.json.",
    ),
    Hostile(
        "labels edited",
        lambda folder: (folder / "labels.txt").write_text("BLUE\nGREEN\nRED\n", encoding="utf-8"),
        "The bundle was changed after it was proven: labels.txt differs from manifest.json.",
    ),
    Hostile(
        "a failed verdict",
        lambda folder: verdict(folder, Outcome.failed),
        "The model is not proven: its verdict is fail, not pass.",
    ),
    Hostile(
        "an undecided verdict",
        lambda folder: verdict(folder, Outcome.inconclusive),
        "The model is not proven: its verdict is inconclusive, not pass.",
    ),
    Hostile(
        "the verdict of another model",
        lambda folder: verdict(folder, Outcome.passed, "0" * 64),
        "The verdict belongs to another model.",
    ),
    Hostile(
        "labels in another order, recorded",
        _other_order,
        "The labels are not the model's: labels.txt says BLUE, GREEN, RED; "
        "the model says RED, GREEN, BLUE.",
    ),
    Hostile(
        "manifest labels in another order",
        lambda folder: edit_json(
            folder / MANIFEST_FILE, lambda value: value["labels"]["names"].reverse()
        ),
        "The labels are not the model's: manifest.json says BLUE, GREEN, RED; "
        "the model says RED, GREEN, BLUE.",
    ),
    Hostile(
        "golden labels in another order",
        _golden_order,
        "The labels are not the model's: goldens.json says BLUE, GREEN, RED; "
        "the model says RED, GREEN, BLUE.",
    ),
    Hostile(
        "no goldens",
        lambda folder: edit_json(
            folder / MANIFEST_FILE, lambda value: value["files"].pop(GOLDENS_FILE)
        ),
        "The bundle has no goldens, so the phone cannot prove it.",
    ),
    Hostile(
        "a newer operator version",
        _newer_operators,
        "The model needs runtime 2.18.0 or newer; the app has 2.16.1.",
    ),
    Hostile(
        "a damaged manifest",
        lambda folder: (folder / MANIFEST_FILE).write_text("{", encoding="utf-8"),
        "manifest.json is not the JSON it should be.",
    ),
    Hostile(
        "a damaged verdict",
        lambda folder: (folder / "verdict.json").write_text("[]", encoding="utf-8"),
        "verdict.json is not the JSON it should be.",
    ),
)


def own_labels(folder: Path) -> tuple[str, ...]:
    """Return the labels inside the model's own file."""
    return described_model(folder / MODEL_FILE).labels.names
