"""``/composite/sobjects``: up to 200 rows in one call.

Fact: ``salesforce.collections-of-rows``. A result's errors have ``statusCode`` where other
resources have ``errorCode``, and the HTTP status is 200 whatever the results of the rows.
"""

from collections.abc import Callable, Sequence

from pagerforce.sandbox.salesforce.errors import ApiError, not_found, unknown_object
from pagerforce.sandbox.salesforce.ids import canonical_id
from pagerforce.sandbox.salesforce.render import Json
from pagerforce.sandbox.salesforce.rest import Call, Reply, Session
from pagerforce.sandbox.salesforce.rows_api import delete_row, insert_row, update_row
from pagerforce.sandbox.salesforce.schema import SObject
from pagerforce.sandbox.salesforce.soql_ast import Path
from pagerforce.sandbox.salesforce.soql_columns import resolve
from pagerforce.sandbox.salesforce.transaction import Transaction

MAX_ROWS = 200
MAX_READ_ROWS = 2000

Step = Callable[[Session, Transaction], Json]
"""Writes one row and returns its result, or raises ApiError."""


def create_rows(session: Session, call: Call) -> Reply:
    """``POST /composite/sobjects``."""
    records = _records(call)

    def step(record: Json) -> Step:
        def run(inner: Session, tx: Transaction) -> Json:
            item = _object_of(inner, record)
            return _done(insert_row(inner, tx, item, record, call.headers))

        return run

    return _run(session, [step(record) for record in records], _all_or_none(call))


def update_rows(session: Session, call: Call) -> Reply:
    """``PATCH /composite/sobjects``; every record contains its ``id``."""
    records = _records(call)

    def step(record: Json) -> Step:
        def run(inner: Session, tx: Transaction) -> Json:
            item = _object_of(inner, record)
            row_id = _id_of(item, record.get("id", record.get("Id")))
            values = {key: value for key, value in record.items() if key.lower() != "id"}
            update_row(inner, tx, item, row_id, values, call.headers)
            return _done(row_id)

        return run

    return _run(session, [step(record) for record in records], _all_or_none(call))


def delete_rows(session: Session, call: Call) -> Reply:
    """``DELETE /composite/sobjects?ids=…``."""
    ids = [item.strip() for item in call.params.get("ids", "").split(",") if item.strip()]
    _check_count(len(ids), MAX_ROWS)

    def step(given: str) -> Step:
        def run(inner: Session, tx: Transaction) -> Json:
            row_id = canonical_id(given)
            item = inner.lens.schema.find_by_prefix(row_id) if row_id else None
            if row_id is None or item is None:
                raise ApiError("MALFORMED_ID", f"malformed id {given}")
            delete_row(inner, tx, item, row_id)
            return _done(row_id)

        return run

    all_or_none = call.params.get("allOrNone", "false").lower() == "true"
    return _run(session, [step(item) for item in ids], all_or_none)


def upsert_rows(session: Session, call: Call) -> Reply:
    """``PATCH /composite/sobjects/X/<ExtField>``; every record contains its key."""
    item = session.object(call.segments[2])
    key = item.find(call.segments[3])
    if key is None or not key.external_id:
        raise not_found(
            f"Provided external ID field does not exist or is not accessible: {call.segments[3]}"
        )
    name = key.name

    def step(record: Json) -> Step:
        def run(inner: Session, tx: Transaction) -> Json:
            value = record.get(name)
            if not isinstance(value, str) or not value:
                raise ApiError("MISSING_ARGUMENT", f"{name} not specified", fields=[name])
            rows = tx.keyed(item.name, name, value)
            if len(rows) > 1:
                raise ApiError("DUPLICATE_EXTERNAL_ID", f"more than one record has this {name}")
            if not rows:
                return _done(insert_row(inner, tx, item, record, call.headers)) | {"created": True}
            values = {given: content for given, content in record.items() if given != name}
            update_row(inner, tx, item, rows[0].id, values, call.headers)
            return _done(rows[0].id) | {"created": False}

        return run

    return _run(session, [step(record) for record in _records(call)], _all_or_none(call))


def read_rows(session: Session, call: Call) -> Reply:
    """``GET`` or ``POST /composite/sobjects/X`` with ids and fields; null if there is no row."""
    item = session.object(call.segments[2])
    ids, fields = _asked(call)
    _check_count(len(ids), MAX_READ_ROWS)
    columns = [resolve(session.lens.schema, item, Path(tuple(f.split(".")), 0)) for f in fields]
    shown: list[Json | None] = []
    for given in ids:
        row_id = canonical_id(given)
        row = session.lens.source.find(row_id) if row_id else None
        is_there = row is not None and row.object == item.name and not row.is_deleted
        shown.append(session.renderer.record(row, columns) if row and is_there else None)
    return Reply(200, shown)


def _asked(call: Call) -> tuple[list[str], list[str]]:
    if call.method == "POST":
        body = call.mapping()
        ids, fields = body.get("ids"), body.get("fields")
        if not isinstance(ids, list) or not isinstance(fields, list):
            raise ApiError("JSON_PARSER_ERROR", "ids and fields must be lists")
        return [str(item) for item in ids], [str(item) for item in fields]
    return call.params.get("ids", "").split(","), call.params.get("fields", "Id").split(",")


def _records(call: Call) -> list[Json]:
    records = call.mapping().get("records")
    if not isinstance(records, list) or not all(isinstance(item, dict) for item in records):
        raise ApiError("JSON_PARSER_ERROR", "records must be a list of objects")
    _check_count(len(records), MAX_ROWS)
    return records


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise ApiError("EXCEEDED_MAX_SIZE_REQUEST", f"The limit is {most} records, not {count}.")


def _all_or_none(call: Call) -> bool:
    return call.mapping().get("allOrNone") is True


def _object_of(session: Session, record: Json) -> SObject:
    attributes = record.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(name, str):
        raise ApiError("INVALID_TYPE", "every record needs attributes with its type")
    item = session.lens.schema.find(name)
    if item is None:
        raise unknown_object(name)
    return item


def _id_of(item: SObject, given: object) -> str:
    row_id = canonical_id(given) if isinstance(given, str) else None
    if row_id is None or not row_id.startswith(item.prefix):
        raise ApiError("MALFORMED_ID", f"{item.label} ID: id value of incorrect type: {given}")
    return row_id


def _run(session: Session, steps: Sequence[Step], all_or_none: bool) -> Reply:  # noqa: FBT001 - the API's own flag
    """Writes rows in one transaction; a refused row is undone alone unless all depend on it."""
    with session.writing() as tx:
        inner = session.within(tx)
        start, results, failed = tx.mark(), [], False
        for step in steps:
            mark = tx.mark()
            try:
                results.append(step(inner, tx))
            except ApiError as error:
                tx.rewind(mark)
                failed = True
                results.append({"success": False, "errors": [_failure(error)]})
        if failed and all_or_none:
            tx.rewind(start)
            results = [_rolled_back(result) for result in results]
    return Reply(200, results)


def _done(row_id: str) -> Json:
    return {"id": row_id, "success": True, "errors": []}


def _failure(error: ApiError) -> Json:
    fields = list(error.fields or ())
    return {"statusCode": error.code, "message": error.message, "fields": fields, **error.detail}


def _rolled_back(result: Json) -> Json:
    if not result["success"]:
        return result
    message = (
        "Record rolled back because not all records were valid and the request was using "
        "AllOrNone header"
    )
    error = {"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": message, "fields": []}
    return {"success": False, "errors": [error]}
