"""Check the signature of a bundle against a key or an identity."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from pydantic import BaseModel

from pipeline.contract.files import MAX_CONFIG_BYTES, MAX_JSON_BYTES, check_input_file, read_regular
from pipeline.contract.hashing import sha256_file
from pipeline.errors import BadInput, EnvironmentProblem, reason_of
from pipeline.signing.sign import hashing_config
from pipeline.signing.signed import (
    PUBLIC_KEY_COMMAND,
    PublicKey,
    SignatureFound,
    SignatureState,
    SigstoreIdentity,
    not_elliptic,
    signature_path,
    signing_library,
)

if TYPE_CHECKING:
    from model_signing import verifying


def is_signed(bundle: Path) -> bool:
    """Tell whether a bundle has a signature; whether it holds is another question."""
    return signature_path(bundle).is_file()


def check_signature(bundle: Path, signer: PublicKey | SigstoreIdentity) -> SignatureFound:
    """Check that `signer` signed exactly the files of a bundle as they are.

    Raises:
        BadInput: the public key is not one.
        EnvironmentProblem: the signing library is not installed, or Sigstore is out of reach.
    """
    signature, words = signature_path(bundle), _words(signer)
    with signing_library():
        # The key before the signature: a wrong path is the user's own mistake.
        config = _config(signer)
        if not is_signed(bundle):
            return SignatureFound(state=SignatureState.absent, signer=words)
        config.set_hashing_config(hashing_config())
        # The signature is of whoever made the bundle: it may hold anything, and the library, which
        # has no error of its own, raises what comes of it.
        try:
            config.verify(bundle, signature)
        except Exception as error:
            detail = f"{type(error).__name__}: {error}".strip().rstrip(":")
            invalid = SignatureFound(state=SignatureState.invalid, signer=words, detail=detail)
            # The library compares files last, and names them by digests in bytes.
            if not str(error).startswith("Signature mismatch"):
                return invalid
            found = _compared(bundle, words)
            return found if found.state is SignatureState.files_differ else invalid
        # Its maker may have left files out by name, which the library accepts.
        return _compared(bundle, words)


class _Resource(BaseModel):
    name: str
    digest: str


class _Predicate(BaseModel):
    resources: tuple[_Resource, ...]


class _Statement(BaseModel):
    """The in-toto statement of OpenSSF Model Signing, as far as it names files."""

    predicate: _Predicate


def _config(signer: PublicKey | SigstoreIdentity) -> verifying.Config:
    from model_signing import verifying

    match signer:
        case PublicKey():
            return _key_config(verifying.Config(), signer.path)
        case SigstoreIdentity():
            # As for signing: no common base.
            try:
                return verifying.Config().use_sigstore_verifier(
                    identity=signer.name, oidc_issuer=signer.issuer
                )
            except Exception as error:
                raise EnvironmentProblem(
                    "Sigstore's keys cannot be fetched",
                    got=f"{type(error).__name__}: {error}",
                    expected="a network that reaches sigstore.dev",
                ) from error
        case _:
            assert_never(signer)


def _key_config(config: verifying.Config, path: Path) -> verifying.Config:
    try:
        check_input_file(path, max_bytes=MAX_CONFIG_BYTES)
        return config.use_elliptic_key_verifier(public_key=path)
    except FileNotFoundError as error:
        raise BadInput(
            "there is no public key here", where=str(path), next_step=PUBLIC_KEY_COMMAND
        ) from error
    except OSError as error:
        raise BadInput(
            "cannot read the public key", where=str(path), got=reason_of(error)
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(
            "this is not the public key of a signature",
            where=str(path),
            expected="a public key in PEM of the curve P-256, P-384 or P-521",
            got=not_elliptic(error),
            next_step=PUBLIC_KEY_COMMAND,
        ) from error


def _compared(bundle: Path, signer: str) -> SignatureFound:
    try:
        signed = _signed_digests(bundle)
    except (ValueError, KeyError, TypeError) as error:
        return SignatureFound(state=SignatureState.invalid, signer=signer, detail=str(error))
    signature = signature_path(bundle)
    here = {
        path.relative_to(bundle).as_posix(): path
        for path in bundle.rglob("*")
        if path.is_file() and path != signature
    }
    missing, not_signed = sorted(signed.keys() - here.keys()), sorted(here.keys() - signed.keys())
    both = sorted(signed.keys() & here.keys())
    changed = [name for name in both if sha256_file(here[name]) != signed[name]]
    differ = missing or not_signed or changed
    return SignatureFound(
        state=SignatureState.files_differ if differ else SignatureState.good,
        signer=signer,
        files=tuple(sorted(signed)),
        missing=tuple(missing),
        not_signed=tuple(not_signed),
        changed=tuple(changed),
    )


def _signed_digests(bundle: Path) -> dict[str, str]:
    """Read the SHA-256 of each signed file; the signature over them was checked before."""
    value = json.loads(read_regular(signature_path(bundle), max_bytes=MAX_JSON_BYTES))
    payload = base64.b64decode(value["dsseEnvelope"]["payload"])
    resources = _Statement.model_validate_json(payload).predicate.resources
    return {one.name: one.digest for one in resources}


def _words(signer: PublicKey | SigstoreIdentity) -> str:
    match signer:
        case PublicKey():
            return f"the key of {signer.path.name}"
        case SigstoreIdentity():
            return f"the identity {signer.name} of {signer.issuer}"
        case _:
            assert_never(signer)
