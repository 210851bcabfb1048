"""Checks requests to and answers from PagerDuty's REST API against its published schema.

Put :class:`ValidatingApp` between any client and any PagerDuty application and read its
violations afterwards. Known errors of the schema are patched in memory
(``openapi_patches.py``); see `pagerduty.schema-refuses-entries`.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jsonschema import Draft4Validator, FormatChecker, ValidationError, validators
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from openapi_patches import as_json_schema, patched, strict_bodies, with_nulls

USER_KEYS = frozenset({"sandbox-user-key"})
"""Keys with which ``From`` is not needed."""

# Possible answers of any operation, whether or not the schema lists them (`pagerduty.error-statuses`).
ANY_ERROR = frozenset({400, 401, 402, 403, 404, 408, 413, 422, 429})
# Removed from the schema in September 2025, possibly still in service (`pagerduty.response-plays-removed`).
UNLISTED = frozenset(
    {
        ("GET", "/response_plays"),
        ("GET", "/response_plays/{id}"),
        ("POST", "/response_plays/{id}/run"),
    }
)

_FORMATS = FormatChecker(formats=())
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")


@_FORMATS.checks("date-time")
def _is_stamp(value: object) -> bool:
    """Whole seconds (`pagerduty.whole-seconds`) and always a zone."""
    return not isinstance(value, str) or _STAMP.fullmatch(value) is not None


@_FORMATS.checks("email")
def _is_email(value: object) -> bool:
    return not isinstance(value, str) or "@" in value


@dataclass(frozen=True)
class Operation:
    method: str
    template: str
    definition: dict[str, Any]
    pattern: re.Pattern[str]

    @property
    def pointer(self) -> str:
        escaped = self.template.replace("~", "~0").replace("/", "~1")
        return f"#/paths/{escaped}/{self.method.lower()}"


class Schema:
    """The patched schema, ready for checks."""

    def __init__(self, file: Path) -> None:
        spec = json.loads(file.read_text(encoding="utf-8"))
        self.spec = spec
        self._requests = _registry(as_json_schema(strict_bodies(patched(spec))))
        self._answers = _registry(as_json_schema(with_nulls(patched(spec))))
        self._operations = sorted(_operations(spec), key=lambda one: one.template.count("{"))

    def find(self, method: str, path: str) -> Operation | None:
        """The operation of a path; literal segments win over parameters."""
        for operation in self._operations:
            if operation.method == method and operation.pattern.fullmatch(path):
                return operation
        return None

    def check_request(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        headers: dict[str, str] | None = None,
        body: object = None,
    ) -> list[str]:
        """The problems of a request; empty if there are none."""
        if (method, _play_template(path)) in UNLISTED:
            return []
        operation = self.find(method, path)
        if operation is None:
            return [f"{method} {path}: no such operation"]
        problems = [*self._check_query(operation, query)]
        if headers is not None:
            problems += _check_headers(operation, self._parameters(operation), headers)
        if "requestBody" in operation.definition:
            pointer = f"{operation.pointer}/requestBody/content/application~1json/schema"
            problems += _errors(self._requests, pointer, body)
        elif body is not None:
            problems.append("a body where none is documented")
        return [f"{method} {operation.template} request: {problem}" for problem in problems]

    def check_answer(
        self, method: str, path: str, status: int, body: bytes | object = b""
    ) -> list[str]:
        """The problems of an answer; empty if there are none. ``bytes`` are decoded first."""
        if (method, _play_template(path)) in UNLISTED:
            return []
        operation = self.find(method, path)
        if operation is None:
            return [] if status == 404 else [f"{method} {path}: answered with {status}"]
        problems = self._check_answer(operation, status, body)
        return [f"{method} {operation.template} {status}: {problem}" for problem in problems]

    def _check_answer(self, operation: Operation, status: int, body: object) -> list[str]:
        if isinstance(body, bytes):
            try:
                body = json.loads(body) if body else None
            except ValueError:
                # a 429 or 5xx may come from a proxy in front of PagerDuty (`pagerduty.error-body-forms`)
                return [] if status == 429 or status >= 500 else ["the body is not JSON"]
        if status >= 400:
            return self._check_error(status, body)
        documented = operation.definition["responses"]
        # GET of one workflow lists 201 as its only success; it must mean 200
        wanted = "201" if operation.template == "/incident_workflows/{id}" else str(status)
        if wanted not in documented:
            return [f"status is not documented, only {', '.join(documented)}"]
        if "content" not in documented[wanted]:
            return [] if body is None else ["a body where none is documented"]
        pointer = f"{operation.pointer}/responses/{wanted}/content/application~1json/schema"
        return _errors(self._answers, pointer, body)

    def _check_error(self, status: int, body: object) -> list[str]:
        if status not in ANY_ERROR and status < 500:
            return ["an error status that is not documented"]
        if body is None:
            return [] if status == 429 or status >= 500 else ["an error without a body"]
        if isinstance(body, dict) and isinstance(body.get("error"), str):
            return []  # see `pagerduty.account-key-without-user`
        pointer = "#/components/responses/Conflict/content/application~1json/schema"
        problems = _errors(self._answers, pointer, body)
        if not isinstance(body, dict) or not isinstance(body.get("error"), dict):
            problems.append("error is missing")
        return problems

    def _parameters(self, operation: Operation) -> list[dict[str, Any]]:
        found = []
        for parameter in operation.definition.get("parameters", ()):
            name = parameter.get("$ref", "").rpartition("/")[2]
            found.append(self.spec["components"]["parameters"][name] if name else parameter)
        return found

    def _check_query(self, operation: Operation, query: Sequence[tuple[str, str]]) -> Iterator[str]:
        known = {one["name"]: one for one in self._parameters(operation) if one["in"] == "query"}
        for name, count in Counter(name for name, _ in query).items():
            if count > 1 and not name.endswith("[]"):
                yield f"{name} is given {count} times"
        if len(set(query)) < len(query):
            yield "a value is repeated"
        for name, value in query:
            if name not in known:
                yield f"{name} is not a documented parameter"
            else:
                yield from _check_parameter(known[name], value)
        numbers = {name: int(value) for name, value in query if value.isdecimal()}
        if numbers.get("limit", 0) > 100:
            yield "limit is beyond 100"
        if numbers.get("offset", 0) + numbers.get("limit", 25) > 10_000 and "offset" in numbers:
            yield "offset+limit is beyond 10000"


@dataclass
class ValidatingApp:
    """An ASGI application around another one that records violations of the schema."""

    app: Any
    schema: Schema
    request_violations: list[str] = field(default_factory=list)
    answer_violations: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def violations(self) -> list[str]:
        """Violations of both directions."""
        return self.request_violations + self.answer_violations

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/__sandbox__/"):
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        self._judge_request(scope, body)
        replayed = [{"type": "http.request", "body": body, "more_body": False}]
        answer: dict[str, Any] = {"body": b"", "complete": False}

        async def replay():
            return replayed.pop() if replayed else await receive()

        async def watch(message):
            await send(message)
            if message["type"] == "http.response.start":
                answer["status"] = message["status"]
            else:
                answer["body"] += message.get("body", b"")
                answer["complete"] = not message.get("more_body", False)

        await self.app(scope, replay, watch)
        if answer["complete"]:
            self.answer_violations += self.schema.check_answer(
                scope["method"], scope["path"], answer["status"], answer["body"]
            )

    def _judge_request(self, scope, body: bytes) -> None:
        method, path = scope["method"], scope["path"]
        operation = self.schema.find(method, path)
        self.calls[f"{method} {operation.template if operation else path}"] += 1
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
        try:
            decoded = json.loads(body) if body else None
        except ValueError:
            self.request_violations.append(f"{method} {path}: the body is not JSON")
            return
        self.request_violations += self.schema.check_request(method, path, query, headers, decoded)


async def _read(receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body", False):
            return body


def _operations(spec: dict[str, Any]) -> Iterator[Operation]:
    for template, methods in spec["paths"].items():
        pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", template))
        for method, definition in methods.items():
            if method in ("get", "post", "put", "delete"):
                yield Operation(method.upper(), template, definition, pattern)


def _play_template(path: str) -> str:
    return re.sub(r"^/response_plays/[^/]+", "/response_plays/{id}", path)


def _check_headers(operation, parameters, headers: dict[str, str]) -> Iterator[str]:
    authorization = headers.get("authorization", "")
    if not re.fullmatch(r"Token token=\S+|Bearer \S+", authorization):
        yield "Authorization is malformed"
    if "version=2" not in headers.get("accept", ""):
        yield "Accept does not ask for version 2"
    sends_json = headers.get("content-type", "").startswith("application/json")
    if "requestBody" in operation.definition and not sends_json:
        yield "Content-Type is not application/json"
    needs_from = any(one["name"] == "From" for one in parameters)
    key = authorization.rpartition("=")[2]
    if needs_from and key not in USER_KEYS and "@" not in headers.get("from", ""):
        yield "From is missing"


def _check_parameter(parameter: dict[str, Any], value: str) -> Iterator[str]:
    schema = parameter["schema"]
    if schema["type"] == "array" or parameter.get("explode") is False:
        limit = schema.get("maxItems")
        parts = value.split(",") if parameter.get("explode") is False else [value]
        if limit is not None and len(parts) > limit:
            yield f"{parameter['name']} has more than {limit} values"
        return
    name = parameter["name"]
    if schema["type"] == "integer" and not value.isdecimal():
        yield f"{name} is not an integer"
    if schema["type"] == "boolean" and value not in ("true", "false", "1", "0"):
        yield f"{name} is not a lowercase boolean"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{name} is none of {schema['enum']}"
    if schema.get("format") == "date-time" and not re.match(r"\d{4}-\d\d-\d\d", value):
        yield f"{name} is not a date"


def _one_of(validator, alternatives, instance, schema):
    """Like the original, but leaves an alternative at its first error: there are many."""
    fitting = sum(validator.evolve(schema=one).is_valid(instance) for one in alternatives)
    if fitting != 1:
        yield ValidationError(f"{instance!r} fits {fitting} alternatives instead of one")


_Validator = validators.extend(Draft4Validator, {"oneOf": _one_of})


def _errors(registry: Registry, pointer: str, value: object) -> list[str]:
    validator = _Validator(
        {"$ref": f"urn:pagerduty{pointer}"}, registry=registry, format_checker=_FORMATS
    )
    return [
        f"{'/'.join(str(part) for part in error.absolute_path)}: {error.message[:300]}"
        for error in validator.iter_errors(value)
    ]


def _registry(spec: dict[str, Any]) -> Registry:
    resource = Resource.from_contents(spec, default_specification=DRAFT4)
    return Registry().with_resource("urn:pagerduty", resource)
