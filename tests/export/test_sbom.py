"""Hold the list of what made a bundle to the schema of CycloneDX, and to the bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from pipeline.contract.bundle import MODEL_FILE, SBOM_FILE
from pipeline.contract.hashing import sha256_file
from pipeline.contract.manifest import BundleManifest, package_versions
from pipeline.export.sbom import sbom, write_sbom
from tests.bundles.broken import BUNDLE


@pytest.fixture(scope="module")
def manifest() -> BundleManifest:
    loaded: BundleManifest = BundleManifest.load(BUNDLE / "manifest.json")
    return loaded.model_copy(
        update={
            "versions": package_versions("numpy", "tensorflow", "not-there"),
            "parents": {"model": "1" * 64, "dataset": "2" * 64},
        }
    )


def errors(value: dict[str, Any]) -> str | None:
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(value))
    return None if found is None else str(found)


def test_it_is_valid_cyclonedx(manifest: BundleManifest) -> None:
    assert errors(sbom(manifest)) is None


def test_it_is_valid_where_little_is_known(manifest: BundleManifest) -> None:
    about = manifest.about.model_copy(update={"license": "", "version": ""})
    bare = manifest.model_copy(update={"versions": {}, "parents": {}, "about": about})
    assert errors(sbom(bare)) is None


def test_the_schema_notices_what_is_wrong(manifest: BundleManifest) -> None:
    broken = sbom(manifest)
    broken["components"][0]["type"] = "thing"
    assert errors(broken) is not None


def test_the_model_and_its_source_are_pinned(manifest: BundleManifest) -> None:
    value = sbom(manifest)
    model = value["metadata"]["component"]
    assert model["hashes"] == [{"alg": "SHA-256", "content": manifest.files[MODEL_FILE].sha256}]
    source = next(one for one in value["components"] if one["bom-ref"] == "keras-model")
    assert source["hashes"] == [{"alg": "SHA-256", "content": "1" * 64}]


def test_every_package_has_version_and_hash(manifest: BundleManifest) -> None:
    value = sbom(manifest)
    packages = {one["name"]: one for one in value["components"] if one["type"] == "library"}
    assert {"numpy", "tensorflow", "keras", "protobuf"} <= packages.keys()
    assert "not-there" not in packages
    assert packages["numpy"]["version"] == manifest.versions["numpy"]
    assert packages["numpy"]["purl"] == f"pkg:pypi/numpy@{manifest.versions['numpy']}"
    for one in packages.values():
        assert [entry["alg"] for entry in one["hashes"]] == ["SHA-256"]
        assert [entry["name"] for entry in one["properties"]] == ["pipeline:installed-files-sha256"]


def test_every_reference_leads_to_a_component(manifest: BundleManifest) -> None:
    value = sbom(manifest)
    here = {one["bom-ref"] for one in _components(value)}
    needs = {one["ref"]: one["dependsOn"] for one in value["dependencies"]}
    assert {ref for needed in needs.values() for ref in needed} <= here
    assert needs.keys() <= here
    reached, waiting = set(), ["model"]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += needs.get(ref, [])
    assert reached == here


def _components(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield value["metadata"]["component"]
    yield from value["components"]


def test_equal_inputs_give_equal_bytes(manifest: BundleManifest, tmp_path: Path) -> None:
    entries = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        entries.append(write_sbom(tmp_path / name, manifest))
        assert entries[-1][SBOM_FILE].sha256 == sha256_file(tmp_path / name / SBOM_FILE)
    assert entries[0] == entries[1]
    text = (tmp_path / "one" / SBOM_FILE).read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert not {"serialNumber", "timestamp"} & {*json.loads(text), *json.loads(text)["metadata"]}
