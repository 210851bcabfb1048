"""Reads the bodies of answers: rows, parts of a composite, results of a collection. Pure.

Facts: docs/vendors/salesforce.md#rest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct

from pagerforce.errors import MalformedError, RemoteError, UnknownOutcomeError
from pagerforce.model.ids import RecordId, is_record_id, parse_record_id
from pagerforce.model.value import parse_stamp
from pagerforce.salesforce.answers import faults_of, to_error
from pagerforce.wire.answer import Answer

_NEXT_PATH = re.compile(r"/services/data/v[0-9.]{1,8}/query(All)?/[A-Za-z0-9_-]{1,200}")


class Rows(Struct, frozen=True):
    """One batch of a query's rows; ``next_path``: the path of the next batch, None at the end."""

    rows: tuple[Mapping[str, object], ...]
    next_path: str | None = None

    def has_more(self, limit: int) -> bool:
        """Whether a query with this limit may have further rows.

        A batch may be shorter than the limit (``salesforce.query-more-locator``).
        """
        return self.next_path is not None or len(self.rows) >= limit


class PartAnswer(Struct, frozen=True):
    """The answer to one part of a composite request: its body, or its error."""

    body: object = None
    error: RemoteError | None = None


@dataclass(frozen=True, slots=True)
class UpdatedIds:
    """The answer of ``/updated``: every row committed until ``covered_to`` is visible."""

    ids: tuple[RecordId, ...] = field(repr=False)
    covered_to: datetime | None


def read_part(item: object, operation: str, *, is_write: bool) -> PartAnswer:
    """One part of a composite answer."""
    # If a write's part of the answer is malformed, the outcome of the write is unknown.
    unread = UnknownOutcomeError if is_write else MalformedError
    if not isinstance(item, Mapping):
        return PartAnswer(error=unread(f"{operation}: a part has no answer"))
    status, body = item.get("httpStatusCode"), item.get("body")
    if not isinstance(status, int):
        return PartAnswer(error=unread(f"{operation}: a part has no status"))
    if 200 <= status < 300:
        return PartAnswer(body)
    return PartAnswer(error=to_error(status, faults_of(body), what=operation, is_write=is_write))


def read_result(item: object) -> RecordId | RemoteError:
    """One result of a collection: an Id, or errors, each with a ``statusCode``."""
    if not isinstance(item, Mapping):
        return UnknownOutcomeError("create_many: a record has no result")
    record_id = item.get("id")
    if item.get("success") is True and isinstance(record_id, str) and is_record_id(record_id):
        return parse_record_id(record_id)
    faults = faults_of(item)
    if item.get("success") is False and faults:
        return to_error(400, faults, what="create_many", is_write=True)
    return UnknownOutcomeError("create_many: a result is malformed")


def read_rows(body: object) -> Rows:
    """A query's rows; a row that is no JSON object is kept, and the decoder reports it.

    Raises:
        MalformedError: it is not the answer to a query.
    """
    records = body.get("records") if isinstance(body, Mapping) else None
    if not isinstance(body, Mapping) or not isinstance(records, list):
        raise MalformedError("query: the answer has no list of records")
    total = body.get("totalSize")
    if not records and isinstance(total, int) and total > 0:
        # If this counted as "nothing found", a comment would be written a second time.
        raise MalformedError(f"query: the answer has {total} rows and shows none")
    next_path = body.get("nextRecordsUrl")
    if body.get("done") is False:
        # Only a path of the same instance: the token must never go to another host.
        if not isinstance(next_path, str) or not _NEXT_PATH.fullmatch(next_path):
            raise MalformedError("query: the answer is not done and names no next page")
    else:
        next_path = None
    rows = tuple(row if isinstance(row, Mapping) else {} for row in records)
    return Rows(rows, next_path)


def read_updated(body: object) -> UpdatedIds:
    """The answer of ``/updated``; missing parts are None or empty."""
    if not isinstance(body, Mapping):
        raise MalformedError("updated: the answer is not an object")
    ids, covered = body.get("ids"), body.get("latestDateCovered")
    found = ids if isinstance(ids, list) else []
    try:
        covered_to = parse_stamp(covered) if isinstance(covered, str) else None
    except ValueError:
        covered_to = None
    return UpdatedIds(
        tuple(parse_record_id(i) for i in found if isinstance(i, str) and is_record_id(i)),
        covered_to,
    )


def read_id(answer: Answer) -> RecordId:
    """The Id of a created record.

    Raises:
        MalformedError: the answer names none.
    """
    record_id = answer.json_object().get("id")
    if not isinstance(record_id, str) or not is_record_id(record_id):
        raise answer.malformed("the answer names no Id")
    return parse_record_id(record_id)
