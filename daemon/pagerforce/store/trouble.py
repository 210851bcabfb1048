"""Which errors concern the whole daemon, and which only one item."""

from pagerforce.errors import (
    ConfigError,
    NotFoundError,
    StatementError,
    StoreError,
    WrongOrgError,
)


def concerns_all(error: BaseException) -> bool:
    """Whether an error concerns the whole daemon: configuration, org, the state or its engine.

    Any other unexpected error concerns one item, and costs that item a retry.
    """
    if isinstance(error, BaseExceptionGroup):
        return any(concerns_all(one) for one in error.exceptions)
    if isinstance(error, StoreError):
        return not isinstance(error, StatementError | NotFoundError)
    return isinstance(error, ConfigError | WrongOrgError) or not isinstance(error, Exception)
