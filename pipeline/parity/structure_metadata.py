"""Check the metadata of a finished file: labels, normalization, texts, packed files."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.contract.about import FULL_NAMES_FILE, stored_input_range
from pipeline.contract.bundle import LABELS_FILE
from pipeline.contract.manifest import NOTICE, BundleManifest
from pipeline.contract.verdict import Check, Gate
from pipeline.parity.comparison import expect
from pipeline.tflite.inspect import Inspection

# The file stores float32.
_TOLERANCE = 1e-6


def metadata_checks(found: Inspection, manifest: BundleManifest) -> Iterator[Check]:
    """Compare the metadata in the file with the manifest."""
    about, image, labels = found.metadata, manifest.image, manifest.labels
    if about is None or about.input is None or about.output is None:
        yield expect("metadata", Gate.structure, "input and output metadata", None)
        return
    yield expect("labels", Gate.structure, list(labels.names), list(found.labels))
    full_names = [labels.full_name(name) for name in labels.names] if labels.full_names else []
    yield expect("full_names", Gate.structure, full_names, list(about.output.display_names))
    low, high = stored_input_range(image, manifest.recipe.io)
    for name, wanted, stored in (
        ("normalization_mean", [image.mean], about.input.mean),
        ("normalization_std", [image.std], about.input.std),
        ("input_lowest", [low], about.input.minimum),
        ("input_highest", [high], about.input.maximum),
    ):
        yield expect(
            name,
            Gate.structure,
            [*wanted * image.channels],
            list(stored),
            relative_tolerance=_TOLERANCE,
            absolute_tolerance=_TOLERANCE,
        )
    yield expect(
        "metadata_texts",
        Gate.structure,
        {**manifest.about.model_dump(mode="json"), "color": image.color},
        {
            "name": about.name,
            "description": about.description,
            "version": about.version,
            "author": about.author,
            "license": about.license,
            "input_name": about.input.name,
            "output_name": about.output.name,
            "color": about.input.color,
        },
    )
    yield expect("notice", Gate.structure, True, NOTICE in about.description, notice=NOTICE)
    packed = [LABELS_FILE, FULL_NAMES_FILE] if full_names else [LABELS_FILE]
    yield expect("packed_files", Gate.structure, [*packed], list(about.files))
