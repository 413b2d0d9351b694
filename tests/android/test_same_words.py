"""Run the app's own check, which Gradle runs too, on every broken bundle: the same words."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.android.project import AndroidProject
from pipeline.contract.bundle import MANIFEST_FILE
from pipeline.runtimes.android_host import AndroidHost
from tests.android.bundles import HOSTILE, Hostile, edit_json, whole_bundle
from tests.android.host import PROJECT, run_java
from tests.bundles.broken import Case, cases
from tests.bundles.published import seal_json_again
from tests.export.samples import RECIPES, samples

pytestmark = pytest.mark.android
PROMISED = AndroidProject(PROJECT).promised_runtime()


def check(host: AndroidHost, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_java(host, "pipeline.core.CheckModelKt", folder, PROMISED)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_whole_bundle_is_let_through(tmp_path: Path, host: AndroidHost, recipe: object) -> None:
    done = check(host, whole_bundle(tmp_path / "bundle", recipe))  # type: ignore[arg-type]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Proven model: 3 classes, ")


def test_the_app_asks_for_no_more_than_it_uses(tmp_path: Path, host: AndroidHost) -> None:
    folder = whole_bundle(tmp_path / "bundle")

    def more_evidence(verdict: dict[str, Any]) -> None:
        verdict["schema_version"] += 1
        for check in verdict["checks"]:
            check["evidence"]["more"] = {"found": 3, "of": [1, {"more": None}]}

    def other_search(manifest: dict[str, Any]) -> None:
        manifest["schema_version"] += 1
        manifest["search"] = [{"steps": ["ranges"], "agreement": 0.99}]

    edit_json(folder / "verdict.json", more_evidence)
    edit_json(folder / MANIFEST_FILE, other_search)
    seal_json_again(folder)
    done = check(host, folder)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("case", [c for c in cases() if c.app], ids=lambda case: case.name)
def test_a_forged_bundle_stops_the_build_in_the_words_of_the_table(
    tmp_path: Path, host: AndroidHost, case: Case
) -> None:
    done = check(host, case.make(tmp_path / "bundle"))
    assert (done.returncode, done.stderr) == (1, f"{case.sentence}\n")


def test_operators_that_are_newer_than_the_app_stop_the_build(
    tmp_path: Path, host: AndroidHost
) -> None:
    folder = whole_bundle(tmp_path / "bundle")
    done = run_java(host, "pipeline.core.CheckModelKt", folder, "1.5.0")
    assert done.returncode == 1
    assert done.stderr == "The model needs runtime 1.14.0 or newer; the app has 1.5.0.\n"


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_a_wrong_bundle_stops_the_build_in_the_same_sentence(
    tmp_path: Path, host: AndroidHost, hostile: Hostile
) -> None:
    folder = whole_bundle(tmp_path / "bundle")
    hostile.break_it(folder)
    done = check(host, folder)
    assert done.returncode == 1
    assert done.stderr == hostile.sentence + "\n"


def test_a_bare_model_is_let_through_as_unproven(tmp_path: Path, host: AndroidHost) -> None:
    (tmp_path / "mine.tflite").write_bytes(samples().described["float16"].read_bytes())
    done = check(host, tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("Model without its proof: 3 classes, ")


@pytest.mark.parametrize("size_bytes", [0, 100, 3000])
def test_half_a_model_is_refused(tmp_path: Path, host: AndroidHost, size_bytes: int) -> None:
    whole = samples().described["float16"].read_bytes()
    (tmp_path / "half.tflite").write_bytes(whole[:size_bytes])
    done = check(host, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("The model file cannot be read: ")
    assert len(done.stderr.splitlines()) == 1
