"""Run the steps of the GitHub Action in bash, with what GitHub would put in for its inputs.

`uv` and the installer are stand-ins: this environment is the installed one. `pipeline verify` is
the real one; `parity` and `report`, which need images or a run, are noted and end as the test says.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bundles.broken import BUNDLE
from tests.signing.keys import key_pair

ROOT = Path(__file__).resolve().parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]

UV = """#!/usr/bin/env bash
echo "uv $*" >> "$CALLS"
[ "$1" = run ] || exit 0
shift 4
case "$2" in
verify) shift; exec "$REAL_PYTHON" -m pipeline "$@" ;;
report) mkdir -p "${!#}/report"; echo page > "${!#}/report/index.html" ;;
*) exit "$PARITY_CODE" ;;
esac
"""
PYTHON = """#!/usr/bin/env bash
echo "python3 $*" >> "$CALLS"
"""


@dataclass(frozen=True)
class Ran:
    """Hold what a run of the action came to."""

    code: int
    calls: list[str]
    uploads: list[dict[str, str]]
    summary: str
    folder: Path


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    shims = tmp_path / "bin"
    shims.mkdir()
    for name, text in (("uv", UV), ("python3", PYTHON)):
        (shims / name).write_text(text, encoding="utf-8")
        (shims / name).chmod(0o755)
    shutil.copytree(BUNDLE, tmp_path / "work" / "a bundle")

    def run_action(parity_code: int = 0, **inputs: str) -> Ran:
        return _run_action(tmp_path, {"bundle": "a bundle", **inputs}, parity_code)

    return run_action


def _run_action(folder: Path, given: dict[str, str], parity_code: int) -> Ran:
    values = {f"inputs.{name}": str(one.get("default", "")) for name, one in _inputs().items()}
    values |= {f"inputs.{name.replace('_', '-')}": value for name, value in given.items()}
    values["github.action_path"] = str(ROOT)
    calls, summary = folder / "calls", folder / "summary"
    calls.touch()
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "REAL_PYTHON": sys.executable,
        "CALLS": str(calls),
        "PARITY_CODE": str(parity_code),
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    uploads, code = [], 0
    for number, step in enumerate(STEPS):
        if code and "always()" not in step.get("if", ""):
            continue
        if not _condition(step.get("if", "always()"), values):
            continue
        if "run" not in step:
            if step["uses"].startswith("actions/upload-artifact@"):
                uploads.append({k: _put_in(v, values) for k, v in step["with"].items()})
            continue
        output = folder / f"output-{number}"
        output.touch()
        own = {name: _put_in(text, values) for name, text in step.get("env", {}).items()}
        # As GitHub runs `shell: bash`.
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=folder / "work",
            env={**environment, **own, "GITHUB_OUTPUT": str(output)},
            timeout=120,
        )
        code = code or done.returncode
        for line in output.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            values[f"steps.{step['id']}.outputs.{name}"] = value
    assert values["steps.result.outputs.exit-code"] == str(code)
    text = summary.read_text(encoding="utf-8") if summary.exists() else ""
    return Ran(code, calls.read_text(encoding="utf-8").splitlines(), uploads, text, folder / "work")


def _inputs() -> dict[str, dict[str, Any]]:
    inputs: dict[str, dict[str, Any]] = ACTION["inputs"]
    return inputs


def _put_in(text: str, values: dict[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name, _, otherwise = found[1].partition("||")
        return values.get(name.strip(), "") or otherwise.strip().strip("'")

    return re.sub(r"\$\{\{\s*(.*?)\s*\}\}", value, text)


def _condition(text: str, values: dict[str, str]) -> bool:
    """Evaluate a condition of comparisons, `&&`, `||` and `always()`."""
    python = text.replace("always()", "True").replace("&&", "and").replace("||", "or")
    python = re.sub(r"\b(?:inputs|steps)\.[\w.-]+", lambda m: repr(values.get(m[0], "")), python)
    return bool(eval(python, {"__builtins__": {}}))


def test_a_proven_bundle_is_green_with_reports_and_summary(run: Run) -> None:
    ran = run()
    assert ran.code == 0
    assert "# verify: pass" in ran.summary
    assert {path.name for path in (ran.folder / "pipeline-report").iterdir()} == {
        "verify.xml",
        "verify.md",
    }
    assert ran.uploads == [{"name": "pipeline-report", "path": "pipeline-report"}]
    assert ran.calls[0].startswith("python3 -m pip install")
    assert ran.calls[1] == f"uv sync --locked --no-dev --extra signing --project {ROOT}"
    assert [call for call in ran.calls if "parity" in call] == []


def test_a_changed_bundle_is_red_and_not_judged_any_further(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "work" / "a bundle" / "model.tflite").open("ab") as stream:
        stream.write(b"x")
    ran = run(data="images")
    assert ran.code == 1
    assert "model.tflite" in ran.summary
    assert ran.uploads
    assert [call for call in ran.calls if "parity" in call] == []


def test_parity_gets_images_run_and_tolerance_and_its_code_is_kept(run: Run) -> None:
    ran = run(parity_code=4, data="my images", run_dir="run", tolerance="0.02", report="proof")
    assert ran.code == 4
    (call,) = [call for call in ran.calls if "parity" in call]
    assert call.endswith(
        "pipeline parity a bundle --junit proof/parity.xml --markdown proof/parity.md "
        "--tolerance 0.02 --data my images --run-dir run"
    )
    assert (ran.folder / "proof" / "index.html").read_text(encoding="utf-8") == "page\n"
    assert ran.uploads == [{"name": "pipeline-report", "path": "proof"}]


def test_a_signature_is_asked_for(run: Run, tmp_path: Path) -> None:
    keys = key_pair(tmp_path)
    ran = run(public_key=str(keys.public), require_signature="true", artifact_name="")
    assert ran.code == 1
    assert "not signed" in ran.summary
    assert ran.uploads == []


def test_an_input_is_never_part_of_a_script() -> None:
    assert [step for step in STEPS if "${{" in step.get("run", "")] == []


def test_every_input_is_used_and_documented() -> None:
    text = yaml.safe_dump(STEPS)
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    for name, one in _inputs().items():
        assert f"inputs.{name}" in text
        assert f"`{name}`" in page
        assert one["description"]
