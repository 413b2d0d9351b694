"""Keep the words of the field: what a reader would not find by searching is not used."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from pipeline.cli.app import app
from pipeline.contract.choices import Quantize

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "android_demo/README.md",
    "artifacts/README.md",
    "benchmarks/README.md",
    # The decision records keep the words of their time.
    *sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").glob("*.md")),
)

# Names this code once had for what the field has a word for; each is a pattern.
PRIVATE_NAMES = (
    "corridor",
    "workshop",
    r"(?<![a-z])rungs?(?![a-z])",
    "climb",
    "ladder",
    "tapped",
    "give_ends",
    r"_twin(?![a-z])",
    r"_bridges?(?![a-z])",
    "correct_in_order",
    "by_halves",
    "wishes",
    "follow_closely",
    "distinctive",
)
# In prose alone: as names some of them are anyone's.
PRIVATE_WORDS = (
    *(name.replace("_", r"[_ ]?") for name in PRIVATE_NAMES),
    r"\bwalk(s|ed|ing)?\b",
    r"\blet(s|ting)? go of\b",
    r"\bbesides\b",
    r"\btold\b",
    r"\bgr[ea]y[ -]levels?\b",
    r"\b(float|float32|int8|uint8) ends\b",
    r"quantize(`|\*|\s)*none",
)
# The names that manifests of earlier releases have, still read.
OLD_FIELDS = {
    ("pipeline/contract/manifest.py", "ladder"),
    ("pipeline/contract/search.py", "rungs"),
}


def find_words(text: str, patterns: tuple[str, ...]) -> list[str]:
    return [found.group() for found in re.finditer("|".join(patterns), text, re.IGNORECASE)]


def command_paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    # Only a group has commands; what it is called differs between the releases of Typer.
    for name, member in getattr(command, "commands", {}).items():
        yield from command_paths(member, (*path, name))


COMMANDS = tuple(command_paths(typer.main.get_command(app)))


def test_the_tour_is_among_the_pages() -> None:
    assert {"docs/architecture.md", "docs/extending.md"} <= set(PAGES)


def test_every_command_is_asked_for_its_help() -> None:
    assert {("export",), ("android", "install"), ("data", "prepare")} <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(("pipeline", *path)))
def test_help_uses_the_words_of_the_field(path: tuple[str, ...]) -> None:
    from typer.testing import CliRunner

    done = CliRunner().invoke(app, [*path, "--help"])
    assert done.exit_code == 0
    assert done.output.startswith("Usage: ")
    assert find_words(done.output, PRIVATE_WORDS) == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_use_the_words_of_the_field(page: str) -> None:
    assert find_words((ROOT / page).read_text(encoding="utf-8"), PRIVATE_WORDS) == []


@pytest.mark.parametrize(
    "file",
    sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "pipeline").rglob("*.py")),
)
def test_the_code_has_no_private_names(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    found = {
        word.lower()
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type in (tokenize.NAME, tokenize.STRING, tokenize.COMMENT)
        for word in find_words(token.string, PRIVATE_NAMES)
    }
    assert found == {name for page, name in OLD_FIELDS if page == file}


def test_the_search_finds_what_it_looks_for() -> None:
    sentence = "Walk the corridor; two grey levels share a step with int8 ends; --quantize none."
    assert len(find_words(sentence, PRIVATE_WORDS)) == 5
    assert find_words("_LADDER = Rung(a_twin).by_halves()", PRIVATE_NAMES) == [
        "LADDER",
        "Rung",
        "_twin",
        "by_halves",
    ]
    assert find_words("wrung, the ends of a bridged network, twined", PRIVATE_WORDS) == []


def test_the_old_name_of_float32_is_still_read() -> None:
    assert Quantize("none") is Quantize.float32
