"""Put into a bundle what its Keras model answered, and read it back: the proof's other half."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.bundle import REFERENCE_ARRAYS_FILE, REFERENCE_FILE
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.errors import BadInput
from pipeline.runtimes.recording import Recording


def write_reference(recording: Recording, folder: Path) -> dict[str, FileEntry]:
    """Write the reference's recording into a bundle that is being filled.

    It holds of each validation image its SHA-256, true label and probabilities, but neither name
    nor path, and no latency: the same answers are the same bytes.

    Returns:
        what the manifest lists of it.
    """
    recording.without_latency().save(folder / REFERENCE_FILE)
    return {name: FileEntry.of(folder / name) for name in (REFERENCE_FILE, REFERENCE_ARRAYS_FILE)}


def load_reference(folder: Path, manifest: BundleManifest) -> Recording | None:
    """Return what the Keras model of a bundle answered, None where the bundle does not carry it.

    Args:
        folder: the bundle.
        manifest: its manifest, by which the files were checked.

    Raises:
        BadInput: it is no recording, or of another model, dataset, image contract or labels than
            the manifest says.
    """
    if REFERENCE_FILE not in manifest.files:
        return None
    recording = Recording.load(folder / REFERENCE_FILE)
    facts = recording.facts
    for what, stated, found in (
        ("model", manifest.parents.get("model"), facts.model_sha256),
        ("dataset", manifest.parents.get("dataset"), facts.dataset_sha256),
        ("image contract", manifest.image.pixels_digest(), facts.image_contract_sha256),
        ("labels", ", ".join(manifest.labels.names), ", ".join(facts.labels)),
    ):
        if stated != found:
            raise BadInput(
                f"the bundle's reference is of another {what} than its manifest says",
                where=str(folder / REFERENCE_FILE),
                expected=str(stated),
                got=found,
                next_step="export it again; never edit a bundle",
            )
    return recording
