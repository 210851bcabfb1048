"""``/sobjects/X/…``: create, read, update, delete, and upsert by external id.

Facts: docs/vendors/salesforce.md#rest.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pagerforce.sandbox.salesforce.errors import (
    ApiError,
    entity_is_deleted,
    not_found,
    unknown_column,
)
from pagerforce.sandbox.salesforce.header_book import allows_save
from pagerforce.sandbox.salesforce.ids import canonical_id
from pagerforce.sandbox.salesforce.render import Json
from pagerforce.sandbox.salesforce.rest import Call, Reply, Session
from pagerforce.sandbox.salesforce.schema import Field, SObject
from pagerforce.sandbox.salesforce.soql_ast import Path
from pagerforce.sandbox.salesforce.soql_columns import resolve
from pagerforce.sandbox.salesforce.store import Row
from pagerforce.sandbox.salesforce.transaction import Transaction

_UPSERT_BODY_SINCE = 46.0
"""From this API version, an upsert that updates answers 200 with a body instead of 204."""


def create(session: Session, call: Call) -> Reply:
    """``POST /sobjects/X``."""
    item = session.object(call.segments[1])
    with session.writing() as tx:
        row_id = insert_row(session, tx, item, call.mapping(), call.headers)
    return _created(session, item, row_id)


def read(session: Session, call: Call) -> Reply:
    """``GET /sobjects/X/<Id>``; ``fields=`` selects columns."""
    item = session.object(call.segments[1])
    row = _readable(session, item, call.segments[2])
    return _shown(session, item, row, call)


def update(session: Session, call: Call) -> Reply:
    """``PATCH /sobjects/X/<Id>``."""
    item = session.object(call.segments[1])
    with session.writing() as tx:
        row_id = path_id(item, call.segments[2])
        _check_unmodified(session, row_id, call.headers)
        update_row(session, tx, item, row_id, call.mapping(), call.headers)
    return Reply(204)


def delete(session: Session, call: Call) -> Reply:
    """``DELETE /sobjects/X/<Id>``."""
    item = session.object(call.segments[1])
    with session.writing() as tx:
        delete_row(session, tx, item, path_id(item, call.segments[2]))
    return Reply(204)


def read_by_key(session: Session, call: Call) -> Reply:
    """``GET /sobjects/X/<ExtField>/<value>``."""
    item, rows = _keyed(session, call)
    if len(rows) > 1:
        return _several(session, item, rows)
    if not rows:
        raise not_found()
    return _shown(session, item, rows[0], call)


def delete_by_key(session: Session, call: Call) -> Reply:
    """``DELETE /sobjects/X/<ExtField>/<value>``."""
    item, rows = _keyed(session, call)
    if len(rows) > 1:
        return _several(session, item, rows)
    if not rows:
        raise not_found()
    with session.writing() as tx:
        delete_row(session, tx, item, rows[0].id)
    return Reply(204)


def upsert(session: Session, call: Call) -> Reply:
    """``PATCH /sobjects/X/<ExtField>/<value>``: creates, or updates the one row with that key."""
    item, rows = _keyed(session, call)
    key = _key_field(item, call.segments[2])
    given = call.mapping()
    if any(name.lower() in {key.name.lower(), "id"} for name in given):
        raise ApiError(
            "INVALID_FIELD",
            f"The {key.name} field should not be specified in the sobject data.",
            fields=[key.name],
        )
    if len(rows) > 1:
        return _several(session, item, rows)
    if not rows:
        if call.params.get("updateOnly", "").lower() == "true":
            raise not_found()
        with session.writing() as tx:
            values = {**given, key.name: call.segments[3]}
            row_id = insert_row(session, tx, item, values, call.headers)
        return _created(session, item, row_id, {"created": True})
    with session.writing() as tx:
        _check_unmodified(session, rows[0].id, call.headers)
        update_row(session, tx, item, rows[0].id, given, call.headers)
    if float(session.version) < _UPSERT_BODY_SINCE:
        return Reply(204)
    return Reply(200, {"id": rows[0].id, "success": True, "errors": [], "created": False})


def insert_row(
    session: Session, tx: Transaction, item: SObject, given: Json, headers: Mapping[str, str]
) -> str:
    """Creates one row with this user's rights; returns its Id.

    Raises:
        ApiError: the org refuses.
    """
    session.world.access.check(item.name, "create")
    session.world.troubles.meet("create", item.name)
    tx.saves_alerted = allows_save(headers)
    if item.setup:
        raise ApiError(
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be inserted: {item.label}"
        )
    values = _visible_values(item, given)
    if not session.world.holds("comment-body-verbatim"):
        values = {key: _on_one_line(value) for key, value in values.items()}
    return session.world.dml.insert(tx, item, _assigned(session, item, values, headers))


def _on_one_line(value: object) -> object:
    return " ".join(value.splitlines()) if isinstance(value, str) else value


def update_row(
    session: Session,
    tx: Transaction,
    item: SObject,
    row_id: str,
    given: Json,
    headers: Mapping[str, str],
) -> None:
    """Changes one row with this user's rights.

    Raises:
        ApiError: the org refuses.
    """
    _check_shared(session, row_id)
    session.world.dml.live(tx, row_id)
    session.world.access.check(item.name, "edit")
    session.world.troubles.meet("update", item.name)
    session.world.automation.check_approval(row_id)
    values = _visible_values(item, given)
    session.world.dml.update(tx, row_id, _assigned(session, item, values, headers))


def delete_row(session: Session, tx: Transaction, item: SObject, row_id: str) -> None:
    """Deletes one row with this user's rights.

    Raises:
        ApiError: the org refuses.
    """
    _check_shared(session, row_id)
    session.world.dml.live(tx, row_id)
    session.world.access.check(item.name, "delete")
    session.world.troubles.meet("delete", item.name)
    session.world.automation.check_approval(row_id)
    session.world.dml.delete(tx, row_id)


def path_id(item: SObject, text: str) -> str:
    """The Id in a path.

    Raises:
        ApiError: it is no Id of this object.
    """
    row_id = canonical_id(text)
    if row_id is None or not row_id.startswith(item.prefix):
        raise ApiError("MALFORMED_ID", f"{item.label} ID: id value of incorrect type: {text}")
    return row_id


def _check_shared(session: Session, row_id: str) -> None:
    if row_id in session.world.access.unshared:
        raise not_found()


def _visible_values(item: SObject, given: Json) -> Json:
    for name in given:
        if name != "attributes" and item.find(name) is None:
            raise unknown_column(name, item.name)
    return given


def _assigned(session: Session, item: SObject, given: Json, headers: Mapping[str, str]) -> Json:
    """Assignment rules: a Case goes to the default owner, unless the header forbids it."""
    owner = session.world.knobs.default_case_owner
    says_no = headers.get("sforce-auto-assign", "true").strip().lower() == "false"
    if item.name != "Case" or not owner or says_no:
        return given
    return {**given, "OwnerId": owner}


def _readable(session: Session, item: SObject, text: str) -> Row:
    """A row for GET; any wrong Id is not found."""
    row_id = canonical_id(text)
    row = session.lens.source.find(row_id) if row_id else None
    if row is None or row.object != item.name:
        raise not_found()
    if row.is_deleted:
        raise entity_is_deleted()
    return row


def _shown(session: Session, item: SObject, row: Row, call: Call) -> Reply:
    since = call.headers.get("if-modified-since")
    if since is not None and row.modified_at <= _http_date(since):
        return Reply(304)
    names = [name.strip() for name in call.params.get("fields", "").split(",") if name.strip()]
    if not names:
        return Reply(200, session.renderer.whole(row, item.fields.values()))
    schema = session.lens.schema
    columns = [resolve(schema, item, Path(tuple(name.split(".")), 0)) for name in names]
    return Reply(200, session.renderer.record(row, columns))


def _key_field(item: SObject, name: str) -> Field:
    field = item.find(name)
    if field is None or not field.external_id:
        raise not_found(f"Provided external ID field does not exist or is not accessible: {name}")
    return field


def _keyed(session: Session, call: Call) -> tuple[SObject, list[Row]]:
    item = session.object(call.segments[1])
    field = _key_field(item, call.segments[2])
    world = session.world
    tx = session.shared or Transaction(world.store, world.schema, session.user_id, world.now())
    rows = tx.keyed(item.name, field.name, call.segments[3])
    return item, [row for row in rows if row.id not in world.access.unshared]


def _several(session: Session, item: SObject, rows: list[Row]) -> Reply:
    return Reply(300, [f"{session.base}/sobjects/{item.name}/{row.id}" for row in rows])


def _created(
    session: Session, item: SObject, row_id: str, more: Mapping[str, object] | None = None
) -> Reply:
    headers = {"Location": f"{session.base}/sobjects/{item.name}/{row_id}"}
    return Reply(201, {"id": row_id, "success": True, "errors": [], **(more or {})}, headers)


def _check_unmodified(session: Session, row_id: str, headers: Mapping[str, str]) -> None:
    since = headers.get("if-unmodified-since")
    if since is None or not session.world.holds("if-unmodified-since-guards"):
        return
    limit = _http_date(since)
    row = session.lens.source.find(row_id)
    if row is not None and row.modified_at > limit:
        raise ApiError(
            "PRECONDITION_FAILED",
            "The record was modified after the given time.",
            status=412,
        )


def _http_date(text: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError as error:
        raise ApiError("INVALID_HEADER", f"not an HTTP date: {text}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
