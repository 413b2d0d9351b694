"""Say who signs or signed a bundle, and name the library that does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from sys import stderr

from pipeline.contract.base import Frozen
from pipeline.contract.bundle import SIGNATURE_FILE
from pipeline.errors import EnvironmentProblem

INSTALL = "uv sync --extra signing, or pip install '.[signing]'"
KEY_COMMANDS = (
    "openssl ecparam -name prime256v1 -genkey -noout -out key.pem; "
    "openssl ec -in key.pem -pubout -out public.pem"
)


class PublicKey(Frozen):
    """Name the PEM file of the elliptic-curve public key that a bundle must be signed with."""

    path: Path


class SigstoreIdentity(Frozen):
    """Name whose Sigstore signature a bundle must have.

    `name` is the mail address or the address of the CI workflow in the certificate, `issuer` the
    address of the OpenID Connect provider that vouched for it.
    """

    name: str
    issuer: str


class Signed(Frozen):
    """Say that a signature holds: who signed, and which files of the folder it covers.

    `files` are all files of the folder but the signature itself.
    """

    signer: str
    files: tuple[str, ...]


def signature_path(bundle: Path) -> Path:
    """Return where the signature of a bundle is."""
    return bundle / SIGNATURE_FILE


@contextmanager
def signing_library() -> Iterator[None]:
    """Run the library's functions in this block; what it prints goes to standard error.

    Raises:
        EnvironmentProblem: the library is not installed.
    """
    try:
        import model_signing.signing
        import model_signing.verifying  # noqa: F401
    except ImportError as error:
        raise EnvironmentProblem(
            "signatures need the package model-signing, which is not installed",
            got=str(error),
            next_step=INSTALL,
        ) from error
    with redirect_stdout(stderr):
        yield
