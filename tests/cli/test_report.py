"""Ask for the report's pictures on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import BadInput
from tests.commands import Call


@pytest.mark.parametrize(("options", "asked"), [((), False), (("--images",), True)])
def test_run_shows_pictures_only_where_asked_for(
    options: tuple[str, ...],
    asked: bool,
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[bool] = []

    def stages(config: object, *, images: bool, report: object) -> None:
        given.append(images)
        raise BadInput("enough was seen")

    monkeypatch.setattr("pipeline.workflow.run.run_stages", stages)
    config = tmp_path / "pipeline.toml"
    config.write_text("", encoding="utf-8")
    assert call("run", config, *options).said.startswith("refused: enough was seen")
    assert given == [asked]
