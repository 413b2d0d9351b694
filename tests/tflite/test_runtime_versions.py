from __future__ import annotations

import pytest
from ai_edge_litert import schema_py_generated as schema

from pipeline.tflite.operators import Operator, oldest_runtime
from pipeline.tflite.runtime_versions import _table, runtime_of, version_key


def op(name: str, version: int, *, custom: bool = False) -> Operator:
    since = None if custom else runtime_of(name, version)
    return Operator(name=name, version=version, count=1, since=since, custom=custom)


@pytest.mark.parametrize(
    ("name", "version", "runtime"),
    [
        ("CONV_2D", 1, "1.5.0"),
        ("CONV_2D", 8, "2.15.0"),
        ("BROADCAST_TO", 2, "2.5.0"),
        ("TILE", 1, "1.10.1"),
        ("FULLY_CONNECTED", 9, "2.3.0"),
        ("FULLY_CONNECTED", 12, "2.17.0"),
        ("DYNAMIC_UPDATE_SLICE", 4, "2.20.0"),
    ],
)
def test_a_known_operator_version_names_its_first_runtime(
    name: str, version: int, runtime: str
) -> None:
    assert runtime_of(name, version) == runtime


def test_what_the_table_lacks_is_unknown_never_guessed() -> None:
    assert runtime_of("BROADCAST_TO", 1) is None
    assert runtime_of("CONV_2D", 99) is None
    assert runtime_of("NO_SUCH_OPERATOR", 1) is None
    need = oldest_runtime([op("CONV_2D", 3), op("CONV_2D", 99), op("FlexErf", 1, custom=True)])
    assert (need.version, need.unknown) == (None, ("CONV_2D@99", "FlexErf@1"))


def test_the_newest_need_decides_and_is_named() -> None:
    need = oldest_runtime([op("CONV_2D", 3), op("FULLY_CONNECTED", 9), op("SOFTMAX", 3)])
    assert (need.version, need.because) == ("2.3.0", ("FULLY_CONNECTED@9", "SOFTMAX@3"))


def test_no_operators_need_no_known_runtime() -> None:
    assert oldest_runtime([]).version is None


def test_versions_compare_as_numbers() -> None:
    assert version_key("2.10.0") > version_key("2.9.1")
    with pytest.raises(ValueError, match="invalid literal"):
        version_key("newest")


def test_every_row_of_the_table_is_an_operator_of_the_schema_and_later_versions_come_later() -> (
    None
):
    known = {name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    table = _table()
    assert {name for name, _ in table} <= known
    for (name, version), runtime in table.items():
        later = table.get((name, version + 1))
        assert later is None or version_key(runtime) <= version_key(later)
