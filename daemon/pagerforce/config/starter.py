"""The files of ``init``: a commented configuration, an RSA key and its certificate."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path

import tomli_w
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from pagerforce.config.certificate import CERTIFICATE_NAME
from pagerforce.config.explain import SECTIONS, to_problems
from pagerforce.config.inline_secrets import remove_secrets
from pagerforce.errors import ConfigError, Problem
from pagerforce.host.files import Folder, open_folder

CONFIG_NAME = "config.toml"
KEY_NAME = "salesforce.key"
NEXT_KEY_NAME = "salesforce.next.key"
NEXT_CERTIFICATE_NAME = "salesforce.next.crt"
API_KEY_NAME = "pagerduty-api-key"

# The keys to fill in, in the order of the shipped text.
TO_FILL_IN = (
    "pagerduty.from_email",
    "salesforce.login_url",
    "salesforce.org_id",
    "salesforce.consumer_key",
    "salesforce.username",
)
_MARK = "# FILL IN: "

# Salesforce offers 2048 and 4096 for its own certificates; RS256 gains nothing from the latter.
_RSA_BITS = 2048
_VALID_FOR = timedelta(days=730)
# The Salesforce server's clock may be behind this host's.
_BACKDATED = timedelta(hours=1)


def write_starter(
    folder: Path, *, now: datetime, answers: Mapping[str, str] | None = None
) -> tuple[Path, ...]:
    """Writes the three files into a folder, and creates the folder if needed.

    All or nothing: if one of them exists, or a write fails, the folder stays as it was.

    Args:
        folder: where to write.
        now: begin of the certificate's validity, aware.
        answers: values by their key in the configuration, e.g. ``pagerduty.from_email``; checked
            by ``check_answers``.

    Returns:
        config.toml, salesforce.key (mode 0600) and salesforce.crt.

    Raises:
        ConfigError: a file exists already, or the folder can't be written.
    """
    paths = refuse_existing(folder, (CONFIG_NAME, KEY_NAME, CERTIFICATE_NAME))
    key, certificate = _make_pair(now)
    contents: Mapping[Path, tuple[bytes, int]] = {
        paths[1]: (key, 0o600),
        paths[2]: (certificate, 0o644),
        paths[0]: (_config_text(answers or {}).encode(), 0o644),
    }
    _write_all(folder, contents)
    return paths


def write_next_pair(folder: Path, *, now: datetime) -> tuple[Path, ...]:
    """Writes the next key and certificate beside the present ones.

    Raises:
        ConfigError: there is no present key, a next one exists already, or nothing can be written.
    """
    if not (folder / KEY_NAME).exists():
        what = "there is no present key here to renew: `pagerforce init` writes the first"
        raise ConfigError([Problem(str(folder / KEY_NAME), what)])
    paths = refuse_existing(folder, (NEXT_KEY_NAME, NEXT_CERTIFICATE_NAME))
    key, certificate = _make_pair(now)
    _write_all(folder, {paths[0]: (key, 0o600), paths[1]: (certificate, 0o644)})
    return paths


def refuse_existing(folder: Path, names: Sequence[str]) -> tuple[Path, ...]:
    """Returns the paths of the files to write.

    Raises:
        ConfigError: one exists already, even as a dangling link.
    """
    paths = tuple(folder / name for name in names)
    existing = [path for path in paths if os.path.lexists(path)]
    if existing:
        what = "exists already and is never overwritten: choose another folder, or move it away"
        raise ConfigError([Problem(str(path), what) for path in existing])
    return paths


def check_answers(answers: Mapping[str, str]) -> tuple[Problem, ...]:
    """Returns what is wrong with values for the starter; each problem has the key of its value."""
    table, problems = remove_secrets(tomllib.loads(_config_text(answers)), "")
    for path, model in SECTIONS.items():
        section = table.get(path[0]) if len(path) == 1 else None
        if isinstance(section, Mapping):
            try:
                model.model_validate(section, context={"folder": Path("/")})
            except ValidationError as error:
                problems += to_problems(error, lambda place, path=path: _place(path, place))  # type: ignore[misc]
    return tuple(problems)


def _place(section: Sequence[str], place: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in (*section, *place))


def _config_text(answers: Mapping[str, str]) -> str:
    """Returns the shipped text with the answers instead of its values, without their marks."""
    shipped = resources.files("pagerforce").joinpath("config", "starter.toml").read_text("utf-8")
    lines: list[str] = []
    section = ""
    for line in shipped.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        key = line.partition(" = ")[0]
        answer = answers.get(f"{section}.{key}")
        if answer is None:
            lines.append(line)
        else:
            _take_mark_away(lines)
            lines.append(tomli_w.dumps({key: answer}).rstrip())
    return "\n".join(lines) + "\n"


def _take_mark_away(lines: list[str]) -> None:
    """Removes the mark from the comment at the end of the text so far."""
    for index in range(len(lines) - 1, -1, -1):
        if not lines[index].startswith("#"):
            return
        lines[index] = lines[index].replace(_MARK, "# ")


def _make_pair(now: datetime) -> tuple[bytes, bytes]:
    """Creates an RSA key and its self-signed certificate, both PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem, _certificate_pem(key, now)


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


def _write_into(folder: Folder, contents: Mapping[Path, tuple[bytes, int]]) -> None:
    written: list[str] = []
    try:
        for path, (content, mode) in contents.items():
            # a file that somebody creates in between is not overwritten
            handle = folder.create(path.name, mode)
            written.append(path.name)
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(handle)
    except OSError:
        for name in written:
            folder.unlink(name)
        raise


def _write_all(folder: Path, contents: Mapping[Path, tuple[bytes, int]]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open_folder(folder) as opened:
            _write_into(opened, contents)
    except OSError as error:
        what = f"can not be written ({error.strerror}): choose a writable folder; nothing changed"
        raise ConfigError([Problem(str(folder), what)]) from error
