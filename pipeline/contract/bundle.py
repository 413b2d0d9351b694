"""Name the files of a bundle and open one only if it is whole."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.manifest import BundleManifest
from pipeline.errors import BadInput

MODEL_FILE = "model.tflite"
LABELS_FILE = "labels.txt"
MANIFEST_FILE = "manifest.json"
VERDICT_FILE = "verdict.json"
RECIPE_FILE = "recipe.json"
CARD_FILE = "README.md"
SBOM_FILE = "sbom.json"
GOLDENS_FOLDER = "goldens"
GOLDENS_FILE = f"{GOLDENS_FOLDER}/goldens.json"
# `pipeline sign` adds it to a finished bundle. It covers every other file; no manifest lists it.
SIGNATURE_FILE = "model.sig"


def load_bundle(folder: Path) -> BundleManifest:
    """Read a bundle's manifest and check every file against it.

    Raises:
        BadInput: this is no bundle, or a file is missing or was changed.
    """
    if not (folder / MANIFEST_FILE).is_file():
        raise BadInput(
            "this folder is not a bundle",
            where=str(folder),
            expected=f"{MODEL_FILE} with {MANIFEST_FILE}",
            next_step="pipeline export",
        )
    manifest = BundleManifest.load(folder / MANIFEST_FILE)
    manifest.check_files(folder)
    return manifest


def tflite_file(model: Path) -> Path:
    """Return the `.tflite` of a bundle folder, checked against its manifest, or the file given.

    Raises:
        BadInput: the folder is no bundle, or a file of it is missing or was changed.
    """
    if not model.is_dir():
        return model
    load_bundle(model)
    return model / MODEL_FILE
