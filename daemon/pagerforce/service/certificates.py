"""When the certificates that we know of expire, for the metrics and their alert.

Salesforce holds the certificate of the login and tells nobody when it ends. ``init`` writes it beside
the key, so it is looked for there, and counts only if it belongs to the key in use.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from pagerforce.config.load import Loaded
from pagerforce.config.secret import Secrets
from pagerforce.config.starter import CERTIFICATE_NAME
from pagerforce.observe.metrics import CERTIFICATES

_SALESFORCE, _CA_FILE = CERTIFICATES


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the certificates may be, and the public key that the login's must have."""

    login: Sequence[Path]
    public_key: bytes
    ca_file: Path | None

    @classmethod
    def of(cls, loaded: Loaded, secrets: Secrets) -> "Certificates":
        """The places a configuration speaks of; the private key itself is not kept."""
        private = load_pem_private_key(secrets.salesforce_private_key.reveal().encode(), None)
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        key_file = loaded.config.salesforce.private_key_file
        places = [] if key_file is None else [key_file.with_name(CERTIFICATE_NAME)]
        places.append(loaded.files[0].parent / CERTIFICATE_NAME)
        return cls(tuple(places), public, loaded.config.daemon.ca_file)

    def expiries(self) -> Mapping[str, datetime]:
        """Name and end of each certificate that could be found and read; reads files."""
        found = {name: find() for name, find in self.finders().items()}
        return {name: at for name, at in found.items() if at is not None}

    def finders(self) -> Mapping[str, Callable[[], datetime | None]]:
        """By name, what finds each certificate's end by reading files; None where there is none."""
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
    """The certificates in a file; none where it is missing or holds something else."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        # An absent certificate is normal: it then has no time of expiry, and the series says NaN.
        return []


def _public_key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
