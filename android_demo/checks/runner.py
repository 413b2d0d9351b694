"""The command: which steps run, how long each took, and how it ends."""

import argparse
import fcntl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from checks.project import BUILD, INSTALLED_MODEL, Failed, Missing
from checks.shell import Step, packages
from checks.steps import STEPS

PASSED, FAILED, MISSING = 0, 1, 3
TAIL_LINES = 40
# Class paths are long, and whole in the log.
TAIL_CHARS = 300
WIDTH = 24


def main(arguments: Sequence[str]) -> int:
    """Run the command; return 0 passed, 1 failed, 2 bad usage, 3 something is missing."""
    options = _parse(arguments)
    if options.packages:
        print(" ".join(packages()))
        return PASSED
    if options.list:
        for name, (_, about) in STEPS.items():
            print(f"{name:<12} {about}")
        return PASSED
    chosen = [name for name in STEPS if not options.only or name in options.only]
    with _alone():
        return _run(chosen, options.bundle.resolve())


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="android_demo/check",
        description="Check the Android project without Gradle and without a phone.",
        epilog="Exit code: 0 passed, 1 failed, 2 bad usage, 3 a tool, download or model missing.",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        action="extend",
        metavar="STEP",
        choices=STEPS,
        help="run only these steps",
    )
    parser.add_argument("--list", action="store_true", help="list the steps")
    parser.add_argument("--packages", action="store_true", help="print the apt packages needed")
    parser.add_argument(
        "--bundle",
        type=Path,
        default=INSTALLED_MODEL,
        metavar="FOLDER",
        help="the bundle to check with (default: the installed one)",
    )
    return parser.parse_args(arguments)


@contextmanager
def _alone() -> Iterator[None]:
    """Let one check at a time write to the build folder."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another check is running here; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(chosen: Sequence[str], bundle: Path) -> int:
    times: list[tuple[str, float, str]] = []
    code = PASSED
    for name in chosen:
        step = Step(name, bundle)
        step.log.parent.mkdir(parents=True, exist_ok=True)
        step.log.write_text("")
        run, _ = STEPS[name]
        print(f"{name + ' ':.<{WIDTH}} ", end="", flush=True)
        start = time.monotonic()
        try:
            said = run(step)
            code, outcome = PASSED, "ok"
        except Failed as problem:
            code, outcome, said = FAILED, "FAILED", [str(problem)]
        except Missing as problem:
            code, outcome, said = MISSING, "MISSING", [str(problem)]
        seconds = time.monotonic() - start
        times.append((name, seconds, outcome))
        print(f"{seconds:6.1f} s{'' if code == PASSED else '  ' + outcome}")
        for line in said:
            print(f"    {line}")
        if code == FAILED:
            _show_log(step)
        if code != PASSED:
            break
    _show_times(times)
    return code


def _show_log(step: Step) -> None:
    lines = step.log.read_text(encoding="utf-8").rstrip().splitlines()
    for line in lines[-TAIL_LINES:]:
        print(f"    | {line[:TAIL_CHARS]}")
    print(f"    the whole log: {step.log}")


def _show_times(times: Sequence[tuple[str, float, str]]) -> None:
    print()
    for name, seconds, outcome in times:
        print(f"{name:<{WIDTH}} {seconds:6.1f} s  {outcome}")
    print(f"{'together':<{WIDTH}} {sum(seconds for _, seconds, _ in times):6.1f} s", flush=True)
