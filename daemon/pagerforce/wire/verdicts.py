"""The verdict on an action for each error of the remote side. Pure."""

from pagerforce.errors import (
    BudgetError,
    CredentialsError,
    HaltedError,
    RefusedError,
    RemoteError,
    TransientError,
    UnknownOutcomeError,
)
from pagerforce.model.verdict import HaltSide, Rejected, RetryLater, Unknown, Verdict


def verdict_of(error: RemoteError) -> Verdict:
    """The verdict on an attempt that ended in this error.

    ``MalformedError`` means that nothing was changed, so the action is tried again. A write with
    such an answer is an ``UnknownOutcomeError``.
    """
    reason = str(error)
    match error:
        case CredentialsError():
            return HaltSide(reason)
        case BudgetError() | HaltedError():
            return HaltSide(reason, error.retry_after_seconds)
        case UnknownOutcomeError():
            return Unknown(reason, is_answered=bool(error.code))
        case RefusedError():
            return Rejected(reason)
        case TransientError():
            return RetryLater(reason, error.retry_after_seconds, error.detail)
        case _:
            return RetryLater(reason)
