"""The two secrets: finds, checks and wraps them so that they can't be printed by accident.

Their sources; the first one found is used:

=====================  =================================  =====================================
secret                 1.                                 2., 3.
=====================  =================================  =====================================
PagerDuty API key      ``$PAGERFORCE_PAGERDUTY_API_KEY``  credential ``pagerduty-api-key``,
                                                          ``pagerduty.api_key_file``
Salesforce RSA key     credential                         ``salesforce.private_key_file``
                       ``salesforce-private-key``
=====================  =================================  =====================================

A credential has priority over the file of the configuration, so that one configuration is enough
for both: the service, which may not read root's key files and gets them from systemd, and an
administrator who runs ``check`` by hand and gets nothing from systemd.

A file of the configuration must not be readable by group or others; systemd protects its
credentials (``$CREDENTIALS_DIRECTORY``).
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from pagerforce.config.schema import Config
from pagerforce.errors import ConfigError, Problem

API_KEY_VARIABLE = "PAGERFORCE_PAGERDUTY_API_KEY"
API_KEY_CREDENTIAL = "pagerduty-api-key"
PRIVATE_KEY_CREDENTIAL = "salesforce-private-key"
STATE_PASSWORD_CREDENTIAL = "postgresql-password"  # noqa: S105 - a name

_LARGEST_BYTES = 64 * 1024
_SMALLEST_RSA_BITS = 2048


class Secret:
    """A text that prints as ``***``; only ``reveal()`` returns it."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Returns the text itself: only for the header or the signature that needs it."""
        return self.__text

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret can be neither pickled nor copied")


class Secrets(Struct, frozen=True):
    """The secrets for the logins on both sides."""

    pagerduty_api_key: Secret
    salesforce_private_key: Secret


class SecretPlace(Struct, frozen=True):
    """The place of a secret, for messages.

    Attributes:
        name: the configuration key, variable or credential.
        path: the file, None for an environment variable.
        is_guarded: systemd protects it: its mode is not checked.
    """

    name: str
    path: Path | None
    is_guarded: bool = False


def load_secrets(config: Config, environ: Mapping[str, str]) -> Secrets:
    """Finds, reads and checks both secrets.

    Raises:
        ConfigError: one is missing, empty, readable by others or unusable; both are reported.
    """
    problems: list[Problem] = []
    api_key = _load_api_key(config, environ, problems)
    private_key = _load_private_key(config, environ, problems)
    if problems or api_key is None or private_key is None:
        raise ConfigError(problems)
    return Secrets(api_key, private_key)


def load_state_password(config: Config, environ: Mapping[str, str]) -> Secret | None:
    """Reads the password of the state's database; None: libpq finds it, or none is needed.

    Raises:
        ConfigError: it is empty, readable by others or unusable.
    """
    problems: list[Problem] = []
    place = find_state_password(config, environ)
    text = None if place is None else _read_text(place, environ, problems)
    if problems:
        raise ConfigError(problems)
    return None if text is None else Secret(text)


def find_api_key(config: Config, environ: Mapping[str, str]) -> SecretPlace | None:
    """Returns the place of the PagerDuty API key; reads nothing."""
    if environ.get(API_KEY_VARIABLE, "").strip():
        return SecretPlace(f"${API_KEY_VARIABLE}", None)
    file = config.pagerduty.api_key_file
    return _find_file("pagerduty.api_key_file", file, API_KEY_CREDENTIAL, environ)


def find_private_key(config: Config, environ: Mapping[str, str]) -> SecretPlace | None:
    """Returns the place of the Salesforce private key; reads only folder entries."""
    file = config.salesforce.private_key_file
    return _find_file("salesforce.private_key_file", file, PRIVATE_KEY_CREDENTIAL, environ)


def find_state_password(config: Config, environ: Mapping[str, str]) -> SecretPlace | None:
    """Returns the place of the password for the state's database; None: libpq's own sources."""
    file = config.state.password_file
    return _find_file("state.password_file", file, STATE_PASSWORD_CREDENTIAL, environ)


def _find_file(
    key: str, file: Path | None, credential: str, environ: Mapping[str, str]
) -> SecretPlace | None:
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    path = Path(folder) / credential
    if folder and _is_there(path):
        return SecretPlace(f'systemd credential "{credential}"', path, is_guarded=True)
    if file is not None:
        return SecretPlace(key, file, bool(folder) and file.is_relative_to(folder))
    return None


def _is_there(path: Path) -> bool:
    """Whether a file exists; a hidden one counts, so that opening it gives the reason."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def check_secret_mode(place: SecretPlace, mode: int) -> Problem | None:
    """Checks whether a file of this ``st_mode`` may contain the secret; None if it may."""
    if not stat.S_ISREG(mode):
        return Problem(place.name, "is not a regular file: give the file with the secret")
    if mode & 0o077 and not place.is_guarded:
        what = f"is readable by others (mode {stat.S_IMODE(mode):04o}): chmod 600 {place.path}"
        return Problem(place.name, what)
    return None


def _load_api_key(
    config: Config, environ: Mapping[str, str], problems: list[Problem]
) -> Secret | None:
    place = find_api_key(config, environ)
    if place is None:
        what = (
            f"no PagerDuty API key: give a file of mode 0600 here, set ${API_KEY_VARIABLE},"
            f' or give the systemd credential "{API_KEY_CREDENTIAL}"'
        )
        problems.append(Problem("pagerduty.api_key_file", what))
        return None
    text = _read_text(place, environ, problems)
    if text is None:
        return None
    if not text.isascii() or not text.isprintable() or " " in text:
        what = "contains more than a key: it must contain only the key, on one line"
        problems.append(Problem(place.name, what))
        return None
    return Secret(text)


def _load_private_key(
    config: Config, environ: Mapping[str, str], problems: list[Problem]
) -> Secret | None:
    place = find_private_key(config, environ)
    if place is None:
        what = (
            "no Salesforce private key: give a PEM file of mode 0600 here (`pagerforce init` writes"
            f' one), or give the systemd credential "{PRIVATE_KEY_CREDENTIAL}"'
        )
        problems.append(Problem("salesforce.private_key_file", what))
        return None
    text = _read_text(place, environ, problems)
    if text is None:
        return None
    wrong = _check_rsa(text)
    if wrong:
        problems.append(Problem(place.name, wrong))
        return None
    return Secret(text)


def _read_text(
    place: SecretPlace, environ: Mapping[str, str], problems: list[Problem]
) -> str | None:
    found = environ[API_KEY_VARIABLE] if place.path is None else _read_guarded(place, place.path)
    if isinstance(found, str):
        found = found.strip() or Problem(place.name, "is empty: put the secret into it")
    if isinstance(found, Problem):
        problems.append(found)
        return None
    return found


def _read_guarded(place: SecretPlace, path: Path) -> str | Problem:
    """Returns the file's text; checks the open file, so that nobody can exchange it in between."""
    try:
        with open(path, "rb", opener=_open_at_once) as stream:
            problem = check_secret_mode(place, os.fstat(stream.fileno()).st_mode)
            if problem is not None:
                return problem
            raw = stream.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        what = "names a file that does not exist: create it, or correct the path"
        return Problem(place.name, what)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        return Problem(place.name, f"can not be read ({reason}): check its owner and its folder")
    if len(raw) > _LARGEST_BYTES:
        return Problem(place.name, "is too large to be a key: give the file with the secret")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Problem(place.name, "is not text: give the key in text (PEM) form")


def _open_at_once(path: str, flags: int) -> int:
    # a FIFO would otherwise block the start until somebody writes to it
    return os.open(path, flags | os.O_NONBLOCK)


def _check_rsa(text: str) -> str:
    """Returns why a private key can't sign the login; ``""`` if it can."""
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except TypeError:
        return "is encrypted: give the key without a passphrase, in a file of mode 0600"
    except (ValueError, UnsupportedAlgorithm):
        if "BEGIN CERTIFICATE" in text:
            return "contains a certificate: give the private key that belongs to it, in PEM form"
        return "is not a private key in PEM form: `pagerforce init` writes a suitable one"
    if not isinstance(key, RSAPrivateKey):
        return "is not an RSA key: Salesforce accepts RS256 only (`pagerforce init` writes one)"
    if key.key_size < _SMALLEST_RSA_BITS:
        return f"has {key.key_size} bits: Salesforce requires {_SMALLEST_RSA_BITS} or more"
    return ""
