"""Offer `pipeline demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import JsonOption, JunitOption, MarkdownOption, SeedOption


def demo(
    run_dir: Annotated[Path, typer.Option("--run-dir", help="Folder of the run.")] = Path(
        "artifacts/demo"
    ),
    seed: SeedOption = 0,
    junit: JunitOption = None,
    markdown: MarkdownOption = None,
    json: JsonOption = False,
) -> None:
    """Run every stage on synthetic images.

    Needs no data of yours and no network; takes a few minutes.
    """
    from pipeline.cli.run import run_and_show
    from pipeline.workflow.run import demo_config

    run_and_show(demo_config(run_dir, seed), junit, markdown)
