"""Pages of lists. Facts: docs/vendors/pagerduty.md#pagination."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from pagerforce.sandbox.pagerduty import refusals
from pagerforce.sandbox.pagerduty.call import Answer, Query
from pagerforce.sandbox.pagerduty.links import Json

DEFAULT_LIMIT = 25
MAX_LIMIT = 100
MAX_DEPTH = 10_000
"""The highest ``offset+limit``."""

Item = TypeVar("Item")


def classic_page(
    query: Query, name: str, items: Sequence[Item], show: Callable[[Item], Json]
) -> Answer:
    """A page by ``limit`` and ``offset``; only the items of the page are converted.

    Args:
        query: the query string.
        name: the list's name in the answer.
        items: all matching items, in order.
        show: creates the JSON of one item.

    Raises:
        RefusalError: 400 beyond 10,000, with the same code as for duplicate keys.
    """
    limit = min(query.integer("limit", DEFAULT_LIMIT), MAX_LIMIT)
    offset = query.integer("offset", 0)
    if offset + limit > MAX_DEPTH:
        raise refusals.bad_arguments(
            f"Offset+limit exceeds maximum allowed value of {MAX_DEPTH}. "
            "Please use a more specific query."
        )
    page = items[offset : offset + limit]
    return Answer(
        body={
            name: [show(item) for item in page],
            "limit": limit,
            "offset": offset,
            "more": offset + limit < len(items),
            "total": len(items) if query.flag("total") else None,
        }
    )


def cursor_page(
    query: Query, name: str, items: Sequence[Item], show: Callable[[Item], Json]
) -> Answer:
    """A page by cursor; the end is a null ``next_cursor``.

    Raises:
        RefusalError: the cursor is unknown.
    """
    limit = min(query.integer("limit", DEFAULT_LIMIT), MAX_LIMIT) or DEFAULT_LIMIT
    start = _read_cursor(query.text("cursor"))
    page = items[start : start + limit]
    more = start + limit < len(items)
    following = base64.urlsafe_b64encode(str(start + limit).encode()).decode()
    return Answer(
        body={
            name: [show(item) for item in page],
            "limit": limit,
            "next_cursor": following if more else None,
            "more": more,
        }
    )


def _read_cursor(cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, binascii.Error) as error:
        raise refusals.invalid_input("cursor is invalid") from error
