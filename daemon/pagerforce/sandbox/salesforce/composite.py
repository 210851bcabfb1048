"""``/composite`` and ``/composite/batch``: several calls in one.

Facts: ``salesforce.composite-is-one-call``, ``salesforce.batch-counts-each``. The outer answer is
200 even if parts fail; with ``allOrNone`` everything is rolled back and the other parts get
PROCESSING_HALTED.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from pagerforce.sandbox.bodies import parse_body
from pagerforce.sandbox.salesforce.errors import ApiError
from pagerforce.sandbox.salesforce.render import Json
from pagerforce.sandbox.salesforce.rest import Call, Reply, Session, error_reply

MAX_PARTS = 25
MAX_READING_PARTS = 5
_REFERENCE = re.compile(r"@\{([^{}]+)\}")
_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]{1,9})\]")
_VERSIONED = re.compile(r"v([0-9]{2}\.0)")
_ROLLED_BACK = (
    "The transaction was rolled back since another operation in the same transaction failed."
)
_BODYLESS = frozenset({"GET", "DELETE", "HEAD"})
_READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Part:
    """One subrequest."""

    method: str
    url: str
    reference: str
    body: object
    headers: Mapping[str, str]


def composite(session: Session, call: Call) -> Reply:
    """``POST /composite``: sequential parts that may use the answers of earlier ones."""
    body = call.mapping()
    parts = _parts(body.get("compositeRequest"), call.headers)
    if body.get("allOrNone") is not True:
        return _composite_reply(parts, _run_parts(session, parts, stop_at_failure=False))
    with session.world.transaction(session.user_id) as tx:
        start = tx.mark()
        replies = _run_parts(session.within(tx), parts, stop_at_failure=True)
        if any(reply.status >= 300 for reply in replies):
            tx.rewind(start)
            replies = [r if r.status >= 300 else _halted(_ROLLED_BACK) for r in replies]
            replies += [_halted(_ROLLED_BACK)] * (len(parts) - len(replies))
    return _composite_reply(parts, replies)


def write_parts(path: str, body: bytes) -> list[tuple[str, str]]:
    """Method and path of each write in a composite request; none for any other request."""
    if not path.endswith("/composite"):
        return []
    try:
        given = parse_body(body)
    except ValueError:
        return []
    parts = given.get("compositeRequest") if isinstance(given, dict) else None
    named = [
        (str(item.get("method")).upper(), str(item.get("url")).partition("?")[0])
        for item in (parts if isinstance(parts, list) else ())
        if isinstance(item, dict)
    ]
    return [name for name in named if name[0] not in _READS]


def batch(session: Session, call: Call) -> Reply:
    """``POST /composite/batch``: independent parts, each committed and each counted."""
    body = call.mapping()
    requests = body.get("batchRequests")
    if not isinstance(requests, list) or not all(isinstance(item, dict) for item in requests):
        raise ApiError("JSON_PARSER_ERROR", "batchRequests must be a list of objects")
    if len(requests) > MAX_PARTS:
        raise _too_many(f"Batch request cannot have more than {MAX_PARTS} subrequests")
    session.world.quota.count(session.world.clock.now(), max(0, len(requests) - 1))
    results: list[Json] = []
    for request in requests:
        failed = any(_status(result) >= 400 for result in results)
        if failed and body.get("haltOnError") is True:
            halted = ApiError("BATCH_PROCESSING_HALTED", "Batch processing halted.", status=412)
            reply = error_reply(halted)
        else:
            url = f"/services/data/{str(request.get('url', '')).lstrip('/')}"
            method = str(request.get("method", "GET")).upper()
            part = Part(method, url, "", request.get("richInput"), call.headers)
            reply = _run_part(session, part)
        results.append({"statusCode": reply.status, "result": reply.body})
    has_errors = any(_status(result) >= 400 for result in results)
    return Reply(200, {"hasErrors": has_errors, "results": results})


def _status(result: Json) -> int:
    status = result["statusCode"]
    return status if isinstance(status, int) else 0


def _parts(given: object, headers: Mapping[str, str]) -> list[Part]:
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise ApiError("JSON_PARSER_ERROR", "compositeRequest must be a list of objects")
    if len(given) > MAX_PARTS:
        raise _too_many(f"Composite request cannot have more than {MAX_PARTS} subrequests")
    parts = [_part(item, headers) for item in given]
    if sum(1 for part in parts if _is_reading(part)) > MAX_READING_PARTS:
        raise _too_many(f"More than {MAX_READING_PARTS} subrequests are queries or collections")
    references = [part.reference for part in parts]
    if len(set(references)) < len(references):
        raise ApiError("INVALID_INPUT", "Reference ids must be unique")
    return parts


def _part(item: Json, headers: Mapping[str, str]) -> Part:
    method, url, reference = item.get("method"), item.get("url"), item.get("referenceId")
    if not isinstance(method, str) or not isinstance(url, str) or not isinstance(reference, str):
        raise ApiError("JSON_PARSER_ERROR", "every part needs method, url and referenceId")
    own = item.get("httpHeaders")
    extra = {str(k).lower(): str(v) for k, v in own.items()} if isinstance(own, dict) else {}
    return Part(method.upper(), url, reference, item.get("body"), {**headers, **extra})


def _is_reading(part: Part) -> bool:
    path = part.url.partition("?")[0]
    return re.search(r"/v\d+\.0/(query|queryAll|composite/sobjects)(/|$)", path) is not None


def _run_parts(session: Session, parts: list[Part], *, stop_at_failure: bool) -> list[Reply]:
    """Runs the parts in order; a part that refers to a failed one is not run."""
    replies: list[Reply] = []
    answers: dict[str, object] = {}
    for part in parts:
        try:
            ready = _substituted(part, answers)
        except LookupError as error:
            reply = _halted(f"Invalid reference specified. No value for {error.args[0]} found.")
        else:
            reply = _run_part(session, ready)
        replies.append(reply)
        if reply.status < 300:
            answers[part.reference] = reply.body
        elif stop_at_failure:
            break
    return replies


def _run_part(session: Session, part: Part) -> Reply:
    path, _, query = part.url.partition("?")
    segments = [unquote(item) for item in path.strip("/").split("/")]
    version = _VERSIONED.fullmatch(segments[2]) if len(segments) > 3 else None
    if segments[:2] != ["services", "data"] or version is None:
        return error_reply(ApiError("NOT_FOUND", f"The URL {path} is not one here", status=404))
    if segments[3] == "composite" and segments[4:5] != ["sobjects"]:
        return error_reply(ApiError("INVALID_INPUT", "composite requests do not nest"))
    params = dict(parse_qsl(query, keep_blank_values=True))
    body = None if part.method in _BODYLESS else part.body
    call = Call(part.method, tuple(segments[3:]), params, part.headers, body)
    return session.dispatch(session, call)


def _substituted(part: Part, answers: Mapping[str, object]) -> Part:
    """The part with every ``@{reference.path}`` replaced.

    Raises:
        LookupError: the reference has no value; the error's argument is the reference.
    """
    url = _REFERENCE.sub(lambda found: str(_lookup(found.group(1), answers)), part.url)
    body = _filled(part.body, answers)
    return Part(part.method, url, part.reference, body, part.headers)


def _filled(value: object, answers: Mapping[str, object]) -> object:
    if isinstance(value, dict):
        return {key: _filled(item, answers) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, answers) for item in value]
    if not isinstance(value, str):
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole is not None:
        return _lookup(whole.group(1), answers)
    return _REFERENCE.sub(lambda found: str(_lookup(found.group(1), answers)), value)


def _lookup(reference: str, answers: Mapping[str, object]) -> object:
    name, _, rest = reference.partition(".")
    bare = name.partition("[")[0]
    current: object = answers.get(bare)
    for key, index in _STEP.findall(name[len(bare) :] + "." + rest):
        if index and isinstance(current, list) and int(index) < len(current):
            current = current[int(index)]
        elif key and isinstance(current, dict) and key in current:
            current = current[key]
        else:
            raise LookupError(reference)
    if current is None:
        raise LookupError(reference)
    return current


def _composite_reply(parts: list[Part], replies: list[Reply]) -> Reply:
    shown = [
        {
            "body": reply.body,
            "httpHeaders": dict(reply.headers),
            "httpStatusCode": reply.status,
            "referenceId": part.reference,
        }
        for part, reply in zip(parts, replies, strict=True)
    ]
    return Reply(200, {"compositeResponse": shown})


def _halted(message: str) -> Reply:
    return error_reply(ApiError("PROCESSING_HALTED", message))


def _too_many(message: str) -> ApiError:
    return ApiError("LIMIT_EXCEEDED", message)
