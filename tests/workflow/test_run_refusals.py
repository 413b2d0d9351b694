"""Refuse a configuration before any work, in the words of its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pipeline.errors import BadInput
from pipeline.workflow.config import RunConfig
from pipeline.workflow.run import run_stages


@pytest.mark.parametrize(
    ("data", "what", "where"),
    [
        (
            'critical = ["NOPE"]',
            "a critical class is not among the labels",
            "critical under [data]",
        ),
        (
            'source = "photos"\nisic_table = "table.csv"',
            "isic_table under [data] belongs to the layout ham10000",
            None,
        ),
    ],
)
def test_a_refusal_names_the_keys_of_the_configuration(
    tmp_path: Path, data: str, what: str, where: str | None
) -> None:
    for label in ("A", "B"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / label / "1.png")
    path = tmp_path / "pipeline.toml"
    path.write_text(f'run_dir = "run"\n[data]\n{data}\n', encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        run_stages(RunConfig.from_toml(path))
    assert (refused.value.what, refused.value.where) == (what, where)
    assert not (tmp_path / "run" / "synthetic").exists()
