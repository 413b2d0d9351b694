"""Name the files of a bundle, publish one that pins itself, and open one only if it is whole."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.hashing import sha256_json
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput

MODEL_FILE = "model.tflite"
LABELS_FILE = "labels.txt"
MANIFEST_FILE = "manifest.json"
VERDICT_FILE = "verdict.json"
RECIPE_FILE = "recipe.json"
REFERENCE_FILE = "reference.json"
REFERENCE_ARRAYS_FILE = "reference.npz"
CARD_FILE = "README.md"
SBOM_FILE = "sbom.json"
GOLDENS_FOLDER = "goldens"
GOLDENS_FILE = f"{GOLDENS_FOLDER}/goldens.json"
# `pipeline sign` adds it to a finished bundle: it covers every other file, so none lists it.
SIGNATURE_FILE = "model.sig"
SIGNATURE_FILES = (SIGNATURE_FILE,)
# What differs each time the same is exported (see `pipeline.contract.measured`): listing it would
# make the manifest differ too.
MEASURED_FILE = "measured.json"

# In the verdict's `inputs`, the digest of the manifest.
MANIFEST_PIN = "manifest"


def manifest_digest(manifest: BundleManifest) -> str:
    """Return the SHA-256 of a manifest's canonical JSON without the entry of the verdict.

    The manifest lists the verdict by the hash of its bytes, and the verdict pins the manifest by
    this digest, which leaves that one entry out: so each notices a change of the other.
    """
    value = manifest.model_dump(mode="json")
    value["files"].pop(VERDICT_FILE, None)
    return sha256_json(value)


def seal_bundle(
    folder: Path, manifest: BundleManifest, verdict: Verdict
) -> tuple[BundleManifest, Verdict]:
    """Write verdict.json and manifest.json, each pinning the other; return them as written.

    Every other file of the bundle must be in `folder` and in the manifest by now.
    """
    pinned = verdict.model_copy(
        update={"inputs": {**verdict.inputs, MANIFEST_PIN: manifest_digest(manifest)}}
    )
    pinned.save(folder / VERDICT_FILE)
    entry = FileEntry.of(folder / VERDICT_FILE)
    sealed = manifest.model_copy(update={"files": {**manifest.files, VERDICT_FILE: entry}})
    sealed.save(folder / MANIFEST_FILE)
    return sealed, pinned


def no_bundle(path: Path) -> BadInput:
    """Return why a path is refused that is no folder with a manifest."""
    if path.is_dir():
        what = "this folder is not a bundle"
    else:
        what = "this file is not a bundle" if path.exists() else "there is no bundle here"
    inside = (path.parent / MANIFEST_FILE).is_file()
    return BadInput(
        what,
        where=str(path),
        expected=f"a folder with {MODEL_FILE} and {MANIFEST_FILE}",
        next_step=f"give the folder: {path.parent}" if inside else "pipeline export",
    )


def load_bundle(folder: Path) -> BundleManifest:
    """Read a bundle's manifest and check every file against it.

    Raises:
        BadInput: this is no bundle, or a file is missing or was changed.
    """
    if not (folder / MANIFEST_FILE).is_file():
        raise no_bundle(folder)
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
