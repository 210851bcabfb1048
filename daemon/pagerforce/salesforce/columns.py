"""Columns that the org refuses in a query: which ones they are is found by asking.

A describe tells what there is, not what SOQL takes: behind a polymorphic ``Owner.`` stand few fields,
and a field that was deleted or hidden is refused for every user of the query at once
(``salesforce.unreadable-is-invalid``, ``salesforce.owner-shows-few-fields``). The message helps to guess;
only a query that is taken proves anything.
"""

import re
from collections.abc import Mapping, Sequence

from pagerforce.errors import RefusedError, RemoteError
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.feeds import Feed
from pagerforce.salesforce.soql import Select

_QUERIES_PER_REQUEST = 5  # of one composite request
_SUSPECTS = 3  # beside what is indispensable and all the others, in the first request
_MOST_REQUESTS = 20
_NAMED = re.compile(r"(?:column|relationship|field) '([A-Za-z0-9_]{1,80})'")
_NOT_COLUMNS = frozenset({"INVALID_TYPE"})


def may_be_columns(error: RemoteError) -> bool:
    """Whether a query may have been refused because of what it asks for."""
    return (
        isinstance(error, RefusedError) and error.status == 400 and error.code not in _NOT_COLUMNS
    )


async def find_refused(
    client: SalesforceClient, feed: Feed, error: RemoteError
) -> Mapping[str, str]:
    """The columns to leave out so that a feed can be read, each with the org's words.

    The columns that the refusal seems to name are asked for alone, the rest together; what is refused
    is divided until each refused column stands alone. Mostly that is one request.

    Raises:
        RefusedError: it can't be read without them either: its filter or what it needs most is refused.
        RemoteError: the org could not be asked; nothing is known.
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
    """Those of these columns that a query of the object may ask for by now.

    Raises:
        RemoteError: the org could not be asked.
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
    """For each query the refusal, or None where it is taken.

    Raises:
        RemoteError: one of them failed otherwise.
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
    """The refusal of what can't be left out, with what it is about."""
    bare = Select(feed.name, ("Id",), limit=1)
    unfiltered = Select(feed.name, needed, limit=1)
    hidden, without = await _ask(client, [bare, unfiltered])
    if hidden is not None:
        what = f"can't be read: {hidden}"
    elif without is None:
        what = f"its filter (where) is refused: {error}"
    else:
        what = f"one of {', '.join(needed)} is refused, without which it can't be read: {without}"
    return RefusedError(f"{feed.name}: {what}", status=error.status, code=error.code)


def _select(name: str, columns: Sequence[str]) -> Select:
    return Select(name, tuple(dict.fromkeys(["Id", *columns])), limit=1)


def _is_named(path: str, error: RemoteError) -> bool:
    """Whether a refusal seems to speak of this column."""
    names = {name.lower() for name in _NAMED.findall(str(error))}
    return not names.isdisjoint(step.lower() for step in path.split("."))
