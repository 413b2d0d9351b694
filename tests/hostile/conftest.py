"""Run a sample of the corpus by default, the whole of it where `-m hostile` asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.warm import Warm
from tests.hostile.world import make_world

_ONE_OF = 60


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "hostile" in config.getoption("markexpr"):
        return
    marked = [item for item in items if item.get_closest_marker("hostile")]
    left_out = {
        item
        for number, item in enumerate(marked)
        if number % _ONE_OF or item.get_closest_marker("slow")
    }
    config.hook.pytest_deselected(items=sorted(left_out, key=lambda item: item.name))
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    process = Warm()
    yield process
    process.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if (made := os.environ.get("PIPELINE_HOSTILE_WORLD")) is not None:
        return Path(made)
    folder = tmp_path_factory.mktemp("world") / "world"
    make_world(folder)
    return folder
