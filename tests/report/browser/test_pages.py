"""Look at the pages in a real browser: what is off-screen, unreadable, loaded or broken there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from pipeline.contract.run import RunDir
from pipeline.workflow.report import write_report
from tests.report.browser.whole_run import FOREIGN, LONG_NAMES, whole_run

pytestmark = pytest.mark.browser

PHONE_PX, DESKTOP_PX = 390, 1280
# A4 less the margins of the style sheet, at the 96 pixels an inch that CSS has.
PAPER_PX = round((210 - 2 * 12) / 25.4 * 96)
MOST_PAGES = 8
Theme = Literal["light", "dark"]

# What of the page lies left or right of the window. A table heading that a narrow page keeps for
# a screen reader alone is one pixel wide, and what a folded part hides has no place.
OFF_SCREEN = """() => [...document.querySelectorAll('body *')]
  .filter(one => !one.closest('.stack thead') && one.checkVisibility())
  .map(one => [one, one.getBoundingClientRect()])
  .filter(([one, box]) => box.width && (box.left < -0.5 || box.right > innerWidth + 0.5))
  .map(([one]) => `${one.tagName} ${one.className.baseVal ?? one.className}: ` +
    (one.textContent ?? '').trim().slice(0, 60))"""
CLIPPED = """() => [...document.querySelectorAll('.scroll, svg')]
  .filter(one => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1)
  .map(one => one.getAttribute('aria-label'))"""
# Text that runs out of its drawing is cut off there.
CUT_TEXT = """() => [...document.querySelectorAll('svg text')].filter(one => {
    const box = one.getBoundingClientRect(), all = one.closest('svg').getBoundingClientRect();
    return box.width && (box.left < all.left - 1 || box.right > all.right + 1);
  }).map(one => one.textContent)"""
UNFOLD = "() => document.querySelectorAll('details').forEach(one => one.open = true)"


@dataclass(frozen=True)
class Look:
    """Hold an open page, what the browser complained of and what it asked the network for."""

    page: Page
    complaints: list[str]
    requests: list[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    run = whole_run(tmp_path_factory.mktemp("browser") / "run")
    written = write_report(run, images=True)
    assert written.problem is None
    assert not written.unreadable
    return run


@pytest.fixture(scope="module")
def pages(run: RunDir) -> dict[str, Path]:
    return {
        "report": run.report,
        "another model": run.report_of(FOREIGN),
        "layers": run.debug_page("int8-uint8"),
    }


PAGES = pytest.mark.parametrize("name", ["report", "another model", "layers"])
THEMES = pytest.mark.parametrize("theme", ["light", "dark"])
WIDTHS = pytest.mark.parametrize("width", [PHONE_PX, DESKTOP_PX])


@contextmanager
def look(
    chromium: Browser, path: Path, *, width: int = DESKTOP_PX, theme: Theme = "light"
) -> Iterator[Look]:
    context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=theme)
    seen = Look(context.new_page(), [], [])
    seen.page.on("console", lambda message: seen.complaints.append(message.text))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    seen.page.goto(path.as_uri())
    yield seen
    context.close()


@PAGES
@THEMES
def test_the_browser_complains_of_nothing_and_asks_for_nothing_else(
    chromium: Browser, pages: dict[str, Path], name: str, theme: Theme
) -> None:
    with look(chromium, pages[name], theme=theme) as seen:
        seen.page.evaluate(UNFOLD)
        seen.page.wait_for_timeout(100)
    assert seen.complaints == []
    outside = [url for url in seen.requests if not url.startswith("data:")]
    assert outside == [pages[name].as_uri()]


@PAGES
@WIDTHS
def test_nothing_is_off_screen(
    chromium: Browser, pages: dict[str, Path], name: str, width: int
) -> None:
    with look(chromium, pages[name], width=width) as seen:
        for _ in ("folded", "unfolded"):
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
            assert seen.page.evaluate(OFF_SCREEN) == []
            assert seen.page.evaluate(CLIPPED) == []
            assert seen.page.evaluate(CUT_TEXT) == []
            seen.page.evaluate(UNFOLD)


def test_long_names_of_classes_scroll_in_their_table_and_not_the_page(
    chromium: Browser, tmp_path: Path
) -> None:
    run = whole_run(tmp_path / "run", LONG_NAMES)
    write_report(run)
    with look(chromium, run.report, width=PHONE_PX) as seen:
        seen.page.evaluate(UNFOLD)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= PHONE_PX
        assert seen.page.evaluate(CUT_TEXT) == []
        assert set(seen.page.evaluate(CLIPPED)) <= {
            *(f"Confusion of {side}, images" for side in ("Keras", "the file")),
            *(f"Confusion, {split}, images" for split in ("train", "validation", "test")),
        }


@PAGES
@THEMES
@WIDTHS
def test_axe_finds_nothing_more_than_minor(
    chromium: Browser, pages: dict[str, Path], name: str, theme: Theme, width: int
) -> None:
    with look(chromium, pages[name], width=width, theme=theme) as seen:
        seen.page.evaluate(UNFOLD)
        found: dict[str, Any] = Axe().run(seen.page).response
    assert len(found["passes"]) > 10
    assert [
        (one["id"], [node["html"] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] != "minor"
    ] == []


def test_axe_would_notice_a_text_that_cannot_be_read(
    chromium: Browser, pages: dict[str, Path]
) -> None:
    with look(chromium, pages["report"]) as seen:
        seen.page.add_style_tag(content=".quiet { color: #ddd !important; }")
        found = Axe().run(seen.page).response["violations"]
    assert "color-contrast" in {one["id"] for one in found if one["impact"] == "serious"}


@pytest.mark.parametrize("name", ["report", "another model"])
def test_the_report_prints_on_few_pages_with_nothing_cut_off(
    chromium: Browser, pages: dict[str, Path], name: str
) -> None:
    with look(chromium, pages[name]) as seen:
        printed = seen.page.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= MOST_PAGES
    with look(chromium, pages[name], width=PAPER_PX, theme="dark") as seen:
        seen.page.emulate_media(media="print")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= PAPER_PX
        assert seen.page.evaluate(OFF_SCREEN) == []
        ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(255, 255, 255)"


def test_the_dark_theme_is_dark(chromium: Browser, pages: dict[str, Path]) -> None:
    for theme, brightest in (("light", 255), ("dark", 40)):
        with look(chromium, pages["report"], theme=theme) as seen:  # type: ignore[arg-type]
            ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(map(int, re.findall(r"\d+", ground))) <= brightest


@PAGES
def test_every_link_leads_somewhere(chromium: Browser, pages: dict[str, Path], name: str) -> None:
    with look(chromium, pages[name]) as seen:
        links = seen.page.eval_on_selector_all("a", "all => all.map(a => a.getAttribute('href'))")
        ids = seen.page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        assert (pages[name].parent / unquote(path)).exists(), link
        assert not anchor or anchor in ids, link


def test_every_picture_is_drawn(chromium: Browser, pages: dict[str, Path]) -> None:
    with look(chromium, pages["report"]) as seen:
        widths = seen.page.eval_on_selector_all("img", "all => all.map(one => one.naturalWidth)")
    # Nothing makes a picture larger than it is.
    assert widths
    assert set(widths) == {80}


def test_a_page_says_its_numbers_in_words_of_people(
    chromium: Browser, pages: dict[str, Path]
) -> None:
    for path in pages.values():
        with look(chromium, path) as seen:
            seen.page.evaluate(UNFOLD)
            said = seen.page.inner_text("body")
        assert not re.search(r"\b(None|True|False|nan|inf)\b|[{}\[\]]|\w+\(.*=|<\w+ object", said)
