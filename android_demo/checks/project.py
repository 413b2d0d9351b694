"""Where the project keeps what, and which versions it states."""

import os
import re
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKS = ROOT / "checks"
BUILD = ROOT / "build"
CORE_SOURCES = ROOT / "core/src/main/kotlin"
CORE_TESTS = ROOT / "core/src/test/kotlin"
APP = ROOT / "app/src/main"
APP_SOURCES = APP / "kotlin"
INSTALLED_MODEL = APP / "assets/model"


class Failed(Exception):
    """A step found something wrong; the text says what."""


class Missing(Exception):
    """A tool, a download or a model is not there; the text says how to get it."""


@cache
def versions() -> dict[str, str]:
    """Return the [versions] of gradle/libs.versions.toml, their one home."""
    catalog = tomllib.loads((ROOT / "gradle/libs.versions.toml").read_text())
    return {name: str(version) for name, version in catalog["versions"].items()}


@cache
def gradle_value(name: str) -> str:
    """Return a plain value of app/build.gradle.kts, such as its namespace or versionCode.

    Raises:
        Failed: The value is not stated exactly once.
    """
    script = (ROOT / "app/build.gradle.kts").read_text()
    found = re.findall(rf'^\s*{name}\s*=\s*"?([\w.]+)"?\s*$', script, re.MULTILINE)
    if len(found) != 1:
        raise Failed(f"app/build.gradle.kts states {name} {len(found)} times, not once")
    return str(found[0])


def cache_folder() -> Path:
    """Return where downloads are kept between runs and between copies of the project."""
    stated = os.environ.get("PIPELINE_ANDROID_CACHE")
    return Path(stated) if stated else Path.home() / ".cache/pipeline-android"


def kotlin_files(folder: Path) -> list[Path]:
    """Return every Kotlin source under a folder, sorted.

    Raises:
        Failed: There is none.
    """
    found = sorted(folder.rglob("*.kt"))
    if not found:
        raise Failed(f"there is no Kotlin source in {folder.relative_to(ROOT)}")
    return found
