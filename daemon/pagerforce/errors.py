"""Every exception pagerforce raises. Expected outcomes are values, not exceptions.

The tree:

    PagerforceError
    ├── ConfigError          the user's configuration is wrong; carries every problem found
    ├── AddressInUseError    a listener (metrics, sandbox) could not be opened
    ├── StoreError           the state database cannot be used as it is
    │   ├── SchemaTooNewError    written by a later pagerforce
    │   ├── StoreUnavailableError  no space, locked: it works again by itself
    │   ├── StoreDamagedError    a backup has to be brought back
    │   ├── StatementError       one statement or value was refused; the file is sound
    │   ├── StateInUseError      another process works with the state
    │   ├── UnsafeFileError      a file is a link, no plain file, or somebody else's
    │   └── NotFoundError        no such link, action or event
    ├── RemoteError          a remote side did not do what was asked
    │   ├── CredentialsError     it refused who we are
    │   ├── BudgetError          its quota or rate limit is used up
    │   ├── HaltedError          it takes no writes until somebody acts; it can be read
    │   ├── TransientError       it may work later; nothing was done
    │   │   └── PacedError           we hold it back ourselves, to keep the limit for pages
    │   ├── UnknownOutcomeError  a write may or may not have taken effect
    │   ├── RefusedError         it will never work as it is
    │   └── MalformedError       the answer could not be understood
    │       └── TooLargeError        it is larger than an answer may be
    ├── WrongOrgError        the Salesforce org is not the configured one
    ├── ForbiddenError       the caller's roles do not allow it
    └── TemplateProblem      a template can't be filled in (rules/environment.py)
"""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the user's input.

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
    """What is in the file is no sound database: a backup has to be brought back."""


class StatementError(StoreError):
    """SQLite refused one statement or one value, an internal error; the file itself is sound."""


class StateInUseError(StoreError):
    """Another process holds the state; only one may write to it."""


class UnsafeFileError(StoreError):
    """A file is not to be used: a link, no plain file, or somebody else's.

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
    """A remote side did not do what was asked.

    Attributes:
        status: HTTP status, 0 where there was no answer.
        code: the vendor's own error code, ``""`` where it gave none.
    """

    def __init__(self, message: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class CredentialsError(RemoteError):
    """The remote side refused who we are: nothing works until a human acts."""


class BudgetError(RemoteError):
    """A quota or rate limit is used up.

    Attributes:
        retry_after_seconds: when the remote side said it may be asked again, else None.
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
    """Nothing was done: the account takes no writes until somebody acts, though it can be read.

    Attributes:
        retry_after_seconds: when to try again whether it does.
    """

    def __init__(
        self, message: str, *, status: int = 0, code: str = "", retry_after_seconds: float
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.retry_after_seconds = retry_after_seconds


class TransientError(RemoteError):
    """Nothing was done and it may work later.

    Attributes:
        retry_after_seconds: not to be tried again before; None: as soon as the back-off allows.
        detail: the remote side's own words, which may hold customers' text: not for the log.
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
    """Nothing was sent: what is left of our share of the limit is kept for what matters more."""


class UnknownOutcomeError(RemoteError):
    """A write was sent and its effect is unknown: look before sending it again."""


class RefusedError(RemoteError):
    """The request can never succeed as it is."""


class MalformedError(RemoteError):
    """The answer could not be understood; nothing was concluded from it."""


class TooLargeError(MalformedError):
    """The answer is larger, fuller or deeper than it may be: ask for less at once."""


class WrongOrgError(PagerforceError):
    """The Salesforce org that answered is not the configured one. Exit code 2."""


class ForbiddenError(PagerforceError):
    """The caller's roles, or the rights on a file, do not allow it. Exit code 3."""


def place_of(error: BaseException) -> str:
    """Kind and place of an unexpected error, for the log, dead letters and the journal.

    Its own text may quote customers' text and stays out.
    """
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    where = f" in {Path(last.filename).name}:{last.lineno} ({last.name})" if last else ""
    return f"{type(error).__name__}{where}"


def internal_error_text(error: BaseException) -> str:
    """The words for people and dead letters: ``internal error: KeyError in rows.py:12 (parse)``."""
    return f"internal error: {place_of(error)}"
