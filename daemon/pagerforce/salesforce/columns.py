"""Finds the columns that the org refuses in a query, by trial queries.

A describe lists the fields, but not what SOQL accepts: a polymorphic ``Owner.`` has few fields, and
one deleted or hidden field makes the whole query fail (``salesforce.unreadable-is-invalid``,
``salesforce.owner-shows-few-fields``). The message of the refusal is only a hint; a successful
query is the proof.
"""

import re
from collections.abc import Mapping, Sequence

from pagerforce.errors import RefusedError, RemoteError
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.feeds import Feed
from pagerforce.salesforce.soql import Select

_QUERIES_PER_REQUEST = 5  # per composite request
_SUSPECTS = 3  # in the first request, besides the needed columns and all others
_MOST_REQUESTS = 20
_NAMED = re.compile(r"(?:column|relationship|field) '([A-Za-z0-9_]{1,80})'")
_NOT_COLUMNS = frozenset({"INVALID_TYPE"})


def may_be_columns(error: RemoteError) -> bool:
    """Whether a query may have been refused because of its columns."""
    return (
        isinstance(error, RefusedError) and error.status == 400 and error.code not in _NOT_COLUMNS
    )


async def find_refused(
    client: SalesforceClient, feed: Feed, error: RemoteError
) -> Mapping[str, str]:
    """The columns to leave out so that a feed can be read, each with the org's message.

    The columns that the refusal seems to name are queried alone, the rest together. A refused group
    is divided until each refused column is alone. Usually one request is enough.

    Raises:
        RefusedError: the feed cannot be read: its filter or a needed column is refused.
        RemoteError: the org could not be reached; the result is unknown.
    """
    needed = tuple(name for name in feed.columns if name in feed.needed)
    columns = [name for name in feed.columns if name not in feed.needed]
    suspects = [name for name in columns if _is_named(name, error)][:_SUSPECTS]
    rest = [name for name in columns if name not in suspects]
    base = Select(feed.name, needed, feed.where, limit=1)
    groups = [[name] for name in suspects] + ([rest] if rest else [])
    first, *answers = await _ask(client, [base, *(_select(feed.name, group) for group in groups)])
    if first is not None:
        raise await _explain(client, feed, needed, first)
    return await _divide(client, feed, groups, answers)


async def find_accepted(
    client: SalesforceClient, name: str, columns: Sequence[str]
) -> frozenset[str]:
    """The columns among these that the org now accepts in a query of the object.

    Raises:
        RemoteError: the org could not be reached.
    """
    answers = await _ask(client, [_select(name, [column]) for column in columns])
    return frozenset(
        column for column, error in zip(columns, answers, strict=True) if error is None
    )


async def _divide(
    client: SalesforceClient,
    feed: Feed,
    groups: Sequence[Sequence[str]],
    answers: Sequence[RemoteError | None],
) -> Mapping[str, str]:
    refused: dict[str, str] = {}
    for _ in range(_MOST_REQUESTS):
        waiting: list[Sequence[str]] = []
        for group, error in zip(groups, answers, strict=True):
            if error is not None and len(group) == 1:
                refused[group[0]] = str(error)
            elif error is not None:
                size = -(-len(group) // _QUERIES_PER_REQUEST)
                waiting += [group[at : at + size] for at in range(0, len(group), size)]
        if not waiting:
            return refused
        groups = waiting
        answers = await _ask(client, [_select(feed.name, group) for group in groups])
    raise RefusedError(f"{feed.name}: too many of its columns are refused", status=400)


async def _ask(client: SalesforceClient, selects: Sequence[Select]) -> Sequence[RemoteError | None]:
    """For each query the refusal, or None if it is accepted.

    Raises:
        RemoteError: one of them failed for another reason.
    """
    found: list[RemoteError | None] = []
    for begin in range(0, len(selects), _QUERIES_PER_REQUEST):
        group = selects[begin : begin + _QUERIES_PER_REQUEST]
        paths = [client.query_path(select.text(), deleted=True) for select in group]
        for part in await client.send_composite(paths):
            if part.error is not None and not isinstance(part.error, RefusedError):
                raise part.error
            found.append(part.error)
    return found


async def _explain(
    client: SalesforceClient, feed: Feed, needed: tuple[str, ...], error: RemoteError
) -> RefusedError:
    """The refusal of a feed whose needed parts are refused, with the reason."""
    bare = Select(feed.name, ("Id",), limit=1)
    unfiltered = Select(feed.name, needed, limit=1)
    hidden, without = await _ask(client, [bare, unfiltered])
    if hidden is not None:
        what = f"can't be read: {hidden}"
    elif without is None:
        what = f"its filter (where) is refused: {error}"
    else:
        what = f"can't be read because one of {', '.join(needed)} is refused: {without}"
    return RefusedError(f"{feed.name}: {what}", status=error.status, code=error.code)


def _select(name: str, columns: Sequence[str]) -> Select:
    return Select(name, tuple(dict.fromkeys(["Id", *columns])), limit=1)


def _is_named(path: str, error: RemoteError) -> bool:
    """Whether a refusal seems to name this column."""
    names = {name.lower() for name in _NAMED.findall(str(error))}
    return not names.isdisjoint(step.lower() for step in path.split("."))
