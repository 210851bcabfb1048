"""What ``init`` writes: a commented configuration, an RSA key and its certificate."""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from pagerforce.errors import ConfigError, Problem

CONFIG_NAME = "config.toml"
KEY_NAME = "salesforce.key"
CERTIFICATE_NAME = "salesforce.crt"

# Salesforce offers 2048 and 4096 for its own certificates; RS256 gains nothing from the latter.
_RSA_BITS = 2048
_VALID_FOR = timedelta(days=730)
# The Salesforce server's clock may be behind ours.
_BACKDATED = timedelta(hours=1)


def write_starter(folder: Path, *, now: datetime) -> tuple[Path, ...]:
    """Writes the three files into a folder, which is created if need be.

    All or nothing: if one of them exists, or writing fails, the folder is left as it was.

    Args:
        folder: where to write.
        now: begin of the certificate's validity, aware.

    Returns:
        config.toml, salesforce.key (mode 0600) and salesforce.crt.

    Raises:
        ConfigError: a file exists already, or the folder can't be written.
    """
    paths = tuple(folder / name for name in (CONFIG_NAME, KEY_NAME, CERTIFICATE_NAME))
    existing = [path for path in paths if os.path.lexists(path)]
    if existing:
        what = "exists already and is never overwritten: choose another folder, or move it away"
        raise ConfigError([Problem(str(path), what) for path in existing])
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    contents: Mapping[Path, tuple[bytes, int]] = {
        paths[1]: (_key_pem(key), 0o600),
        paths[2]: (_certificate_pem(key, now), 0o644),
        paths[0]: (_config_text(), 0o644),
    }
    _write_all(folder, contents)
    return paths


def _config_text() -> bytes:
    return resources.files("pagerforce").joinpath("config", "starter.toml").read_bytes()


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _certificate_pem(key: rsa.RSAPrivateKey, now: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pagerforce")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_all(folder: Path, contents: Mapping[Path, tuple[bytes, int]]) -> None:
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, (content, mode) in contents.items():
            # O_EXCL: whoever creates the file in between keeps it
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            written.append(path)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(descriptor)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        what = (
            f"can not be written ({error.strerror}): choose a folder that is yours; nothing changed"
        )
        raise ConfigError([Problem(str(folder), what)]) from error
