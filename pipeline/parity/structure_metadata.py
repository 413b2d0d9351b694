"""Check the metadata of a finished file: labels, normalization, texts, packed files."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipeline.contract.about import FULL_NAMES_FILE, stored_input_range
from pipeline.contract.bundle import LABELS_FILE
from pipeline.contract.manifest import NOTICE, BundleManifest
from pipeline.contract.verdict import Check
from pipeline.parity.structure_check import structure_check
from pipeline.tflite.inspect import Inspection


def metadata_checks(found: Inspection, manifest: BundleManifest) -> Iterator[Check]:
    """Compare the metadata in the file with the manifest."""
    about, image, labels = found.metadata, manifest.image, manifest.labels
    if about is None or about.input is None or about.output is None:
        yield structure_check("metadata", False, expected="input and output metadata", found=None)
        return
    yield structure_check(
        "labels",
        found.labels == labels.names,
        expected=list(labels.names),
        found=list(found.labels),
    )
    full_names = tuple(map(labels.full_name, labels.names)) if labels.full_names else ()
    yield structure_check(
        "full_names",
        about.output.display_names == full_names,
        expected=list(full_names),
        found=list(about.output.display_names),
    )
    low, high = stored_input_range(image, manifest.recipe.io)
    for name, stored, wanted in (
        ("normalization_mean", about.input.mean, [image.mean] * image.channels),
        ("normalization_std", about.input.std, [image.std] * image.channels),
        (
            "input_range",
            (*about.input.minimum, *about.input.maximum),
            [low] * image.channels + [high] * image.channels,
        ),
    ):
        same = len(stored) == len(wanted) and all(map(_same, stored, wanted))
        yield structure_check(name, same, expected=wanted, found=list(stored))
    texts = {
        "name": (manifest.about.name, about.name),
        "description": (manifest.about.description, about.description),
        "version": (manifest.about.version, about.version),
        "author": (manifest.about.author, about.author),
        "license": (manifest.about.license, about.license),
        "input_name": (manifest.about.input_name, about.input.name),
        "output_name": (manifest.about.output_name, about.output.name),
        "color": (image.color, about.input.color),
    }
    wrong = {key: pair for key, pair in texts.items() if pair[0] != pair[1]}
    yield structure_check(
        "metadata_texts",
        not wrong,
        expected={key: wanted for key, (wanted, _) in wrong.items()},
        found={key: got for key, (_, got) in wrong.items()},
        compared=sorted(texts),
    )
    yield structure_check(
        "notice", NOTICE in about.description, expected=NOTICE, found=about.description
    )
    packed = (LABELS_FILE, FULL_NAMES_FILE) if full_names else (LABELS_FILE,)
    yield structure_check(
        "packed_files", about.files == packed, expected=list(packed), found=list(about.files)
    )


def _same(stored: float, wanted: float) -> bool:
    # The file stores float32.
    return math.isclose(stored, wanted, rel_tol=1e-6, abs_tol=1e-6)
