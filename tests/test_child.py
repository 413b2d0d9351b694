"""Child processes: what counts as success, and what each way of dying is called."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.child import ask_child, run_child
from pipeline.contract.base import Frozen
from pipeline.contract.hashing import sha256_json
from pipeline.errors import BadInput, EnvironmentProblem, GateFailed
from pipeline.progress import ProgressEvent, Report
from tests.platforms import needs_proc

HERE = "tests.test_child"


def double(request: dict[str, Any], report: Report) -> dict[str, Any]:
    return {"doubled": request["number"] * 2, "pid": os.getpid()}


def count_up(request: dict[str, Any], report: Report) -> dict[str, Any]:
    for done in range(request["total"] + 1):
        report(ProgressEvent("count", done, request["total"], "naïve, with\nnewline"))
    return {}


def refuse(request: dict[str, Any], report: Report) -> dict[str, Any]:
    raise BadInput("no", where="here", expected="a", got="b", next_step="c")


def refuse_gate(request: dict[str, Any], report: Report) -> dict[str, Any]:
    raise GateFailed("recall fell")


def crash(request: dict[str, Any], report: Report) -> dict[str, Any]:
    raise ZeroDivisionError("a bug in the child")


def die(request: dict[str, Any], report: Report) -> dict[str, Any]:
    report(ProgressEvent("dying", 1, 2))
    os.kill(os.getpid(), request["signal"])
    time.sleep(30)
    return {}


def leave_nothing(request: dict[str, Any], report: Report) -> dict[str, Any]:
    os._exit(0)


def leave_foreign_result(request: dict[str, Any], report: Report) -> dict[str, Any]:
    answer = {"request_sha256": sha256_json({"another": "request"}), "result": {"ok": True}}
    (Path(sys.argv[2]) / "result.json").write_text(json.dumps(answer))
    os._exit(0)


def leave_result_and_fail(request: dict[str, Any], report: Report) -> dict[str, Any]:
    answer = {"request_sha256": sha256_json(request), "result": {"ok": True}}
    (Path(sys.argv[2]) / "result.json").write_text(json.dumps(answer))
    os._exit(9)


def answer_a_list(request: dict[str, Any], report: Report) -> Any:
    return [1, 2, 3]


def sleep_long(request: dict[str, Any], report: Report) -> dict[str, Any]:
    Path(request["pid_file"]).write_text(str(os.getpid()))
    time.sleep(60)
    return {}


def shout(request: dict[str, Any], report: Report) -> dict[str, Any]:
    print("noise from python")
    os.write(1, b"noise from native code\n")
    os.write(2, b"noise on standard error\n")
    return {"heard": False}


def environment(request: dict[str, Any], report: Report) -> dict[str, Any]:
    import string

    return {"value": os.environ.get("PIPELINE_TEST"), "string": string.__file__}


def test_a_child_returns_its_result_from_another_process() -> None:
    result = run_child(f"{HERE}:double", {"number": 21})
    assert result["doubled"] == 42
    assert result["pid"] != os.getpid()


def test_progress_arrives_complete_and_in_order() -> None:
    events: list[ProgressEvent] = []
    run_child(f"{HERE}:count_up", {"total": 200}, report=events.append)
    assert [event.done for event in events] == list(range(201))
    assert events[0] == ProgressEvent("count", 0, 200, "naïve, with\nnewline")


def test_a_broken_progress_display_is_raised_after_the_child_has_ended() -> None:
    def broken(event: ProgressEvent) -> None:
        raise RuntimeError("the display broke")

    # Far more events than a pipe holds: a child whose events nobody reads would hang.
    with pytest.raises(RuntimeError, match="display broke"):
        run_child(f"{HERE}:count_up", {"total": 3000}, report=broken, timeout_s=60)


def test_a_refusal_passes_through_whole() -> None:
    with pytest.raises(BadInput) as caught:
        run_child(f"{HERE}:refuse", {})
    error = caught.value
    assert (error.what, error.where, error.expected, error.got, error.next_step) == (
        *("no", "here", "a", "b", "c"),
    )
    with pytest.raises(GateFailed, match="recall fell"):
        run_child(f"{HERE}:refuse_gate", {})


def test_a_bug_in_the_child_shows_its_traceback() -> None:
    with pytest.raises(EnvironmentProblem, match="exit code 1") as caught:
        run_child(f"{HERE}:crash", {})
    assert "ZeroDivisionError: a bug in the child" in str(caught.value.got)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_is_named(number: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "deep" / "child.log"
    with pytest.raises(EnvironmentProblem, match=f"ended by {number.name}") as caught:
        run_child(f"{HERE}:die", {"signal": int(number)}, log=log)
    assert caught.value.where == str(log)


@pytest.mark.parametrize("function", ["leave_nothing", "leave_foreign_result", "answer_a_list"])
def test_exit_code_zero_without_the_result_of_this_request_is_no_success(function: str) -> None:
    with pytest.raises(EnvironmentProblem, match="left no result for this request"):
        run_child(f"{HERE}:{function}", {"number": 1})


def test_a_result_with_another_exit_code_is_no_success() -> None:
    with pytest.raises(EnvironmentProblem, match="exit code 9"):
        run_child(f"{HERE}:leave_result_and_fail", {})


def test_a_child_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(EnvironmentProblem, match=r"longer than 2\.5 s"):
        run_child(f"{HERE}:sleep_long", {"pid_file": str(pid_file)}, timeout_s=2.5)
    if pid_file.exists():
        assert not _alive(int(pid_file.read_text()))


def test_noise_goes_to_the_log_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "child.log"
    assert run_child(f"{HERE}:shout", {}, log=log) == {"heard": False}
    assert capfd.readouterr() == ("", "")
    noise = log.read_text()
    assert "from python" in noise
    assert "from native code" in noise
    assert "standard error" in noise


def test_the_working_folder_cannot_stand_in_for_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("string.py", "pipeline/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    result = run_child(f"{HERE}:environment", {}, env={"PIPELINE_TEST": "set"})
    assert result["value"] == "set"
    assert not result["string"].startswith(str(tmp_path))


@needs_proc
def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "from pipeline.child import run_child\n"
        f"run_child({HERE + ':sleep_long'!r}, {{'pid_file': {str(pid_file)!r}}})\n"
    )
    root = Path(__file__).resolve().parents[1]
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=root)
    try:
        _wait_for(lambda: pid_file.exists() and bool(pid_file.read_text()))
    finally:
        parent.kill()
        parent.wait()
    child = int(pid_file.read_text())
    _wait_for(lambda: not _alive(child))


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _wait_for(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


class Number(Frozen):
    number: int


class Doubled(Frozen):
    doubled: int


class Spelled(Frozen):
    spelled: str


def double_typed(request: Number, report: Report) -> Doubled:
    return Doubled(doubled=2 * request.number)


def test_a_typed_request_gives_a_typed_answer() -> None:
    assert ask_child(f"{HERE}:double_typed", Number(number=21), Doubled) == Doubled(doubled=42)


def test_an_answer_of_another_form_is_an_environment_problem() -> None:
    with pytest.raises(EnvironmentProblem, match="another form") as refused:
        ask_child(f"{HERE}:double_typed", Number(number=21), Spelled)
    assert refused.value.expected == "Spelled"
