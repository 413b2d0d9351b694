"""Run one case and say what it came to, and which of the rules for every command it broke."""

from __future__ import annotations

import json
import re
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.corpus import Case
from tests.hostile.warm import Ended, Warm
from tests.hostile.world import Place

_CODES = (0, 1, 2, 3, 4)
_HALF_WRITTEN = re.compile(r"^\.(tmp|staging|replaced)-|\.unfinished$")
_MAY_STAY = re.compile(r"(^|/)(\.lock|logs(/.*)?|logs)$")
_DEVICES = tuple(Path("/dev", name) for name in ("null", "full", "zero", "urandom"))
_LONGEST = 4000
_TIMEOUT_S = 12.0


@dataclass(frozen=True)
class Outcome:
    """Hold the exit code, the first line of a refusal ("" without one) and broken rules."""

    code: int
    what: str
    problems: tuple[str, ...]
    seconds: float


def as_json(case: Case) -> bool:
    """Tell whether a case is run with --json: every second one, by its name."""
    if "--json" in case.words:
        return True
    plain = case.stdout is None and case.stderr is None and case.file_limit_bytes is None
    able = plain and not {"--", "--help", ""} & set(case.words)
    return able and zlib.crc32(case.name.encode()) % 2 == 0


def run_case(case: Case, warm: Warm, world: Path, root: Path) -> Outcome:
    """Run a case in `root`, a new folder."""
    root.mkdir(parents=True)
    place = Place(world, root)
    words = [_word(word, place) for word in case.words]
    case.arrange(place)
    temporary, streams = root / "tmp", root.with_name(f"{root.name}-streams")
    temporary.mkdir()
    streams.mkdir(exist_ok=True)
    before = _listing(root)
    wants_json = as_json(case)
    ended = warm.run(
        [*words, *(["--json"] if wants_json and "--json" not in words else [])],
        cwd=root,
        streams=streams,
        env={"TMPDIR": str(temporary), "COLUMNS": "500", "NO_COLOR": "1", **case.env},
        stdout=case.stdout,
        stderr=case.stderr,
        encoding=case.encoding,
        file_limit_bytes=case.file_limit_bytes,
        timeout_s=_TIMEOUT_S,
    )
    problems: list[str] = []
    what = _refusal(ended, problems, wants_json=wants_json)
    _check_words(ended, problems)
    _check_left(ended, before, _listing(root), problems)
    problems += [f"{device} was replaced" for device in _DEVICES if not device.is_char_device()]
    return Outcome(ended.code, what, tuple(problems), ended.seconds)


def _word(word: str, place: Place) -> str:
    found = re.match(r"\{(.*?)\}(.*)$", word)
    if found is None:
        return word
    return str(place[found[1]].relative_to(place.root)) + found[2]


def _listing(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


def _refusal(ended: Ended, problems: list[str], *, wants_json: bool) -> str:
    if ended.timed_out:
        problems.append("it hangs")
        return ""
    if ended.code not in _CODES:
        problems.append(f"exit code {ended.code}")
    if wants_json:
        return _refusal_in_json(ended, problems)
    lines = ended.err.decode("utf-8", errors="replace").splitlines()
    said = [line for line in lines if re.match(r"(refused|Error|bug): |Usage: ", line)]
    if ended.code and not said and (ended.err or ended.out):
        problems.append("no refusal")
    return re.sub(r"^(refused|Error): ", "", said[0]) if said and ended.code else ""


def _refusal_in_json(ended: Ended, problems: list[str]) -> str:
    try:
        value = json.loads(ended.out)
    except ValueError:
        problems.append(f"no one JSON object: {ended.out[:200]!r}")
        return ""
    if not ended.code:
        return ""
    error = value.get("error") or value.get("refused", [{}])[0].get("error", {})
    if error.get("exit_code") != ended.code:
        problems.append(f"the JSON says exit code {error.get('exit_code')}, not {ended.code}")
    return str(error.get("what", "")).split("\n")[0]


def _check_words(ended: Ended, problems: list[str]) -> None:
    text = (ended.out + b"\n" + ended.err).decode("utf-8", errors="replace")
    for pattern in ("Traceback", "_child ", r"and \d+ more\)", r"\[Errno ", "MLIR", "bug: "):
        if re.search(pattern, text):
            problems.append(f"it says {pattern}")
    control = {sign for sign in text if unicodedata.category(sign) in ("Cc", "Cf")} - {"\n", "\t"}
    if control:
        problems.append(f"control characters {sorted(control)}")
    if len(ended.err) > _LONGEST:
        problems.append(f"{len(ended.err)} bytes of message")


def _check_left(ended: Ended, before: set[str], after: set[str], problems: list[str]) -> None:
    new = after - before
    if half := sorted(name for name in new if _HALF_WRITTEN.search(name.rpartition("/")[2])):
        problems.append(f"half-written: {half}")
    if left := sorted(name for name in new if name.startswith("tmp/")):
        problems.append(f"temporary: {left}")
    if ended.code == 2:
        kept = sorted(name for name in new if not _MAY_STAY.search(name) and "." in name)
        if kept and kept != ["new/data/scan.jsonl"]:
            problems.append(f"a refused command left {kept}")
