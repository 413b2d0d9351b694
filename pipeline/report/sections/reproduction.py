"""Show the hashes, versions and seeds that make the run again."""

from __future__ import annotations

from typing import Any

from pipeline.contract.manifest import Manifest
from pipeline.report.page import code
from pipeline.report.run_report import RunReport


def context(report: RunReport) -> dict[str, Any] | None:
    """Return what pins the dataset, the model and each bundle; None where there is neither."""
    if report.dataset is None and report.model is None:
        return None
    made: list[tuple[str, Manifest]] = [] if report.model is None else [("Model", report.model)]
    made += [(one.name, one.manifest) for one in report.bundles if one.manifest is not None]
    dataset = report.dataset
    return {
        "heading": "To make it again",
        "dataset": []
        if dataset is None
        else [
            ("dataset digest", code(dataset.digest())),
            ("split seed", str(dataset.seed)),
            ("fractions", " / ".join(f"{fraction:g}" for fraction in dataset.fractions)),
        ],
        "made": [(name, _origin(manifest)) for name, manifest in made],
    }


def _origin(manifest: Manifest) -> list[tuple[str, str]]:
    return [
        ("manifest digest", code(manifest.digest())),
        ("image contract", code(manifest.image.digest())),
        *((f"from {role}", code(sha256)) for role, sha256 in manifest.parents.items()),
        ("seed", str(manifest.seed)),
        ("pipeline", manifest.tool_version),
        *manifest.versions.items(),
    ]
