"""Child processes: what counts as success, and what each way of dying is called."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

from pipeline.child import ChildBug, ask_child
from pipeline.contract.base import Frozen
from pipeline.contract.hashing import sha256_json
from pipeline.contract.temporary import temporary_folder
from pipeline.errors import BadInput, EnvironmentProblem, GateFailed, environment_problem
from pipeline.progress import ProgressEvent, Report
from tests.platforms import needs_proc

HERE = "tests.test_child"


class Nothing(Frozen):
    pass


class Number(Frozen):
    number: int


class Doubled(Frozen):
    doubled: int
    pid: int


class Spelled(Frozen):
    spelled: str


class PidFile(Frozen):
    path: Path


class Seen(Frozen):
    value: str | None
    string: str


def double(request: Number, report: Report) -> Doubled:
    return Doubled(doubled=request.number * 2, pid=os.getpid())


def count_up(request: Number, report: Report) -> Number:
    for done in range(request.number + 1):
        report(ProgressEvent("count", done, request.number, "naïve, with\nnewline"))
    return request


def refuse(request: Nothing, report: Report) -> Nothing:
    raise BadInput("no", where="here", expected="a", got="b", next_step="c")


def refuse_gate(request: Nothing, report: Report) -> Nothing:
    raise GateFailed("recall fell")


def crash(request: Nothing, report: Report) -> Nothing:
    raise ZeroDivisionError("a bug in the child")


def refused_by_the_machine(request: Number, report: Report) -> Nothing:
    raise OSError(request.number, "refused by the test", "a/file")


def full_disk_in_native_code(request: Nothing, report: Report) -> Nothing:
    raise RuntimeError("Can't write data (file write failed: No space left on device)")


def litter(request: Nothing, report: Report) -> Spelled:
    return Spelled(spelled=tempfile.mkdtemp())


def die(request: Number, report: Report) -> Nothing:
    report(ProgressEvent("dying", 1, 2))
    os.kill(os.getpid(), request.number)
    time.sleep(30)
    return Nothing()


def leave_nothing(request: Number, report: Report) -> Nothing:
    os._exit(0)


def leave_foreign_result(request: Number, report: Report) -> Nothing:
    answer = {"request_sha256": sha256_json({"another": "request"}), "result": {"ok": True}}
    (Path(sys.argv[2]) / "result.json").write_text(json.dumps(answer))
    os._exit(0)


def leave_result_and_fail(request: Number, report: Report) -> Nothing:
    answer = {"request_sha256": request.digest(), "result": {}}
    (Path(sys.argv[2]) / "result.json").write_text(json.dumps(answer))
    os._exit(9)


def leave_a_list(request: Number, report: Report) -> Nothing:
    answer = {"request_sha256": request.digest(), "result": [1, 2, 3]}
    (Path(sys.argv[2]) / "result.json").write_text(json.dumps(answer))
    os._exit(0)


def answer_untyped(request: Number, report: Report) -> dict[str, int]:
    return {"number": request.number}


def ask_untyped(request: dict[str, int], report: Report) -> Nothing:
    return Nothing()


def sleep_long(request: PidFile, report: Report) -> Nothing:
    request.path.write_text(str(os.getpid()))
    time.sleep(60)
    return Nothing()


def shout(request: Nothing, report: Report) -> Nothing:
    print("noise from python")
    os.write(1, b"noise from native code\n")
    os.write(2, b"noise on standard error\n")
    report(ProgressEvent("shout", 1, 1))
    return Nothing()


def environment(request: Nothing, report: Report) -> Seen:
    import string

    return Seen(value=os.environ.get("PIPELINE_TEST"), string=string.__file__)


def test_a_child_returns_its_result_from_another_process() -> None:
    result = ask_child(f"{HERE}:double", Number(number=21), Doubled)
    assert result.doubled == 42
    assert result.pid != os.getpid()


def test_progress_arrives_complete_and_in_order() -> None:
    events: list[ProgressEvent] = []
    ask_child(f"{HERE}:count_up", Number(number=200), Number, report=events.append)
    assert [event.done for event in events] == list(range(201))
    assert events[0] == ProgressEvent("count", 0, 200, "naïve, with\nnewline")


def test_a_broken_progress_display_costs_no_result_and_is_logged(
    tmp_path: Path,
) -> None:
    seen: list[int] = []

    def broken(event: ProgressEvent) -> None:
        seen.append(event.done)
        raise BrokenPipeError("the display broke")

    log = tmp_path / "child.log"
    # Far more events than a pipe holds: a child whose events nobody reads would hang.
    done = ask_child(
        f"{HERE}:count_up", Number(number=3000), Number, report=broken, timeout_s=60, log=log
    )
    assert done == Number(number=3000)
    assert seen == [0]
    assert log.read_text().count("BrokenPipeError: the display broke") == 1


def test_the_log_of_a_broken_display_stays_where_no_one_named_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(event: ProgressEvent) -> None:
        raise BrokenPipeError("the display broke")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ask_child(f"{HERE}:double", Number(number=1), Doubled)
    assert list(tmp_path.iterdir()) == []
    ask_child(f"{HERE}:count_up", Number(number=1), Number, report=broken)
    (log,) = tmp_path.iterdir()
    assert "the display broke" in log.read_text()


def test_a_refusal_passes_through_whole() -> None:
    with pytest.raises(BadInput) as caught:
        ask_child(f"{HERE}:refuse", Nothing(), Nothing)
    error = caught.value
    assert (error.what, error.where, error.expected, error.got, error.next_step) == (
        *("no", "here", "a", "b", "c"),
    )
    with pytest.raises(GateFailed, match="recall fell"):
        ask_child(f"{HERE}:refuse_gate", Nothing(), Nothing)


def test_a_bug_in_the_child_is_a_bug_and_carries_its_traceback() -> None:
    with pytest.raises(ChildBug, match="a bug in the child") as caught:
        ask_child(f"{HERE}:crash", Nothing(), Nothing)
    assert caught.value.bug_name == "ZeroDivisionError"
    text = "".join(traceback.format_exception(caught.value))
    assert 'raise ZeroDivisionError("a bug in the child")' in text


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EACCES])
def test_what_the_machine_refuses_a_child_is_named_as_in_the_parent(number: int) -> None:
    expected = environment_problem(OSError(number, "refused by the test", "a/file"))
    assert expected is not None
    with pytest.raises(EnvironmentProblem) as caught:
        ask_child(f"{HERE}:refused_by_the_machine", Number(number=number), Nothing)
    assert caught.value.to_dict() == expected.to_dict()


def test_a_full_disk_is_known_where_a_native_library_tells_of_it() -> None:
    with pytest.raises(EnvironmentProblem, match="the disk is full"):
        ask_child(f"{HERE}:full_disk_in_native_code", Nothing(), Nothing)


def test_a_file_on_which_native_code_crashes_twice_is_at_fault(tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    with pytest.raises(BadInput, match="crashes on this file") as caught:
        ask_child(
            f"{HERE}:die",
            Number(number=int(signal.SIGFPE)),
            Nothing,
            blamed=file,
            log=tmp_path / "log",
        )
    assert caught.value.where == str(file)
    assert "SIGFPE, twice" in str(caught.value.got)
    # What came from outside says nothing about the file.
    with pytest.raises(EnvironmentProblem, match="SIGKILL"):
        ask_child(f"{HERE}:die", Number(number=int(signal.SIGKILL)), Nothing, blamed=file)


def test_what_native_code_leaves_in_its_temporary_folder_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = ask_child(f"{HERE}:litter", Nothing(), Spelled)
    assert Path(seen.spelled).is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folders_of_killed_processes_are_removed_by_the_next_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder("alive") as alive:
        dead = tmp_path / "pipeline-tmp-dead"
        dead.mkdir()
        (dead / ".owner").touch()
        (dead / "large.bin").write_bytes(b"x")
        theirs = tmp_path / "pipeline-tmp-theirs"
        theirs.mkdir()
        (theirs / "kept.txt").write_text("not ours")
        (tmp_path / "pipeline-tmp-link").symlink_to(theirs)
        with temporary_folder("next"):
            assert not dead.exists()
            assert alive.is_dir()
        assert (theirs / "kept.txt").exists()
    assert not alive.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_is_named(number: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "deep" / "child.log"
    with pytest.raises(EnvironmentProblem, match=f"ended by {number.name}") as caught:
        ask_child(f"{HERE}:die", Number(number=int(number)), Nothing, log=log)
    assert caught.value.where == str(log)


@pytest.mark.parametrize("function", ["leave_nothing", "leave_foreign_result", "leave_a_list"])
def test_exit_code_zero_without_the_result_of_this_request_is_no_success(function: str) -> None:
    with pytest.raises(EnvironmentProblem, match="left no result for this request"):
        ask_child(f"{HERE}:{function}", Number(number=1), Nothing)


@pytest.mark.parametrize("function", ["answer_untyped", "ask_untyped"])
def test_a_function_that_names_no_types_is_a_bug(function: str) -> None:
    with pytest.raises(ChildBug) as caught:
        ask_child(f"{HERE}:{function}", Number(number=1), Nothing)
    assert caught.value.bug_name == "TypeError"


def test_a_result_with_another_exit_code_is_no_success() -> None:
    with pytest.raises(EnvironmentProblem, match="exit code 9"):
        ask_child(f"{HERE}:leave_result_and_fail", Number(number=1), Nothing)


def test_a_child_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(EnvironmentProblem, match=r"longer than 2\.5 s"):
        ask_child(f"{HERE}:sleep_long", PidFile(path=pid_file), Nothing, timeout_s=2.5)
    if pid_file.exists():
        assert not _alive(int(pid_file.read_text()))


def test_noise_goes_to_the_log_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "child.log"
    events: list[ProgressEvent] = []
    ask_child(f"{HERE}:shout", Nothing(), Nothing, log=log, report=events.append)
    assert events == [ProgressEvent("shout", 1, 1)]
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
    result = ask_child(f"{HERE}:environment", Nothing(), Seen, env={"PIPELINE_TEST": "set"})
    assert result.value == "set"
    assert not result.string.startswith(str(tmp_path))


def blas_threads(request: Nothing, report: Report) -> Seen:
    return Seen(value=os.environ.get("OPENBLAS_NUM_THREADS"), string="")


def test_matrix_products_of_a_child_take_one_thread_unless_more_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert ask_child(f"{HERE}:blas_threads", Nothing(), Seen).value == "1"
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert ask_child(f"{HERE}:blas_threads", Nothing(), Seen).value == "3"


@needs_proc
def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "from pipeline.child import ask_child\n"
        "from tests.test_child import Nothing, PidFile\n"
        f"ask_child({HERE + ':sleep_long'!r}, PidFile(path={str(pid_file)!r}), Nothing)\n"
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


def test_an_answer_of_another_form_names_the_child_and_a_log_that_stays(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    with pytest.raises(EnvironmentProblem, match="the step 'double' left an answer") as refused:
        ask_child(f"{HERE}:double", Number(number=21), Spelled, log=log)
    assert (refused.value.expected, refused.value.where) == ("Spelled", str(log))
    with pytest.raises(EnvironmentProblem) as refused:
        ask_child(f"{HERE}:double", Number(number=21), Spelled)
    assert Path(str(refused.value.where)).is_file()
