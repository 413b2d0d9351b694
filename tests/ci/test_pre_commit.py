"""Run the pre-commit hook's entry in a repository, as pre-commit does."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.bundles.broken import BUNDLE

ROOT = Path(__file__).resolve().parents[2]
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "-q")
    shutil.copytree(BUNDLE, tmp_path / "models" / "skin")
    (tmp_path / "README.md").write_text("A project.\n", encoding="utf-8")
    _git(tmp_path, "add", ".")
    return tmp_path


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def _hook(repository: Path, *names: str) -> tuple[int, str]:
    files = names or tuple(_git(repository, "ls-files").split())
    program, *arguments = shlex.split(HOOK["entry"])
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *arguments, *files],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr


def test_a_proven_bundle_may_be_committed(repository: Path) -> None:
    assert _hook(repository) == (0, "")


def test_what_touches_no_bundle_is_let_through(repository: Path) -> None:
    (repository / "models" / "skin" / "model.tflite").write_bytes(b"broken")
    assert _hook(repository, "README.md") == (0, "")


@pytest.mark.parametrize("touched", ["models/skin/model.tflite", "models/skin/goldens/gray.jpg"])
def test_a_broken_bundle_is_refused_whichever_file_of_it_is_committed(
    repository: Path, touched: str
) -> None:
    with (repository / "models" / "skin" / "model.tflite").open("ab") as stream:
        stream.write(b"x")
    code, said = _hook(repository, touched)
    assert code == 1
    assert "model.tflite" in said


def test_a_damaged_manifest_does_not_hide_its_bundle(repository: Path) -> None:
    (repository / "models" / "skin" / "manifest.json").write_text("{", encoding="utf-8")
    assert _hook(repository, "models/skin/labels.txt")[0] == 1


def test_a_model_without_a_bundle_is_refused(repository: Path) -> None:
    (repository / "bare.tflite").write_bytes(b"model")
    code, said = _hook(repository, "bare.tflite")
    assert code == 1
    assert "bare.tflite" in said


def test_a_bundle_that_is_committed_in_part_is_refused(repository: Path) -> None:
    _git(repository, "rm", "-q", "--cached", "models/skin/model.tflite")
    code, said = _hook(repository)
    assert code == 1
    assert "model.tflite" in said
