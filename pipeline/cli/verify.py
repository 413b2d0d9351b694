"""Offer `pipeline verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import JsonOption, JunitOption, MarkdownOption
from pipeline.cli.output import output


def verify(
    bundle: Annotated[Path, typer.Argument(help="A bundle that `pipeline export` published.")],
    public_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Public key (PEM) with which a signature in the bundle must agree."
        ),
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option(help="Whose Sigstore signature it must be: a mail address or a workflow."),
    ] = None,
    identity_provider: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The OpenID Connect provider that knows --identity."),
    ] = None,
    require_signature: Annotated[
        bool,
        typer.Option("--require-signature", help="Refuse a bundle that is not signed."),
    ] = False,
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
    from pipeline.signing.check import is_signed
    from pipeline.workflow.signature import SignatureAsked
    from pipeline.workflow.verify import verify as verify_bundle

    asked = SignatureAsked.of(
        public_key=public_key,
        identity=identity,
        identity_provider=identity_provider,
        required=require_signature,
    )
    verified = verify_bundle(bundle, more=[asked.checks])
    unchecked = asked.signer is None and is_signed(bundle)
    refused_by = verified.refused_by
    problem = write_verdicts({"verify": verified.verdict}, junit=junit, markdown=markdown)
    output.conclude(
        {
            "bundle": str(bundle),
            "signed": is_signed(bundle),
            "signature_checked": not unchecked and is_signed(bundle),
            "refused_by": None if refused_by is None else refused_by.name,
            "verdict": verified.verdict.model_dump(mode="json"),
        },
        verified.refusal() or problem,
        verdict_table(verified.verdict, "verify"),
        *(["signed, by whom is not checked: give --public-key"] if unchecked else []),
    )
