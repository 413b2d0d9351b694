"""Shared processes: who shares one, what each request keeps for itself, what a death costs."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from pipeline.child import ask_child
from pipeline.errors import BadInput, EnvironmentProblem
from pipeline.progress import ProgressEvent
from pipeline.worker import shared_processes
from tests.test_child import Doubled, Nothing, Number, PidFile, Seen, Spelled

CHILD = "tests.test_child"


def pid(process: str | None = "one", **env: str) -> int:
    answer = ask_child(f"{CHILD}:double", Number(number=2), Doubled, process=process, env=env)
    assert answer.doubled == 4
    return answer.pid


def test_requests_of_one_name_share_a_process_and_others_do_not() -> None:
    with shared_processes():
        shared = pid()
        # One inside another is the same.
        with shared_processes():
            assert pid() == shared
        others = [pid("two"), pid(None), pid(PIPELINE_TEST="set")]
        assert pid() == shared
        assert len({shared, os.getpid(), *others}) == 5
    with pytest.raises(ProcessLookupError):
        os.kill(shared, 0)
    assert pid() != pid()


def test_each_request_has_its_own_events_log_and_refusal(tmp_path: Path) -> None:
    with shared_processes():
        for number in (3, 5):
            events: list[ProgressEvent] = []
            request = Number(number=number)
            ask_child(f"{CHILD}:count_up", request, Number, process="one", report=events.append)
            assert [event.done for event in events] == list(range(number + 1))
        for name in ("first.log", "second.log"):
            log = tmp_path / name
            ask_child(f"{CHILD}:shout", Nothing(), Nothing, process="one", log=log)
            assert log.read_text().count("noise from native code") == 1
            assert log.read_text().count("noise from python") == 1
        before = pid()
        with pytest.raises(BadInput, match="no"):
            ask_child(f"{CHILD}:refuse", Nothing(), Nothing, process="one")
        assert pid() == before
        seen = ask_child(
            f"{CHILD}:environment", Nothing(), Seen, process="one", env={"PIPELINE_TEST": "set"}
        )
        assert seen.value == "set"


def test_a_death_is_named_and_costs_one_request(tmp_path: Path) -> None:
    with shared_processes():
        before = pid()
        log = tmp_path / "log"
        with pytest.raises(EnvironmentProblem, match="ended by SIGKILL") as caught:
            ask_child(
                f"{CHILD}:die", Number(number=signal.SIGKILL), Nothing, process="one", log=log
            )
        assert caught.value.where == str(log)
        after = pid()
        assert after != before
        # Killed between two requests.
        os.kill(after, signal.SIGKILL)
        with pytest.raises(EnvironmentProblem, match="ended by SIGKILL"):
            pid()
        assert pid() not in (before, after)


def test_a_request_that_takes_too_long_ends_the_process(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with shared_processes():
        pid()
        with pytest.raises(EnvironmentProblem, match=r"longer than 1 s"):
            ask_child(
                f"{CHILD}:sleep_long",
                PidFile(path=file),
                Nothing,
                process="one",
                timeout_s=1,
            )
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text()), 0)


def test_temporary_files_go_with_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with shared_processes():
        seen = ask_child(f"{CHILD}:litter", Nothing(), Spelled, process="one")
        assert Path(seen.spelled).is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []
