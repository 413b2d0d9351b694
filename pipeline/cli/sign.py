"""Offer `pipeline sign`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import JsonOption
from pipeline.cli.output import output

# In the environment, not on the command line, which every process of a machine can read.
_PASSPHRASE = "PIPELINE_KEY_PASSPHRASE"


def sign(
    bundle: Annotated[Path, typer.Argument(help="A bundle that `pipeline export` published.")],
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An elliptic-curve private key (PEM; P-256, P-384 or P-521); the passphrase of an "
            f"encrypted one is read from {_PASSPHRASE}.",
        ),
    ] = None,
    sigstore: Annotated[
        bool,
        typer.Option(
            "--sigstore",
            help="Sign as the CI job, or the person in the browser, by sigstore.dev; needs a "
            "network, and the identity is made public.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Sign a proven bundle, in the format of OpenSSF Model Signing.

    The signature covers every file of the folder and lies in it as model.sig; an earlier one is
    replaced. `pipeline verify --public-key` checks it.
    """
    from pipeline.errors import BadInput
    from pipeline.workflow.sign import KeySigner, SigstoreSigner, sign_bundle

    if (key is None) is not sigstore:
        raise BadInput(
            "sign needs one way of signing",
            expected="--key FILE, or --sigstore",
            got="neither" if key is None else "both",
        )
    signer = SigstoreSigner() if key is None else KeySigner(key, os.environ.get(_PASSPHRASE))
    signature = sign_bundle(bundle, signer)
    output.result({"bundle": str(bundle), "signature": str(signature)}, f"signed: {signature}")
