"""Run the structure gate: is the finished file what its manifest says, through a second reader."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.recipe import Io
from pipeline.contract.verdict import Check
from pipeline.parity.structure_graph import (
    delegation_checks,
    graph_checks,
    recipe_checks,
    runtime_checks,
)
from pipeline.parity.structure_metadata import metadata_checks
from pipeline.parity.structure_tensors import (
    manifest_check,
    quantization_checks,
    signature_check,
    tensor_checks,
)
from pipeline.runtimes.delegation import Delegation
from pipeline.tflite.inspect import Inspection


@dataclass(frozen=True)
class Structure:
    """Hold the checks of the gate, and what a file without a manifest leaves unchecked."""

    checks: tuple[Check, ...]
    not_checked: tuple[str, ...] = ()


def structure_of_bundle(
    found: Inspection, manifest: BundleManifest, delegation: Delegation
) -> Structure:
    """Compare a finished file with everything that its bundle's manifest says of it."""
    return Structure(
        (
            *tensor_checks(found, manifest.image, manifest.labels, manifest.recipe.io),
            signature_check(found, manifest.about.input_name, manifest.about.output_name),
            manifest_check(found, manifest),
            *quantization_checks(found, manifest.image, manifest.recipe.io),
            *metadata_checks(found, manifest),
            *graph_checks(found),
            *recipe_checks(found, manifest.recipe),
            *delegation_checks(manifest.recipe, delegation),
            *runtime_checks(found, manifest.promised_runtime),
        )
    )


def structure_of_file(found: Inspection, image: ImageContract, labels: Labels) -> Structure:
    """Check what can be checked of a `.tflite` file that no manifest describes.

    Args:
        found: the file.
        image: what its own metadata says it takes.
        labels: what its own metadata says it answers.
    """
    types = [info.dtype for info in (*found.graph.inputs, *found.graph.outputs)]
    io = Io(types[0]) if len(set(types)) == 1 and types[0] in tuple(Io) else Io.float32
    return Structure(
        (
            *tensor_checks(found, image, labels, io),
            *quantization_checks(found, image, io),
            *graph_checks(found),
        ),
        not_checked=(
            "tensors_of_manifest",
            "signature",
            "labels",
            "full_names",
            "normalization_mean",
            "normalization_std",
            "input_lowest",
            "input_highest",
            "metadata_texts",
            "notice",
            "packed_files",
            "recipe_applied_to_weights",
            "operators_on_floats",
            "delegated_nodes",
            "oldest_runtime",
            "runtime_written_by_converter",
        ),
    )
