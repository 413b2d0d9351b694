"""Install bundles into a project's assets: whole, proven, or not at all."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipeline.android.project import AndroidProject
from pipeline.errors import BadInput, GateFailed, Inconclusive, PipelineError
from pipeline.workflow.install import install
from tests.android.bundles import HOSTILE, Hostile, whole_bundle
from tests.bundles.broken import BUNDLE, Case, cases
from tests.bundles.litert_once import litert_once as litert_once
from tests.commands import Call
from tests.commands import call as call
from tests.export.samples import RECIPES

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = "gradle/libs.versions.toml"
HOLD = """
import sys
from pathlib import Path
from pipeline.android.project import AndroidProject
with AndroidProject(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def project(tmp_path: Path) -> AndroidProject:
    folder = tmp_path / "project" / "gradle"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "android_demo" / CATALOGUE, folder)
    return AndroidProject(tmp_path / "project")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, tmp_path / "bundle"))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_installs_byte_for_byte(
    tmp_path: Path, project: AndroidProject, recipe: object
) -> None:
    bundle = whole_bundle(tmp_path / "any", recipe)  # type: ignore[arg-type]
    installed = install(bundle, project)
    assert installed.folder == project.root / "app/src/main/assets/model"
    assert contents(installed.folder) == contents(bundle)
    assert "goldens/goldens.json" in contents(installed.folder)
    assert installed.size_bytes == sum(map(len, contents(bundle).values()))


def test_installing_again_replaces_what_was_there(
    project: AndroidProject, bundle: Path, tmp_path: Path
) -> None:
    install(whole_bundle(tmp_path / "first", RECIPES[0]), project)
    (project.model / "left-over.txt").write_text("old", encoding="utf-8")
    install(bundle, project)
    assert contents(project.model) == contents(bundle)
    assert [path.name for path in project.model.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_a_wrong_bundle_is_refused_in_its_sentence_and_nothing_changes(
    project: AndroidProject, bundle: Path, hostile: Hostile
) -> None:
    install(bundle, project)
    before = contents(project.root)
    hostile.break_it(bundle)
    with pytest.raises(PipelineError) as refused:
        install(bundle, project)
    assert refused.value.what == hostile.sentence
    assert refused.value.where == str(bundle)
    assert contents(project.root) == before


@pytest.mark.usefixtures("litert_once")
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_forged_bundle_is_not_installed(
    project: AndroidProject, tmp_path: Path, case: Case
) -> None:
    forged = case.make(tmp_path / "forged")
    with pytest.raises(PipelineError) as refused:
        install(forged, project)
    if case.sentence is not None:
        assert refused.value.what == case.sentence
    assert refused.value.where == str(forged)
    assert not project.model.exists()


@pytest.mark.parametrize(
    ("name", "kind"), [("a failed verdict", GateFailed), ("an undecided verdict", Inconclusive)]
)
def test_what_a_verdict_came_to_decides_the_exit_code(
    project: AndroidProject, tmp_path: Path, name: str, kind: type[PipelineError]
) -> None:
    case = next(case for case in cases() if case.name == name)
    with pytest.raises(kind, match="not pass"):
        install(case.make(tmp_path / "forged"), project)


def test_operators_that_are_newer_than_the_app_are_refused(
    project: AndroidProject, bundle: Path
) -> None:
    catalogue = project.root / CATALOGUE
    text = catalogue.read_text(encoding="utf-8")
    promised = f'tflite-checked = "{project.promised_runtime()}"'
    assert promised in text
    catalogue.write_text(text.replace(promised, 'tflite-checked = "1.5.0"'), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        install(bundle, project)
    assert refused.value.what == "The model needs runtime 1.14.0 or newer; the app has 1.5.0."


def start_install(bundle: Path, project: AndroidProject) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "android", "install", bundle, "--project", project.root],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_second_process_that_installs_is_refused(project: AndroidProject, bundle: Path) -> None:
    held = subprocess.Popen(
        [sys.executable, "-c", HOLD, project.root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdout is not None
    assert held.stdout.readline() == "held\n"
    second = start_install(bundle, project)
    _, said = second.communicate(timeout=60)
    assert second.returncode == 3
    assert "another `pipeline android install` is writing to this project" in said
    assert not project.model.exists()
    # A killed process holds nothing.
    held.kill()
    held.communicate(timeout=60)
    third = start_install(bundle, project)
    third.communicate(timeout=60)
    assert third.returncode == 0
    assert contents(project.model) == contents(bundle)


def test_of_two_processes_at_once_one_installs_whole(
    project: AndroidProject, bundle: Path, tmp_path: Path
) -> None:
    other = whole_bundle(tmp_path / "other", RECIPES[0])
    both = [start_install(one, project) for one in (bundle, other)]
    said = [one.communicate(timeout=60)[1] for one in both]
    codes = [one.returncode for one in both]
    assert set(codes) <= {0, 3}, said
    assert 0 in codes, said
    assert contents(project.model) in [
        contents(one) for one, code in zip((bundle, other), codes, strict=True) if code == 0
    ]
    assert [path.name for path in project.model.parent.iterdir()] == ["model"]


def test_an_interrupted_install_is_cleared_away(project: AndroidProject, bundle: Path) -> None:
    install(bundle, project)
    parent = project.model.parent
    project.model.rename(parent / ".replaced-model")
    (parent / ".staging-model-killed").mkdir()
    install(bundle, project)
    assert [path.name for path in parent.iterdir()] == ["model"]


def test_another_folder_is_no_project(tmp_path: Path, bundle: Path) -> None:
    with pytest.raises(BadInput, match="not the Android project"):
        install(bundle, AndroidProject(tmp_path))


@pytest.mark.parametrize("text", ["[versions", "[versions]\nagp = '8'\n", "versions = 1\n"])
def test_a_catalogue_without_the_promise_is_refused(
    project: AndroidProject, bundle: Path, text: str
) -> None:
    (project.root / CATALOGUE).write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match="version catalogue"):
        install(bundle, project)


def test_the_command_says_what_it_installed(
    call: Call, project: AndroidProject, bundle: Path
) -> None:
    done = call("android", "install", bundle, "--project", project.root, "--json")
    assert done.code == 0
    assert done.json()["recipe"] == "int8-uint8"
    assert done.json()["labels"] == ["RED", "GREEN", "BLUE"]
    (bundle / "notes.txt").write_text("hello", encoding="utf-8")
    refused = call("android", "install", bundle, "--project", project.root)
    assert refused.code == 1
    assert "refused: The bundle holds a file that its manifest does not list" in refused.said


def test_the_real_project_promises_the_runtime_its_checks_run() -> None:
    text = (ROOT / "android_demo" / CATALOGUE).read_text(encoding="utf-8")
    versions = tomllib.loads(text)["versions"]
    assert AndroidProject(ROOT / "android_demo").promised_runtime() == versions["tflite-checked"]
    pinned = (ROOT / "android_demo" / "checks" / "downloads.txt").read_text(encoding="utf-8")
    assert f"org.tensorflow:tensorflow-lite:{versions['tflite-checked']}" in pinned
