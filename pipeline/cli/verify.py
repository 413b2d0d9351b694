"""Offer `pipeline verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import JsonOption, JunitOption, MarkdownOption
from pipeline.cli.output import output


def verify(
    bundle: Annotated[Path, typer.Argument(help="A bundle that `pipeline export` published.")],
    junit: JunitOption = None,
    markdown: MarkdownOption = None,
    json: JsonOption = False,
) -> None:
    """Check that a bundle is what was proven, from its own files alone.

    Every file is there and unchanged, and nothing else; the verdict is judged again from what it
    records; the goldens are answered by LiteRT on this machine. Needs neither the run nor
    TensorFlow, and writes nothing into the bundle.
    """
    from pipeline.cli.verdict_files import write_verdicts
    from pipeline.report.terminal import verdict_table
    from pipeline.workflow.verify import verify as verify_bundle

    verified = verify_bundle(bundle)
    refused_by = verified.refused_by
    problem = write_verdicts({"verify": verified.verdict}, junit=junit, markdown=markdown)
    output.conclude(
        {
            "bundle": str(bundle),
            "refused_by": None if refused_by is None else refused_by.name,
            "verdict": verified.verdict.model_dump(mode="json"),
        },
        verified.refusal() or problem,
        verdict_table(verified.verdict, "verify"),
    )
