"""Meet what a command line says twice."""

from __future__ import annotations

import pytest

from tests.commands import Call


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["export", "--io", "int8", "--io", "uint8"], "--io"),
        (["data", "prepare", ".", "--seed=1", "--seed", "2"], "--seed"),
    ],
)
def test_an_option_of_one_value_is_given_once(call: Call, words: list[str], option: str) -> None:
    done = call(*words, "--json")
    assert done.code == 2
    assert done.json()["error"]["what"] == f"{option} is given more than once"


def test_an_option_of_many_values_is_given_often(call: Call) -> None:
    done = call("export", "--critical", "A", "--critical", "B", "--json")
    assert "more than once" not in done.out
    assert done.code == 2
