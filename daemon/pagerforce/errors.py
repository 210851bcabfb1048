"""Every exception that pagerforce raises. Expected outcomes are values, not exceptions.

The tree:

    PagerforceError
    ├── ConfigError          the user's configuration is wrong; carries every problem found
    ├── AddressInUseError    a listener (metrics, sandbox) could not be opened
    ├── StoreError           the state database cannot be used as it is
    │   ├── SchemaTooNewError    written by a later pagerforce
    │   ├── StoreUnavailableError  no space, locked: it works again by itself
    │   ├── StoreDamagedError    a backup must be restored
    │   ├── StatementError       one statement or value was refused; the file is sound
    │   ├── StateInUseError      another process uses the state
    │   ├── UnsafeFileError      a file is a link, not a plain file, or belongs to another user
    │   └── NotFoundError        no such link, action or event
    ├── RemoteError          a request to a remote side failed
    │   ├── CredentialsError     it refused pagerforce's credentials
    │   ├── BudgetError          its quota or rate limit is used up
    │   ├── HaltedError          it accepts no writes until somebody acts; it can be read
    │   ├── TransientError       it may work later; nothing was done
    │   │   └── PacedError           pagerforce holds it back, to keep the limit for pages
    │   ├── UnknownOutcomeError  a write may or may not have taken effect
    │   ├── RefusedError         it will never work as it is
    │   └── MalformedError       the answer could not be understood
    │       └── TooLargeError        the answer is larger than the limit
    ├── WrongOrgError        the Salesforce org is not the configured one
    ├── ForbiddenError       the caller's roles do not allow it
    └── TemplateProblem      a template can't be filled in (rules/environment.py)
"""

import traceback
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct


class Problem(Struct, frozen=True):
    """One error in the user's input.

    Attributes:
        where: file and key path, e.g. ``config.toml: rulesets[0].rules[2].actions[0].field``.
        what: what is wrong and what to do about it, without secrets.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class PagerforceError(Exception):
    """Root of everything pagerforce raises on purpose."""


class ConfigError(PagerforceError):
    """The configuration is wrong. Exit code 2, printed without a traceback."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class AddressInUseError(PagerforceError):
    """A listening address is taken or not allowed."""


class StoreError(PagerforceError):
    """The state database cannot be used as it is; the message says what to do."""


class SchemaTooNewError(StoreError):
    """The database was written by a later pagerforce."""


class StoreUnavailableError(StoreError):
    """The disk is full or the file is locked: nothing was stored, and it may work later."""


class StoreDamagedError(StoreError):
    """The file is not a sound database: a backup must be restored."""


class StatementError(StoreError):
    """The engine refused one statement or value, an internal error; the state itself is sound."""


class StateInUseError(StoreError):
    """Another process holds the state; only one may write to it."""


class UnsafeFileError(StoreError):
    """A file must not be used: it is a link, not a plain file, or belongs to another user.

    Attributes:
        path: the file.
        what: what is wrong with it, and what to do.
    """

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what


class NotFoundError(StoreError):
    """There is no such link, action or event."""


class RemoteError(PagerforceError):
    """A request to a remote side failed.

    Attributes:
        status: HTTP status, 0 without an answer.
        code: the vendor's own error code, ``""`` if there is none.
    """

    def __init__(self, message: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class CredentialsError(RemoteError):
    """The remote side refused pagerforce's credentials: nothing works until a human acts."""


class BudgetError(RemoteError):
    """A quota or rate limit is used up.

    Attributes:
        retry_after_seconds: the wait that the remote side asked for, else None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.retry_after_seconds = retry_after_seconds


class HaltedError(RemoteError):
    """Nothing was done: the account can be read, but accepts no writes until somebody acts.

    Attributes:
        retry_after_seconds: the wait before the next try.
    """

    def __init__(
        self, message: str, *, status: int = 0, code: str = "", retry_after_seconds: float
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.retry_after_seconds = retry_after_seconds


class TransientError(RemoteError):
    """Nothing was done and it may work later.

    Attributes:
        retry_after_seconds: the least wait before the next try; None: the back-off decides.
        detail: the remote side's own words, which may contain customers' text: not for the log.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        retry_after_seconds: float | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.retry_after_seconds = retry_after_seconds
        self.detail = detail


class PacedError(TransientError):
    """Nothing was sent: the rest of pagerforce's share is kept for more urgent calls."""


class UnknownOutcomeError(RemoteError):
    """A write was sent and its effect is unknown: look before sending it again."""


class RefusedError(RemoteError):
    """The request can never succeed as it is."""


class MalformedError(RemoteError):
    """The answer could not be understood; nothing was concluded from it."""


class TooLargeError(MalformedError):
    """The answer exceeds a limit of size, items or depth: ask for less at once."""


class WrongOrgError(PagerforceError):
    """The Salesforce org that answered is not the configured one. Exit code 2."""


class ForbiddenError(PagerforceError):
    """The caller's roles, or the rights on a file, do not allow it. Exit code 3."""


def place_of(error: BaseException) -> str:
    """Returns kind and place of an unexpected error, for the log, dead letters and the journal.

    The error's own text may quote customers' text and is left out.
    """
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    where = f" in {Path(last.filename).name}:{last.lineno} ({last.name})" if last else ""
    return f"{type(error).__name__}{where}"


def internal_error_text(error: BaseException) -> str:
    """Returns the text for people and dead letters.

    Example: ``internal error: KeyError in rows.py:12 (parse)``.
    """
    return f"internal error: {place_of(error)}"
