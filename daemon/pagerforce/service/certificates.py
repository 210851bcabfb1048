"""The expiry of the known certificates, for the metrics and their alert.

Salesforce stores the certificate of the login and reports its expiry to nobody. ``init`` writes it
beside the key: there pagerforce searches for it, and uses it only if it belongs to the key in use.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from msgspec import Struct

from pagerforce.config.certificate import CERTIFICATE_NAME
from pagerforce.config.load import Loaded
from pagerforce.config.secret import Secrets
from pagerforce.observe.metrics import CERTIFICATES

_SALESFORCE, _CA_FILE = CERTIFICATES


class Certificates(Struct, frozen=True):
    """The possible places of the certificates, and the public key of the login's certificate."""

    login: Sequence[Path]
    public_key: bytes
    ca_file: Path | None

    @classmethod
    def of(cls, loaded: Loaded, secrets: Secrets) -> "Certificates":
        """Takes the places from a configuration; the private key itself is not kept."""
        text = secrets.salesforce_private_key.reveal().encode()
        # load_secrets has checked its numbers, which takes 30 ms.
        private = load_pem_private_key(text, None, unsafe_skip_rsa_key_validation=True)
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        key_file = loaded.config.salesforce.private_key_file
        places = [] if key_file is None else [key_file.with_name(CERTIFICATE_NAME)]
        places.append(loaded.files[0].parent / CERTIFICATE_NAME)
        return cls(tuple(places), public, loaded.config.daemon.ca_file)

    def expiries(self) -> Mapping[str, datetime]:
        """Returns name and expiry of each certificate that can be read; reads files."""
        found = {name: find() for name, find in self.finders().items()}
        return {name: at for name, at in found.items() if at is not None}

    def finders(self) -> Mapping[str, Callable[[], datetime | None]]:
        """Returns by name a function that reads the certificate's expiry; it may return None."""
        return {_SALESFORCE: self._login_ends, _CA_FILE: self._bundle_ends}

    def _login_ends(self) -> datetime | None:
        for path in self.login:
            mine = [x for x in _read(path) if _public_key(x) == self.public_key]
            if mine:
                return max(x.not_valid_after_utc for x in mine)
        return None

    def _bundle_ends(self) -> datetime | None:
        bundle = [] if self.ca_file is None else _read(self.ca_file)
        # An old authority often stays in a bundle beside its successor.
        return max((x.not_valid_after_utc for x in bundle), default=None)


def _read(path: Path) -> list[x509.Certificate]:
    """Returns the certificates in a file; none if it is missing or contains something else."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        # A missing certificate is normal: it has no expiry, and the series is NaN.
        return []


def _public_key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
