"""Check that the files of a bundle belong together: manifest, verdict, labels, recipe, goldens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.contract.bundle import (
    GOLDENS_FILE,
    GOLDENS_FOLDER,
    LABELS_FILE,
    MANIFEST_FILE,
    MANIFEST_PIN,
    MODEL_FILE,
    manifest_digest,
)
from pipeline.contract.goldens import (
    GOLDEN_TOLERANCE,
    NEAR_LEVELS,
    SYNTHETIC_GOLDENS,
    Goldens,
)
from pipeline.contract.hashing import sha256_json
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.recipe import Recipe
from pipeline.contract.verdict import Check, Gate, Verdict
from pipeline.parity.comparison import compare, expect


@dataclass(frozen=True)
class BundleRecords:
    """Hold what the files of a bundle say; `labels` are the lines of labels.txt."""

    manifest: BundleManifest
    verdict: Verdict
    recipe: Recipe
    goldens: Goldens
    labels: tuple[str, ...]


def pin_check(records: BundleRecords) -> Check:
    """Compare the manifest with the digest that the verdict pins."""
    return expect(
        "manifest_pinned",
        Gate.bundle,
        manifest_digest(records.manifest),
        records.verdict.inputs.get(MANIFEST_PIN),
    )


def gates_check(verdict: Verdict, revision: str) -> Check:
    """Check that the verdict is of the gates that are judged again here."""
    return expect("gates", Gate.bundle, revision, verdict.inputs.get("gates"))


def candidate_check(records: BundleRecords) -> Check:
    """Check that the verdict is of the model in the bundle, and of its Keras model."""
    manifest, verdict = records.manifest, records.verdict
    return expect(
        "candidate_model",
        Gate.bundle,
        {"candidate": manifest.files[MODEL_FILE].sha256, "reference": manifest.parents["model"]},
        {
            "candidate": verdict.candidate.get("model_sha256"),
            "reference": verdict.reference.get("model_sha256"),
        },
    )


def inputs_check(records: BundleRecords) -> Check:
    """Compare what the verdict says the bundle was made from with what its manifest says."""
    manifest, inputs = records.manifest, records.verdict.inputs
    wanted = {
        "model": manifest.parents["model"],
        "dataset": manifest.parents["dataset"],
        "recipe": _asked_recipe(manifest.recipe, inputs.get("recipe")),
        "image": manifest.image.pixels_digest(),
        "normalization": manifest.normalization.digest(),
        "logits": str(manifest.logits),
        "labels": manifest.labels.digest(),
        "about": manifest.about.digest(),
        "min_runtime": manifest.promised_runtime,
        "decision": manifest.decision.digest(),
        "golden_photos": sha256_json(
            [one.sha256 for one in records.goldens.goldens if one.file not in SYNTHETIC_GOLDENS]
        ),
    }
    return expect("inputs", Gate.bundle, {**wanted}, {name: inputs.get(name) for name in wanted})


def label_check(records: BundleRecords, own: Sequence[str]) -> Check:
    """Compare the labels of three files with the model's own."""
    stated = {
        LABELS_FILE: records.labels,
        MANIFEST_FILE: records.manifest.labels.names,
        Path(GOLDENS_FILE).name: records.goldens.labels,
    }
    return expect(
        "labels_agree",
        Gate.bundle,
        {name: [*own] for name in stated},
        {name: [*labels] for name, labels in stated.items()},
    )


def recipe_check(records: BundleRecords) -> Check:
    """Compare recipe.json with the recipe of the manifest."""
    return expect(
        "recipe_agrees",
        Gate.bundle,
        records.manifest.recipe.model_dump(mode="json"),
        records.recipe.model_dump(mode="json"),
    )


def golden_checks(records: BundleRecords) -> Iterator[Check]:
    """Check that the goldens are of this model, all there, and no laxer than the tool's own."""
    manifest, goldens = records.manifest, records.goldens
    yield expect(
        "goldens_fit",
        Gate.bundle,
        {"model": manifest.files[MODEL_FILE].sha256, "image": manifest.image.digest()},
        {"model": goldens.model_sha256, "image": goldens.image_contract_sha256},
    )
    listed = {f"{GOLDENS_FOLDER}/{one.file}": one.sha256 for one in goldens.goldens}
    pinned = {
        name: entry.sha256
        for name, entry in manifest.files.items()
        if name.startswith(f"{GOLDENS_FOLDER}/") and name.endswith(".jpg")
    }
    yield expect("golden_photos", Gate.bundle, {**pinned}, {**listed}, manifest=MANIFEST_FILE)
    missing = [name for name in SYNTHETIC_GOLDENS if f"{GOLDENS_FOLDER}/{name}" not in listed]
    yield expect("goldens_complete", Gate.bundle, [], [*missing])
    for name, value, limit, unit in (
        (
            "golden_tolerance",
            goldens.tolerance,
            GOLDEN_TOLERANCE[manifest.recipe.quantize],
            "probability",
        ),
        ("golden_near_levels", goldens.near_levels, NEAR_LEVELS, "pixel values"),
    ):
        yield compare(
            name, Gate.bundle, value, "<=", limit, unit=unit, evidence={"kind": "golden_limit"}
        )


def _asked_recipe(recipe: Recipe, asked: Any) -> str:
    """Return the digest of the recipe that was asked for: a search adds its steps to it."""
    before_search = recipe.model_copy(update={"steps": None, "float16_layers": ()})
    return next((d for d in (recipe.digest(), before_search.digest()) if d == asked), "")
