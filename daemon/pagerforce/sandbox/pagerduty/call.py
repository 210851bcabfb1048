"""One request in the form for endpoints: caller, parameters, body.

Facts: ``pagerduty.key-header``, ``pagerduty.from-header``, ``pagerduty.limit-headers``.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from pagerforce.sandbox.pagerduty import refusals
from pagerforce.sandbox.pagerduty.directory import ApiKey
from pagerforce.sandbox.pagerduty.links import Json, Links
from pagerforce.sandbox.pagerduty.stamps import find_zone, read_stamp
from pagerforce.sandbox.pagerduty.state import Actor, Agent, Incident, State
from pagerforce.sandbox.pagerduty.view import View

_TRUE = ("true", "1")
_FALSE = ("false", "0")
_WINDOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Query:
    """The query string."""

    values: Mapping[str, list[str]]

    def text(self, name: str) -> str | None:
        """The last value of a parameter, None if it is absent."""
        found = self.values.get(name)
        return found[-1] if found else None

    def texts(self, name: str) -> list[str]:
        """All values of an array parameter; its name has no brackets."""
        return self.values.get(f"{name}[]", [])

    def integer(self, name: str, default: int) -> int:
        """A non-negative number.

        Raises:
            RefusalError: it is none.
        """
        text = self.text(name)
        if text is None or text == "":
            return default
        if not text.isdecimal():
            raise refusals.invalid_input(f"{name} must be a non-negative integer")
        return int(text)

    def flag(self, name: str) -> bool:
        """A boolean: lowercase ``true``/``false`` or ``1``/``0``, false if absent.

        Raises:
            RefusalError: it is neither.
        """
        text = self.text(name)
        if text is not None and text not in (*_TRUE, *_FALSE):
            raise refusals.invalid_input(f"{name} must be a boolean")
        return text in _TRUE

    def moment(self, name: str, zone: tzinfo) -> datetime | None:
        """An instant; without a zone it is read in ``zone``.

        Raises:
            RefusalError: it is not a date.
        """
        text = self.text(name)
        if text is None or text == "":
            return None
        try:
            return read_stamp(text, zone)
        except (ValueError, OverflowError) as error:
            raise refusals.RefusalError(400, 2004, f"Invalid {name}") from error


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request.

    Attributes:
        state: the account.
        key: the caller's key.
        path: the parameters in the path.
        query: the query string.
        body: the decoded JSON body, None without one.
        sender: the ``From`` header.
        links: the API's own URL, as the client knows it.
    """

    state: State
    key: ApiKey
    path: Mapping[str, str]
    query: Query
    body: object
    sender: str | None
    links: Links

    def view(self, zone: tzinfo = UTC) -> View:
        """The view with the includes of this request; in its zone, by default ``zone``."""
        include = frozenset(self.query.texts("include"))
        return View(self.state, self.links, include, self.zone(zone))

    def zone(self, default: tzinfo) -> tzinfo:
        """The time zone of the ``time_zone`` parameter.

        Raises:
            RefusalError: it is unknown.
        """
        name = self.query.text("time_zone")
        if not name:
            return default
        try:
            return find_zone(name)
        except ValueError as error:
            raise refusals.invalid_input(str(error)) from error

    def actor(self) -> Actor:
        """The acting user: the key's owner, else the user in the ``From`` header.

        Raises:
            RefusalError: an account key without ``From``, or with an unknown address.
        """
        if self.key.user_id is None and not self.sender:
            raise refusals.from_missing()
        actor = self.actor_if_known()
        if actor.agent is None:
            raise refusals.requester_not_found()
        if actor.user_id in self.state.knobs.refused_requesters:
            raise refusals.RefusalError(403, 1018, "Requester not authorized")
        return actor

    def actor_if_known(self) -> Actor:
        """As :meth:`actor`, for calls that need no user: nobody if no user is given."""
        user_id = self.key.user_id
        if user_id is None and self.sender:
            user = self.state.directory.find_user(self.sender)
            user_id = None if user is None else user.id
        agent = None if user_id is None else Agent("user", user_id)
        return Actor(agent, self.state.knobs.rest_channel)

    def incident(self) -> Incident:
        """The incident in the path, by id or number.

        Raises:
            RefusalError: 404.
        """
        found = self.state.find_incident(self.path["id"])
        if found is None:
            raise refusals.not_found()
        return found

    def wrapped(self, name: str) -> Json:
        """The object in the body's wrapper.

        Raises:
            RefusalError: there is none.
        """
        inner = self.body.get(name) if isinstance(self.body, dict) else None
        if not isinstance(inner, dict):
            raise refusals.invalid_input(f"{name} must be an object")
        return inner

    def wrapped_list(self, name: str) -> list[Json]:
        """The list of objects in the body's wrapper.

        Raises:
            RefusalError: there is none.
        """
        inner = self.body.get(name) if isinstance(self.body, dict) else None
        if not isinstance(inner, list) or not all(isinstance(item, dict) for item in inner):
            raise refusals.invalid_input(f"{name} must be a list of objects")
        return inner


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of an endpoint; ``body`` None for an empty one."""

    status: int = 200
    body: Json | None = None


Endpoint = Callable[[Call], Answer]
"""Handles one request on the account, at once and without waiting."""


@dataclass(slots=True)
class RateLimiter:
    """Counts each key's requests in windows of one minute."""

    windows: dict[str, tuple[datetime, int]] = field(default_factory=dict)

    def count(self, key: str, limit: int, now: datetime) -> tuple[bool, dict[str, str]]:
        """Counts a request; returns whether it may pass, and the rate limit headers."""
        start, used = self.windows.get(key, (now, 0))
        if now >= start + _WINDOW:
            start, used = now, 0
        passes = used < limit
        used += passes
        self.windows[key] = (start, used)
        reset = math.ceil((start + _WINDOW - now).total_seconds())
        return passes, {
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": str(limit - used),
            "ratelimit-reset": str(reset),
        }


def authenticate(state: State, header: str | None) -> ApiKey:
    """The key of an ``Authorization: Token token=...`` header.

    Raises:
        RefusalError: 401.
    """
    scheme, _, rest = (header or "").partition(" ")
    name, _, value = rest.strip().partition("=")
    if scheme.lower() != "token" or name != "token":
        raise refusals.not_authenticated()
    key = state.directory.keys.get(value.strip('"'))
    if key is None:
        raise refusals.not_authenticated()
    return key
