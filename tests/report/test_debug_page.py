from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.layer_errors import DebugReport, LayerFigures
from pipeline.contract.manifest import NOTICE
from pipeline.report.debug_page import render_debug_page
from pipeline.report.layer_plot import layer_plot
from pipeline.report.layers import COLUMNS, cells
from tests.report.test_html import NASTY, Page


def layer(name: str, sqnr_db: float | None, saturated_share: float = 0.0) -> LayerFigures:
    return LayerFigures(
        name=name,
        operator="CONV_2D",
        weight_low=-0.5,
        weight_high=0.25,
        weight_channel_ratio=12.0,
        float_low=-1.0,
        float_high=7.0,
        int8_low=-1.5,
        int8_high=6.0,
        sqnr_db=sqnr_db,
        saturated_share=saturated_share,
        mean_shift_steps=0.25,
        largest_mean_shift_steps=3.0,
    )


def report(*layers: LayerFigures, model: str = "bundles/int8-uint8") -> DebugReport:
    return DebugReport(model=model, model_sha256="a" * 64, images=4, equalized=False, layers=layers)


def bars(drawing: str) -> list[tuple[str, float, float]]:
    """Return class, top and height of every bar."""
    found = re.findall(
        r'<rect class="(\w+) bar" x="[^"]*" y="([^"]*)" [^>]*height="([^"]*)"', drawing
    )
    return [(side, float(top), float(height)) for side, top, height in found]


def test_weakest_layers_come_first_and_those_without_an_error_last() -> None:
    found = report(layer("a", 30.0), layer("b", None), layer("c", -4.0), layer("d", 12.0))
    assert found.weakest_first() == (2, 3, 0, 1)
    text = render_debug_page(found)
    rows = re.findall(r"<tr><th[^>]*><span[^>]*>(\d) (\w)</span>", text)
    assert rows == [("3", "c"), ("4", "d"), ("1", "a"), ("2", "b")]


def test_the_page_is_whole_loads_nothing_and_says_what_it_measured() -> None:
    text = render_debug_page(report(layer("a", 30.0), layer("b", 10.0, 0.125)))
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert NOTICE in text
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert not any({"src", "href"} & set(attributes) for _, attributes in page.tags)
    for words in ("12.50%", "4 training images", "as trained", "a" * 64, *COLUMNS):
        assert words in text


def test_names_are_escaped_everywhere() -> None:
    text = render_debug_page(report(layer(NASTY, 3.0), model=f"bundles/{NASTY}"))
    Page(text)
    assert NASTY not in text
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 4


@given(st.text(min_size=1))
def test_no_name_becomes_markup(name: str) -> None:
    drawn = Page(str(layer_plot(report(layer(name, 3.0)))))
    assert {tag for tag, _ in drawn.tags} <= {"svg", "title", "text", "path", "rect"}


def test_the_plot_marks_the_weakest_and_draws_to_scale() -> None:
    found = report(*(layer(f"l{i}", 40.0 - 5 * i) for i in range(7)))
    drawn = [bar for bar in bars(layer_plot(found)) if bar[2] > 0]
    assert [side for side, _, _ in drawn] == ["candidate"] * 2 + ["gated"] * 5
    heights = [height for _, _, height in drawn]
    assert heights[0] / heights[4] == pytest.approx(40 / 20, rel=0.01)
    assert "the weakest, l6, has 10.0 dB" in layer_plot(found)


def test_a_negative_sqnr_hangs_below_the_zero_line() -> None:
    (up, top, tall), (down, start, deep) = (
        bar for bar in bars(layer_plot(report(layer("a", 20.0), layer("b", -5.0)))) if bar[2] > 0
    )
    assert start == pytest.approx(top + tall, abs=0.1)
    assert deep == pytest.approx(tall / 4, abs=0.1)
    assert up == down == "gated"


def test_saturated_shares_are_drawn_below_relative_to_the_largest() -> None:
    drawn = bars(layer_plot(report(layer("a", None, 0.02), layer("b", None, 0.01))))
    assert drawn[0][2] == pytest.approx(2 * drawn[1][2])
    assert drawn[0][1] + drawn[0][2] == pytest.approx(drawn[1][1] + drawn[1][2])


def test_a_plot_of_layers_without_any_error_can_be_drawn() -> None:
    page = Page(render_debug_page(report(layer("a", None))))
    assert [attributes["role"] for tag, attributes in page.tags if tag == "svg"] == ["img"]


def test_a_layer_in_floats_says_so() -> None:
    left = LayerFigures(
        name="m/dense/x", operator="MEAN", float_low=0, float_high=1, sqnr_db=9, saturated_share=0
    )
    assert left.in_floats
    assert cells(left)[COLUMNS.index("int8 range")] == "in floats"
    assert cells(left)[COLUMNS.index("weights")] == "\N{EN DASH}"
    assert "equalized as the file was" in render_debug_page(
        report(left).model_copy(update={"equalized": True})
    )


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("net/conv_1/Relu6;net/bn/add;net/conv_1/convolution", "conv_1"),
        ("net/block/conv/Relu6", "block/conv"),
        ("net/Mean", "net/Mean"),
        ("PartitionedCall:0", "PartitionedCall:0"),
        ("", ""),
    ],
)
def test_a_short_name_is_the_layers(name: str, short: str) -> None:
    assert layer(name, 1.0).short_name == short
