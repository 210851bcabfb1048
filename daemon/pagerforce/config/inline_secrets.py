"""Finds secrets in the configuration itself, and removes them.

The values are never shown: problems name the key and the right place for the secret, and later
steps, whose messages may quote values, no longer see them.
"""

import re
from collections.abc import Mapping

from pagerforce.config.keypath import key_path
from pagerforce.errors import Problem

_WORDS = frozenset(
    {
        "apikey",
        "auth_key",
        "credential",
        "credentials",
        "integration_key",
        "key_pem",
        "passphrase",
        "passwd",
        "password",
        "private_key",
        "privatekey",
        "pwd",
        "routing_key",
        "secret",
        "secret_key",
        "signing_key",
        "token",
    }
)
_ENDINGS = ("_token", "_secret", "_password", "_passphrase", "_api_key", "_private_key")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_TOKEN_HEADER = re.compile(r"(?:token\s+token=|bearer\s+)\S{8,}", re.IGNORECASE)
# Below these keys are names and values of the remote side, e.g. a category called "Password".
_REMOTE_NAMES = frozenset({"fields", "lookup", "conflict_fields", "maps"})
_DEEPEST = 40

_PAGERDUTY_PLACE = (
    "put it into a file of mode 0600 and set pagerduty.api_key_file, or into the environment"
    " variable"
    ' PAGERFORCE_PAGERDUTY_API_KEY, or into the systemd credential "pagerduty-api-key"'
)
_SALESFORCE_PLACE = (
    "pagerforce logs in to Salesforce with a private key only: keep it in a file of mode 0600 and"
    " set"
    ' salesforce.private_key_file, or in the systemd credential "salesforce-private-key"'
)


def remove_secrets(
    table: Mapping[str, object], label: str
) -> tuple[Mapping[str, object], list[Problem]]:
    """Returns a copy without keys that contain secrets, and one problem for each of them."""
    problems: list[Problem] = []
    clean = _clean_table(table, (), label, problems)
    return clean, problems


def _clean_table(
    table: Mapping[str, object], path: tuple[str | int, ...], label: str, problems: list[Problem]
) -> dict[str, object]:
    clean: dict[str, object] = {}
    for key, value in table.items():
        here = (*path, key)
        if len(here) > _DEEPEST:
            problems.append(Problem(f"{label}: {key_path(here)}", "is nested too deeply"))
        elif _is_secret_key(key, path) and not isinstance(value, Mapping | list):
            problems.append(_problem(label, here))
        else:
            _keep_clean(clean, key, _clean(value, here, label, problems))
    return clean


def _keep_clean(clean: dict[str, object], key: str, value: object) -> None:
    if value is not _REMOVED:
        clean[key] = value


_REMOVED = object()


def _clean(
    value: object, path: tuple[str | int, ...], label: str, problems: list[Problem]
) -> object:
    if isinstance(value, Mapping):
        return _clean_table(value, path, label, problems)
    if isinstance(value, list):
        if len(path) > _DEEPEST:
            problems.append(Problem(f"{label}: {key_path(path)}", "is nested too deeply"))
            return _REMOVED
        items = [_clean(item, (*path, index), label, problems) for index, item in enumerate(value)]
        return [item for item in items if item is not _REMOVED]
    if isinstance(value, str) and (_PEM.search(value) or _TOKEN_HEADER.search(value)):
        problems.append(_problem(label, path))
        return _REMOVED
    return value


def _is_secret_key(key: str, path: tuple[str | int, ...]) -> bool:
    if _REMOTE_NAMES.intersection(part for part in path if isinstance(part, str)):
        return False
    word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower().replace("-", "_")
    return word in _WORDS or word.replace("_", "") in _WORDS or f"_{word}".endswith(_ENDINGS)


def _problem(label: str, path: tuple[str | int, ...]) -> Problem:
    key = str(path[-1]).lower()
    is_salesforce = path[0] == "salesforce" or "private" in key or "client" in key
    place = _SALESFORCE_PLACE if is_salesforce else _PAGERDUTY_PLACE
    return Problem(
        f"{label}: {key_path(path)}", f"a secret must not be in the configuration: {place}"
    )
