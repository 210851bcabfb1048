"""Translates errors of PostgreSQL to a ``StoreError`` with a remedy.

Its messages about values quote them, so of such errors only the code is shown.
"""

from collections.abc import Mapping

import psycopg
from psycopg import errors

from pagerforce.errors import (
    StatementError,
    StoreDamagedError,
    StoreError,
    StoreUnavailableError,
)

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_REMEDIES: Mapping[str, tuple[type[StoreError], str]] = {
    "53100": (
        StoreUnavailableError,
        "its disk is full: free some space, then it continues by itself",
    ),
    "53300": (
        StoreUnavailableError,
        "it has no connection left: raise max_connections, or end others",
    ),
    "25006": (StoreUnavailableError, "it accepts no writes: is it a standby, or set read only?"),
    "55P03": (StoreUnavailableError, "another session locks the state: end that session"),
    "57014": (StoreUnavailableError, "a statement took too long and was undone: is it overloaded?"),
    "42501": (StoreError, "the user lacks a right: it must own the state's schema"),
    "3F000": (StoreError, "the state's schema is gone: was it dropped?"),
    "42P01": (StoreError, "a table of the state is gone: was it dropped?"),
}
# A refused connection has no code, only the server's text, which may be in another language.
_REFUSALS = (
    ("password authentication failed", "it refuses the password: correct state.password_file"),
    ("no password supplied", "it wants a password: set state.password_file"),
    ("no pg_hba.conf entry", "it refuses this host or user: correct its pg_hba.conf"),
    ('role "', "it refuses the user: create the role, or correct state.url"),
    ('database "', "it has no such database: create it, or correct state.url"),
    ("too many", "it has no connection left: raise max_connections, or end others"),
    ("certificate verify failed", "its certificate is not trusted: see sslrootcert in state.url"),
    ("session is read-only", "no host of state.url accepts writes"),
)
_ABOUT_STATEMENT = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError)
_DAMAGED = ("XX001", "XX002")
_PASSES = "it does not answer, or ended the connection; it is tried again"


def to_store_error(name: str, error: psycopg.Error) -> StoreError:
    """The ``StoreError`` for an error of PostgreSQL; ``name``: of the state."""
    code = error.sqlstate or ""
    if code in _REMEDIES:
        kind, told = _REMEDIES[code]
        return kind(f"{name}: {told} ({code})")
    if code in _DAMAGED:
        return StoreDamagedError(
            f"{name}: its data is damaged ({code}): restore the server from its backup"
        )
    if isinstance(error, _ABOUT_STATEMENT):
        # Of a statement it names columns and types; of a value it quotes the value.
        why = f": {_said(error)}" if isinstance(error, psycopg.ProgrammingError) else ""
        return StatementError(f"{name}: refused a statement ({code or 'no code'}){why}")
    said = _said(error)
    told = next((remedy for part, remedy in _REFUSALS if not code and part in said), _PASSES)
    return StoreUnavailableError(f"{name}: {told} ({said})")


def _said(error: psycopg.Error) -> str:
    """What the server or the driver says; it is about the connection and contains no values."""
    text = error.diag.message_primary or str(error)
    return " ".join(text.split())[:300] or type(error).__name__


def is_connection_lost(error: psycopg.Error, connection: psycopg.AsyncConnection[object]) -> bool:
    """Whether a new connection is needed: this one is closed, or its server accepts no writes."""
    return connection.closed or isinstance(error, errors.ReadOnlySqlTransaction)
