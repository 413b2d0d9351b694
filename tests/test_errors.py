"""Refusals: their words, their exit codes, and the way through a process boundary."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import (
    BadInput,
    EnvironmentProblem,
    GateFailed,
    Inconclusive,
    PipelineError,
    from_dict,
)

KINDS = (GateFailed, BadInput, EnvironmentProblem, Inconclusive)
maybe = st.none() | st.text()


@pytest.mark.parametrize(
    ("kind", "code"), [(GateFailed, 1), (BadInput, 2), (EnvironmentProblem, 3), (Inconclusive, 4)]
)
def test_each_kind_has_its_own_exit_code(kind: type[PipelineError], code: int) -> None:
    assert kind("x").exit_code == code
    assert kind("x").to_dict()["exit_code"] == code


def test_the_message_says_what_where_expected_got_and_next_in_this_order() -> None:
    error = BadInput("what", where="w", expected="e", got="g", next_step="n")
    assert str(error).split("\n") == [
        "what",
        "  where: w",
        "  expected: e",
        "  got: g",
        "  next: n",
    ]


def test_unset_parts_are_left_out() -> None:
    assert str(GateFailed("only this")) == "only this"
    assert set(GateFailed("only this").to_dict()) == {"kind", "exit_code", "what"}


@given(st.sampled_from((PipelineError, *KINDS)), st.text(), maybe, maybe, maybe, maybe)
def test_an_error_survives_the_way_through_json(
    kind: type[PipelineError],
    what: str,
    where: str | None,
    expected: str | None,
    got: str | None,
    next_step: str | None,
) -> None:
    error = kind(what, where=where, expected=expected, got=got, next_step=next_step)
    back = from_dict(json.loads(json.dumps(error.to_dict())))
    assert type(back) is kind
    assert back.to_dict() == error.to_dict()


def test_an_unknown_kind_is_blamed_on_the_environment() -> None:
    error = from_dict({"kind": "from the future"})
    assert isinstance(error, EnvironmentProblem)
    assert error.what == "unknown error"
