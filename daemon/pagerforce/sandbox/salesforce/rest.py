"""The REST API without HTTP: from a call to a reply.

The same dispatch serves requests from the network and parts of a composite request, which share a
transaction with the other parts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pagerforce.sandbox.salesforce.access import SharedRows
from pagerforce.sandbox.salesforce.errors import ApiError, lock_failed, not_found
from pagerforce.sandbox.salesforce.lens import Lens
from pagerforce.sandbox.salesforce.locators import Locators
from pagerforce.sandbox.salesforce.render import Json, Renderer
from pagerforce.sandbox.salesforce.schema import SObject
from pagerforce.sandbox.salesforce.transaction import Transaction
from pagerforce.sandbox.salesforce.world import SalesforceWorld


@dataclass(frozen=True, slots=True)
class Call:
    """One REST request below ``/services/data/vXX.X/``.

    Attributes:
        segments: the decoded path parts.
        headers: by lower-case name.
        body: the decoded JSON, None if there was none.
    """

    method: str
    segments: tuple[str, ...]
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None

    def mapping(self) -> Json:
        """The body as a JSON object.

        Raises:
            ApiError: it is something else.
        """
        if not isinstance(self.body, dict):
            raise ApiError("JSON_PARSER_ERROR", "The HTTP entity body is required to be an object.")
        return self.body


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer; a ``body`` of None is an empty one."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Session:
    """The caller, the API version, and the transaction.

    Attributes:
        shared: the transaction of the composite request that contains this call, else None.
    """

    world: SalesforceWorld
    user_id: str
    version: str
    locators: Locators
    dispatch: Callable[["Session", Call], Reply]
    shared: Transaction | None = None

    @property
    def base(self) -> str:
        """The path of the API version."""
        return f"/services/data/v{self.version}"

    @property
    def lens(self) -> Lens:
        """This user's view of fields and rows."""
        access = self.world.access
        source = SharedRows(self.shared or self.world.store, access.unshared)
        return Lens(access.schema(self.world.view), source, self.world.schema)

    @property
    def renderer(self) -> Renderer:
        """Creates JSON records for this user."""
        whole = self.world.holds("whole-second-stamps")
        return Renderer(self.lens, self.base, "000" if whole else "250")

    def within(self, shared: Transaction | None) -> "Session":
        """The same caller inside a shared transaction."""
        return replace(self, shared=shared)

    def object(self, name: str) -> SObject:
        """An object of a path, as this user sees it.

        Raises:
            ApiError: NOT_FOUND.
        """
        item = self.lens.schema.find(name)
        if item is None:
            raise not_found()
        return item

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction for one write: a new one, or the shared one, which a failure ends.

        Raises:
            ApiError: the lock knob refuses.
        """
        knobs = self.world.knobs
        if knobs.lock_errors > 0:
            knobs.lock_errors -= 1
            raise lock_failed("")
        if self.shared is not None:
            yield self.shared
            return
        with self.world.transaction(self.user_id) as tx:
            yield tx


Handler = Callable[[Session, Call], Reply]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource: its path, ``*`` for any one segment, and its methods."""

    pattern: tuple[str, ...]
    methods: Mapping[str, Handler]

    def fits(self, segments: Sequence[str]) -> bool:
        """Whether a path belongs to this resource."""
        return len(segments) == len(self.pattern) and all(
            wanted in {"*", given} for wanted, given in zip(self.pattern, segments, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Router:
    """Finds the handler of a call and converts refusals to replies."""

    resources: Sequence[Resource]

    def dispatch(self, session: Session, call: Call) -> Reply:
        """Serves one call."""
        try:
            session.world.headers.note(call.method, "/".join(call.segments), call.headers)
            return self._handler(call)(session, call)
        except ApiError as error:
            return error_reply(error)

    def _handler(self, call: Call) -> Handler:
        found = next((item for item in self.resources if item.fits(call.segments)), None)
        if found is None:
            raise not_found()
        handler = found.methods.get(call.method)
        if handler is None:
            allowed = ",".join(sorted(found.methods))
            raise ApiError(
                "METHOD_NOT_ALLOWED",
                f"HTTP Method '{call.method}' not allowed. Allowed are {allowed}",
                status=405,
            )
        return handler


def error_reply(*errors: ApiError) -> Reply:
    """Refusals in the REST API's form: an array with ``errorCode``."""
    return Reply(errors[0].status, [error_body(error) for error in errors])


def error_body(error: ApiError) -> Json:
    """One refusal; ``fields`` is present only if the platform sends it, even if empty."""
    body: Json = {"message": error.message, "errorCode": error.code}
    fields = {} if error.fields is None else {"fields": list(error.fields)}
    return body | fields | error.detail
