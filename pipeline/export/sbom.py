"""List what made a bundle, as a CycloneDX 1.6 document: https://cyclonedx.org/docs/1.6/json/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.contract.bundle import MODEL_FILE, SBOM_FILE
from pipeline.contract.files import write_text_atomic
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.export.packages import Package, installed_packages, own_files_sha256

_TOOL = f"pipeline@{__version__}"
_MODEL, _SOURCE = "model", "keras-model"
# Of the manifest's versions, what is no package.
_PLATFORM = ("python", "platform")


def write_sbom(folder: Path, manifest: BundleManifest) -> dict[str, FileEntry]:
    """Write the list of what made a bundle to its folder and return its line of the manifest."""
    value = sbom(manifest)
    write_text_atomic(folder / SBOM_FILE, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    return {SBOM_FILE: FileEntry.of(folder / SBOM_FILE)}


def sbom(manifest: BundleManifest) -> dict[str, Any]:
    """Return the CycloneDX document of a bundle: the model, its source, and every package.

    It has no serial number and no time stamp, so the same inputs give the same document. The
    packages are those of the manifest's `versions` and all that they need. A wheel's hash is from
    the lock, where there is one; what is installed has a digest of its own.
    """
    packages = installed_packages(name for name in manifest.versions if name not in _PLATFORM)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"lifecycles": [{"phase": "build"}], "component": _model(manifest)},
        "components": [_source(manifest), _tool(), _python(manifest), *map(_component, packages)],
        "dependencies": [
            {"ref": _MODEL, "dependsOn": [_SOURCE, _TOOL]},
            {
                "ref": _TOOL,
                "dependsOn": [
                    "python",
                    *(_ref(one) for one in packages if one.name in manifest.versions),
                ],
            },
            *_needs(packages),
        ],
    }


def _model(manifest: BundleManifest) -> dict[str, Any]:
    about = manifest.about
    return {
        "type": "machine-learning-model",
        "bom-ref": _MODEL,
        "name": about.name,
        "version": about.version,
        "description": about.description,
        "hashes": _sha256(manifest.files[MODEL_FILE].sha256),
        **({"licenses": [{"license": {"name": about.license}}]} if about.license else {}),
        "properties": _properties(
            {
                "file": MODEL_FILE,
                "recipe": manifest.recipe.name,
                **{f"{role}-sha256": digest for role, digest in sorted(manifest.parents.items())},
            }
        ),
    }


def _source(manifest: BundleManifest) -> dict[str, Any]:
    digest = manifest.parents.get("model")
    return {
        "type": "machine-learning-model",
        "bom-ref": _SOURCE,
        "name": "the Keras model that was exported",
        **({} if digest is None else {"hashes": _sha256(digest)}),
    }


def _tool() -> dict[str, Any]:
    return {
        "type": "application",
        "bom-ref": _TOOL,
        "name": "pipeline",
        "version": __version__,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "properties": _properties({"source-files-sha256": own_files_sha256()}),
    }


def _python(manifest: BundleManifest) -> dict[str, Any]:
    return {
        "type": "platform",
        "bom-ref": "python",
        "name": "Python",
        **({"version": version} if (version := manifest.versions.get("python")) else {}),
        "properties": _properties(
            {"platform": platform} if (platform := manifest.versions.get("platform")) else {}
        ),
    }


def _component(one: Package) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": _ref(one),
        "name": one.name,
        "version": one.version,
        "purl": _ref(one),
        **({"hashes": _sha256(one.wheel_sha256)} if one.wheel_sha256 else {}),
        **({"licenses": [{"expression": one.license}]} if one.license else {}),
        "properties": _properties(
            {"installed-files-sha256": one.files_sha256} if one.files_sha256 else {}
        ),
    }


def _needs(packages: tuple[Package, ...]) -> list[dict[str, Any]]:
    refs = {one.name: _ref(one) for one in packages}
    return [
        {"ref": _ref(one), "dependsOn": [refs[name] for name in one.requires]}
        for one in packages
        if one.requires
    ]


def _ref(one: Package) -> str:
    return f"pkg:pypi/{one.name}@{one.version.replace('+', '%2B')}"


def _sha256(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]


def _properties(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": f"pipeline:{name}", "value": value} for name, value in values.items()]
