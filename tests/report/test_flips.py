from __future__ import annotations

import pytest

from pipeline.report.html import render_html
from pipeline.report.run_report import BundleResult, Picture, RunReport
from pipeline.report.sections.flips import context
from tests.report.examples import PASSED, verdict
from tests.report.test_html import NASTY, Page

URI = "data:image/jpeg;base64,AAAA"


def flip(image_id: str, truth: str | None) -> dict[str, object]:
    return {
        "image_id": image_id * 64,
        "reference": "MEL",
        "candidate": "NV",
        "truth": truth,
        "margin": 0.25,
    }


def bundle(count: int, *flips: dict[str, object], **given: object) -> BundleResult:
    one = verdict(PASSED)
    figures = one.figures | {"flips": {"count": count, "examples": list(flips)}}
    return BundleResult("int8", one.model_copy(update={"figures": figures}), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("truth", "effect", "words"),
    [
        ("MEL", "fail", "lost: only Keras was right"),
        ("NV", "pass", "gained: only the file is right"),
        ("BCC", "unknown", "neither is right"),
        (None, "unknown", "truth unknown"),
    ],
)
def test_a_flip_says_what_it_cost(truth: str | None, effect: str, words: str) -> None:
    shown = context(bundle(1, flip("a", truth)))
    assert shown is not None
    (one,) = shown["flips"]
    assert (one["effect"], one["words"], one["margin"]) == (effect, words, "0.250")
    assert one["picture"] is None


def test_the_title_says_how_many_are_not_shown() -> None:
    found = context(bundle(30, flip("a", None)))
    assert found is not None
    assert found["title"] == "30 images flipped; the 1 Keras was surest about"
    assert context(BundleResult("int8", verdict(PASSED))) is None


def test_pictures_are_shown_with_their_file_names_only_where_asked_for() -> None:
    flips = (flip("a", "MEL"), flip("b", "NV"))
    pictures = {"a" * 64: Picture(NASTY, URI)}
    text = render_html(RunReport("Run", (bundle(2, *flips, pictures=pictures),), images=True))
    page = Page(text)
    (image,) = [attributes for tag, attributes in page.tags if tag == "img"]
    assert image == {"src": URI, "alt": f"The image {NASTY}"}
    assert NASTY not in text
    assert text.count("no picture") == 1
    quiet = render_html(RunReport("Run", (bundle(2, *flips),)))
    assert "<img" not in quiet
    assert "pipeline report --images" in quiet
