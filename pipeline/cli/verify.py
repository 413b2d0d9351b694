"""Offer `pipeline verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import JsonOption, JunitOption, MarkdownOption
from pipeline.cli.output import output

if TYPE_CHECKING:
    from pipeline.workflow.signature import SignatureAsked
    from pipeline.workflow.verify import Verified


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
    signed = is_signed(bundle)
    checked = signed and asked.signer is not None
    refused_by = verified.refused_by
    problem = write_verdicts({"verify": verified.verdict}, junit=junit, markdown=markdown)
    output.conclude(
        {
            "bundle": str(bundle),
            "signed": signed,
            "signature_checked": checked,
            "refused_by": None if refused_by is None else refused_by.name,
            "verdict": verified.verdict.model_dump(mode="json"),
        },
        verified.refusal() or problem,
        verdict_table(verified.verdict, "verify"),
        *_signature_lines(verified, signed=signed, checked=checked, asked=asked),
    )


def _signature_lines(
    verified: Verified, *, signed: bool, checked: bool, asked: SignatureAsked
) -> list[str]:
    from pipeline.contract.verdict import Outcome
    from pipeline.signing.signed import SIGNATURE_CHECK

    if signed and not checked:
        return ["signed, by whom is not checked: give --public-key"]
    if asked.signer is not None and not signed and verified.refused_by is None:
        # Whoever names a key expects that it was used.
        return ["not signed: there was nothing to check; --require-signature refuses such a bundle"]
    return [
        f"signed by {check.evidence['signer']}"
        for check in verified.verdict.checks
        if check.name == SIGNATURE_CHECK and check.outcome is Outcome.passed
    ]
