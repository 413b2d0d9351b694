"""Call commands in this process, and read what a user would: fixtures for several folders."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.contract.run import RunDir
from tests.export.samples import LABELS, samples


@dataclass(frozen=True)
class Done:
    """Hold what a command came to; `said` is standard error in one line."""

    code: int
    out: str
    said: str

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.out)
        return value


Call = Callable[..., Done]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def invoke(*arguments: str | Path) -> Done:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        # A bug, told in one line: a test wants the traceback.
        if result.exit_code == 70 and (
            file := re.search(r"\S*pipeline-bug-\w+\.txt", result.output)
        ):
            pytest.fail(Path(file[0]).read_text(encoding="utf-8"))
        return Done(result.exit_code, result.stdout, re.sub(r"\s+", " ", result.stderr))

    return invoke


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return a run that holds the samples' dataset, with nothing critical, and no model."""
    dataset = samples().dataset
    labels = LABELS.model_copy(update={"critical": ()})
    dataset.model_copy(update={"labels": labels}).save(RunDir(tmp_path / "run").dataset)
    return tmp_path / "run"
