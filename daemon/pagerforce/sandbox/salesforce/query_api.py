"""``/query``, ``/queryAll`` and the pages of ``nextRecordsUrl``.

Fact: ``salesforce.query-more-locator``.
"""

import re

from pagerforce.sandbox.salesforce.errors import ApiError
from pagerforce.sandbox.salesforce.render import Json
from pagerforce.sandbox.salesforce.rest import Call, Reply, Session
from pagerforce.sandbox.salesforce.soql_evaluate import QueryRunner
from pagerforce.sandbox.salesforce.soql_parser import parse_soql

MAX_BATCH = 2000
MIN_BATCH = 200
_BATCH_SIZE = re.compile(r"batchSize\s*=\s*(\d{1,9})", re.IGNORECASE)


def query(session: Session, call: Call) -> Reply:
    """Rows that are not deleted."""
    return _query(session, call, include_deleted=False)


def query_all(session: Session, call: Call) -> Reply:
    """All rows, including deleted and merged-away ones."""
    is_there = session.world.holds("deleted-rows-in-queryAll")
    return _query(session, call, include_deleted=is_there)


def query_more(session: Session, call: Call) -> Reply:
    """The next page of a result."""
    world = session.world
    good_for = world.knobs.locator_seconds
    records, offset, size = session.locators.read(
        call.segments[1], session.user_id, world.clock.now(), good_for
    )
    locator = call.segments[1].rpartition("-")[0]
    return Reply(200, _page(session, records, offset, size, locator))


def _query(session: Session, call: Call, *, include_deleted: bool) -> Reply:
    soql = call.params.get("q", "").strip()
    if not soql:
        raise ApiError("MALFORMED_QUERY", "A query string has to be specified")
    knobs, now = session.world.knobs, session.world.clock.now()
    if knobs.query_timeouts > 0:
        knobs.query_timeouts -= 1
        raise ApiError("QUERY_TIMEOUT", "Your query request was running for too long.")
    if session.world.troubles.on:
        session.world.troubles.meet("query", parse_soql(soql).source)
    found = QueryRunner(session.renderer, now, include_deleted).run(soql)
    if not found.records:
        return Reply(200, {"totalSize": found.total, "done": True, "records": []})
    size = _batch_size(session, call)
    locator = ""
    if found.total > size:
        locator = session.locators.open(session.user_id, found.records, size, now)
    return Reply(200, _page(session, found.records, 0, size, locator))


def _page(session: Session, records: list[Json], offset: int, size: int, locator: str) -> Json:
    end = offset + size
    page: Json = {"totalSize": len(records), "done": end >= len(records)}
    if end < len(records):
        page["nextRecordsUrl"] = f"{session.base}/query/{locator}-{end}"
    return page | {"records": records[offset:end]}


def _batch_size(session: Session, call: Call) -> int:
    """The header suggests a number from 200 to 2000; the knob plays the server's own choice."""
    match = _BATCH_SIZE.search(call.headers.get("sforce-query-options", ""))
    wished = min(MAX_BATCH, max(MIN_BATCH, int(match.group(1)))) if match else MAX_BATCH
    knob = session.world.knobs.batch_size
    return wished if knob is None else max(1, min(knob, wished))
