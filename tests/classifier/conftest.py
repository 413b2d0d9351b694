from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.child import ask_child
from pipeline.contract.base import Frozen


class _Folder(Frozen):
    folder: str


class _Made(Frozen):
    names: tuple[str, ...]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of tiny real models of every kind, and of hostile ones."""
    folder = tmp_path_factory.mktemp("models")
    ask_child("tests.classifier.models:make_child", _Folder(folder=str(folder)), _Made)
    return folder
