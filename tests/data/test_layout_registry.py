"""Hold for every layout what the code that uses them takes for granted."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.data.layouts import AUTO, NAMES, layout
from pipeline.data.layouts.interface import Layout, LayoutOptions
from pipeline.data.layouts.read import detect
from pipeline.errors import BadInput
from pipeline.workflow.config import DataConfig
from tests.commands import Call
from tests.commands import call as call
from tests.data.pictures import class_folders, ham10000, isic_2019


@pytest.fixture(params=NAMES)
def member(request: pytest.FixtureRequest) -> Layout:
    return layout(request.param)


def test_a_member_has_the_name_of_its_file_and_says_what_marks_it(member: Layout) -> None:
    assert layout(member.name) is member
    assert member.looked_for
    assert DataConfig(layout=member.name).layout == member.name


def test_a_member_takes_only_options_that_exist(member: Layout) -> None:
    assert set(member.options) <= set(LayoutOptions.__dataclass_fields__)


def test_every_option_belongs_to_a_layout() -> None:
    taken = {option for name in NAMES for option in layout(name).options}
    # `partial` is every layout's.
    assert taken == set(LayoutOptions.__dataclass_fields__) - {"partial"}


def test_a_folder_of_one_layout_is_taken_for_no_other(tmp_path: Path) -> None:
    made = {
        "folder": class_folders(tmp_path / "folder", {"a": 1, "b": 1}),
        "isic2019": isic_2019(tmp_path / "isic2019"),
        "ham10000": ham10000(tmp_path / "ham10000"),
    }
    assert {name: detect(root).name for name, root in made.items()} == {n: n for n in made}


def test_a_refusal_says_what_every_layout_is_known_by(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        detect(tmp_path)
    assert caught.value.expected is not None
    for name in NAMES:
        assert f"{name}: {layout(name).looked_for}" in caught.value.expected


def test_the_help_lists_every_layout(call: Call) -> None:
    text = " ".join(call("data", "prepare", "--help").out.split())
    assert f"--layout <{'|'.join((AUTO, *NAMES))}>" in text


def test_another_name_is_refused_by_command_and_configuration(call: Call, tmp_path: Path) -> None:
    done = call("data", "prepare", tmp_path, "--layout", "table")
    assert done.code == 2
    assert ", ".join((AUTO, *NAMES)) in done.said
    with pytest.raises(ValueError, match="there is no layout 'table'"):
        DataConfig(layout="table")
