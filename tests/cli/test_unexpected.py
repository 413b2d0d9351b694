"""What is neither a verdict nor a refusal must not look like one; nor must a broken pipe."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.contract.image import ImageContract
from pipeline.errors import EnvironmentProblem
from tests.commands import Call
from tests.runtimes.test_recording import recording
from tests.test_architecture import ROOT


@pytest.fixture(autouse=True)
def files_go_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def broken_report(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("pipeline.workflow.report.write_report", fail)


def a_validation_error() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        ImageContract(height_px=-1)
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("division\nby zero"),
        a_validation_error(),
        EOFError(),
        RuntimeError("no"),
        OSError(9999, "an error of no machine"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_bug_exits_with_70_and_one_line_that_names_the_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    broken_report(monkeypatch, error)
    done = CliRunner().invoke(app, ["report", "--run-dir", str(tmp_path / "run")])
    assert done.exit_code == 70
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"bug: unexpected {type(error).__name__}")
    assert "report this as a bug" in line
    (file,) = tmp_path.glob("pipeline-bug-*.txt")
    assert str(file) in line
    text = file.read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in text
    assert text.startswith("pipeline ")


def test_a_bug_is_one_json_object_where_json_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken_report(monkeypatch, ZeroDivisionError("division by zero"))
    done = CliRunner().invoke(app, ["report", "--run-dir", str(tmp_path / "run"), "--json"])
    assert done.exit_code == 70
    error = json.loads(done.stdout)["error"]
    assert (error["kind"], error["exit_code"]) == ("bug", 70)
    assert (error["what"], error["got"]) == ("unexpected ZeroDivisionError", "division by zero")
    assert "ZeroDivisionError" in Path(error["where"]).read_text(encoding="utf-8")


def test_a_traceback_that_no_folder_takes_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken_report(monkeypatch, ZeroDivisionError("division by zero"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    done = CliRunner().invoke(app, ["report", "--run-dir", str(tmp_path / "run")])
    assert done.exit_code == 70
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("bug: unexpected ZeroDivisionError")


def test_a_package_that_cannot_be_imported_is_no_verdict_either(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['typer'] = None\n"
        "from pipeline.__main__ import main\n"
        "main(['report'])\n"
    )
    done = run_python("-c", code, cwd=ROOT, TMPDIR=str(tmp_path))
    assert done.returncode == 70
    assert re.match("bug: unexpected (ImportError|ModuleNotFoundError)", done.stderr)


def test_no_memory_is_a_problem_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, call: Call, tmp_path: Path
) -> None:
    broken_report(monkeypatch, MemoryError())
    done = call("report", "--run-dir", tmp_path / "run")
    assert done.code == EnvironmentProblem.exit_code
    assert "out of memory" in done.said


def test_options_that_do_not_fit_are_still_refused_as_such(call: Call, tmp_path: Path) -> None:
    for arguments in (
        ("train", "--size-px", "-3"),
        ("export", "--quantize", "int8", "--unsure-below", "7"),
    ):
        done = call(*arguments, "--run-dir", tmp_path / "run")
        assert done.code == 2, done
        assert "options" in done.said


def test_a_bad_value_of_a_late_stage_is_refused_before_the_first(
    call: Call, tmp_path: Path
) -> None:
    config = tmp_path / "pipeline.toml"
    for text in ("[train]\nsize_px = -3\n", "[export]\nunsure_below = 7.0\n"):
        config.write_text(text, encoding="utf-8")
        done = call("run", config)
        assert done.code == 2, done
        assert "configuration is not valid" in done.said
        assert not (tmp_path / "artifacts").exists()


def run_python(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )


def inconclusive(folder: Path) -> list[str]:
    """Return a command line that ends in exit code 4: of five images nothing can be said."""
    path = folder / "recording.json"
    recording().save(path)
    return ["parity", "--reference", str(path), "--candidate", str(path)]


def shell(script: str, arguments: list[str], cwd: Path) -> subprocess.CompletedProcess[Any]:
    return subprocess.run(
        ["bash", "-c", script, "bash", sys.executable, "-m", "pipeline", *arguments],
        cwd=cwd,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("json_flag", [[], ["--json"]])
@pytest.mark.parametrize(
    "script",
    [
        '"$@" | true; exit ${PIPESTATUS[0]}',
        '"$@" >&-',
        '"$@" >&- 2>&-',
        '"$@" 2>&1 | true; exit ${PIPESTATUS[0]}',
    ],
    ids=["no reader", "closed", "both closed", "no reader of either"],
)
def test_a_reader_that_has_gone_does_not_change_the_verdict(
    tmp_path: Path, script: str, json_flag: list[str]
) -> None:
    done = shell(script, [*inconclusive(tmp_path), *json_flag], ROOT)
    assert done.returncode == 4, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("json_flag", [[], ["--json"]])
def test_a_verdict_stays_what_it_is_where_nothing_can_be_written(
    tmp_path: Path, json_flag: list[str]
) -> None:
    done = shell('"$@" >/dev/full', [*inconclusive(tmp_path), *json_flag], ROOT)
    assert done.returncode == 4, done.stderr
    assert b"could not be decided" in done.stderr
    assert b"Traceback" not in done.stderr
    done = shell('"$@" >/dev/full 2>&1', [*inconclusive(tmp_path), *json_flag], ROOT)
    assert done.returncode == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("json_flag", [[], ["--json"]])
def test_a_result_that_could_not_be_written_is_a_problem_of_the_machine(
    tmp_path: Path, json_flag: list[str]
) -> None:
    done = shell('"$@" >/dev/full', ["report", "--run-dir", str(tmp_path), *json_flag], ROOT)
    assert done.returncode == 3, done.stderr
    assert b"cannot write the result to standard output: the disk is full" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_command_with_its_own_code_and_nothing_left(
    tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "data", "synthesize", str(out), "--per-class", "2000"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        # A shell starts what runs in its background with SIGINT ignored, this test too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    assert process.stderr.readline()
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []
