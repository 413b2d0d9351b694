"""Make the checks of a bundle's signature, as `pipeline verify` asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.contract.manifest import BundleManifest
from pipeline.contract.verdict import Check, Gate
from pipeline.errors import BadInput
from pipeline.parity.comparison import expect
from pipeline.signing.check import check_signature, is_signed
from pipeline.signing.signed import SIGNATURE_CHECK, PublicKey, SignatureState, SigstoreIdentity


@dataclass(frozen=True)
class SignatureAsked:
    """Hold whose signature a bundle is to have, and whether it must have one.

    Without a signer no signature is checked. With one a signature that is there must hold; where
    there is none, `required` decides.
    """

    signer: PublicKey | SigstoreIdentity | None = None
    required: bool = False

    @classmethod
    def of(
        cls,
        *,
        public_key: Path | None = None,
        identity: str | None = None,
        identity_provider: str | None = None,
        required: bool = False,
    ) -> SignatureAsked:
        """Read the options of `pipeline verify`.

        Raises:
            BadInput: they do not fit together.
        """
        if (identity is None) is not (identity_provider is None):
            raise BadInput(
                "a Sigstore identity is a name and who vouches for it",
                expected="--identity NAME with --identity-provider URL",
                got="--identity-provider alone" if identity is None else "--identity alone",
            )
        if public_key is not None and identity is not None:
            raise BadInput(
                "one signer is checked at a time",
                expected="--public-key FILE, or --identity NAME --identity-provider URL",
                got="both",
            )
        if public_key is not None:
            return cls(PublicKey(path=public_key), required)
        if identity is not None and identity_provider is not None:
            return cls(SigstoreIdentity(name=identity, issuer=identity_provider), required)
        if required:
            # Anybody can sign: a signature of no matter whom says nothing.
            raise BadInput(
                "--require-signature needs to know whose",
                expected="--public-key FILE, or --identity NAME --identity-provider URL",
            )
        return cls()

    def checks(self, folder: Path, _manifest: BundleManifest) -> Sequence[Check]:
        """Return the checks of the signature; none where none is asked for.

        Raises:
            BadInput: the public key is not one.
            EnvironmentProblem: the signing library is not installed, or Sigstore is out of reach.
        """
        if self.signer is None or not (self.required or is_signed(folder)):
            return []
        found = check_signature(folder, self.signer)
        return [
            expect(
                SIGNATURE_CHECK,
                Gate.bundle,
                str(SignatureState.good),
                str(found.state),
                **found.model_dump(mode="json", exclude={"state"}),
            )
        ]
