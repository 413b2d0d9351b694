"""Hold what the app says and promises equal to where each fact has its home."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from defusedxml import ElementTree

from pipeline.android.project import AndroidProject
from pipeline.contract.bundle import MEASURED_FILE, SIGNATURE_FILES
from pipeline.contract.goldens import GOLDEN_TOLERANCE, NEAR_LEVELS
from pipeline.contract.image import ImageContract
from pipeline.contract.manifest import NOTICE

PROJECT = Path(__file__).resolve().parents[2] / "android_demo"
CORE = sorted((PROJECT / "core" / "src" / "main").rglob("*.kt"))


def strings(name: str) -> dict[str, str]:
    root = ElementTree.parse(PROJECT / "app" / "src" / "main" / "res" / "values" / name).getroot()
    return {entry.attrib["name"]: str(entry.text) for entry in root if entry.tag == "string"}


def test_the_app_shows_the_notice_of_every_manifest() -> None:
    assert strings("strings.xml")["notice"] == NOTICE


def test_the_app_promises_the_runtime_of_its_catalogue() -> None:
    assert strings("runtime.xml")["promised_runtime"] == AndroidProject(PROJECT).promised_runtime()


def test_a_bare_model_has_the_contract_s_pixel_limit() -> None:
    text = (PROJECT / "core/src/main/kotlin/pipeline/core/ModelDescription.kt").read_text("utf-8")
    (limit,) = re.findall(r"MAX_IMAGE_PX = ([\d_]+)L", text)
    assert int(limit) == ImageContract().max_image_px


def test_core_accepts_no_laxer_goldens_than_the_tool_writes() -> None:
    text = (PROJECT / "core/src/main/kotlin/pipeline/core/Goldens.kt").read_text("utf-8")
    (near,) = re.findall(r"WIDEST_NEAR_LEVELS = ([\d.]+)", text)
    assert float(near) == NEAR_LEVELS
    constants = {
        name: float(value) for name, value in re.findall(r"const val (\w+_TOLERANCE) = (.*)f", text)
    }
    stated = {
        name: constants[constant]
        for names, constant in re.findall(r"^ +(\"[^>]*\") -> (\w+)$", text, re.MULTILINE)
        for name in re.findall(r"\"(\w+)\"", names)
    }
    assert stated == {str(quantize): limit for quantize, limit in GOLDEN_TOLERANCE.items()}


def test_core_expects_the_files_that_no_manifest_lists() -> None:
    text = (PROJECT / "core/src/main/kotlin/pipeline/core/BundleContents.kt").read_text("utf-8")
    (listed,) = re.findall(r"UNLISTED = setOf\(MANIFEST, (.*)\)", text)
    assert tuple(re.findall(r"\"([^\"]+)\"", listed)) == (MEASURED_FILE, *SIGNATURE_FILES)


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_core_names_no_size_no_normalization_no_class(path: Path) -> None:
    text = path.read_text("utf-8").replace("SHA-256", "the hash")
    assert not re.findall(r"\b(?:256|224|127\.5|MEL|NV|BCC|melanoma)\b", text)


def test_the_manifest_asks_for_nothing_and_backs_nothing_up() -> None:
    root = ElementTree.parse(PROJECT / "app" / "src" / "main" / "AndroidManifest.xml").getroot()
    assert CORE
    assert not root.findall("uses-permission")
    application = root.find("application")
    assert application is not None
    name = "{http://schemas.android.com/apk/res/android}"
    assert application.attrib[f"{name}allowBackup"] == "false"
    assert application.attrib[f"{name}fullBackupContent"] == "false"
