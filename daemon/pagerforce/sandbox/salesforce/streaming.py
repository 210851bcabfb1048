"""Change events of the org: who subscribed to what, and what waits for each client.

Facts: docs/vendors/salesforce.md#streaming. This module knows no HTTP; :mod:`.cometd` serves it.
"""

import re
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio

from pagerforce.sandbox.salesforce.remedyforce import HISTORY, INCIDENT
from pagerforce.sandbox.salesforce.store import Row, RowStore

ALL_CHANGES = "/data/ChangeEvents"
STEPS = ("handshake", "connect", "subscribe")
_MOST_WAITING = 10_000
_FROM = re.compile(r"\bFROM\s+(\w+)", re.IGNORECASE)
_TOPIC_WORDS = {
    "CREATE": "created",
    "UPDATE": "updated",
    "DELETE": "deleted",
    "UNDELETE": "undeleted",
}


@dataclass(frozen=True, slots=True)
class StreamRefusal:
    """A refusal of the next messages of one step.

    Attributes:
        step: one of :data:`STEPS`.
        error: the text of ``error``.
        reason: ``ext.sfdc.failureReason``; ``""`` for none.
        reconnect: the advice; ``""`` for none.
        count: for this many messages; None: until it is cleared.
        page: the HTTP answer is an HTML page with this status instead; 0: it is a Bayeux message.
    """

    step: str
    error: str = ""
    reason: str = ""
    reconnect: str = "none"
    count: int | None = 1
    page: int = 0

    def __post_init__(self) -> None:
        if self.step not in STEPS:
            raise ValueError(f"step must be one of {', '.join(STEPS)}")
        if self.count is not None and self.count < 1:
            raise ValueError("count must be at least 1, or null")


@dataclass(slots=True)
class StreamKnobs:
    """How the streaming endpoint behaves.

    Attributes:
        is_offered: False: the org has no streaming endpoint.
        hold_seconds: how long a connect without an event is held; announced in the first advice.
        heeds_wait: whether a shorter ``advice.timeout`` of the client is used.
        away_seconds: how long a client may be away between two connects.
        scheme: the only scheme of ``Authorization`` that works; ``""`` for both.
        entities: objects chosen for Change Data Capture.
        hides_unchosen: an object that is not chosen: its channel is accepted and stays silent.
        deaf: objects whose events the user may not see: silently missing.
        ended_clients: so many of the next connects after a subscription get ``403::Unknown client``.
        silent_connects: so many of the next connects are never answered.
        lose / repeat: so many of the next events are lost, or delivered twice.
        delay_seconds: how much later than the change an event is delivered.
        most_clients: concurrent clients of the org.
        most_delivered: events delivered in 24 hours.
        shows_allocation: whether ``/limits`` says how many are left.
    """

    is_offered: bool = True
    hold_seconds: float = 110.0
    heeds_wait: bool = False
    away_seconds: float = 40.0
    scheme: str = ""
    entities: set[str] = field(default_factory=lambda: {INCIDENT, HISTORY, "Case"})
    hides_unchosen: bool = False
    deaf: set[str] = field(default_factory=set)
    ended_clients: int = 0
    silent_connects: int = 0
    lose: int = 0
    repeat: int = 0
    delay_seconds: float = 0.0
    most_clients: int = 20
    most_delivered: int = 10_000
    shows_allocation: bool = True
    refusals: list[StreamRefusal] = field(default_factory=list)


@dataclass(slots=True)
class StreamClient:
    """One client, known by its id and its cookie.

    Attributes:
        channels: what it subscribed to.
        waiting: events with the time at which they are visible.
        left_at: when its last answer was sent, in the event loop's time; None while it is connected.
        turn: counts its connects: a newer one ends an older one.
    """

    id: str
    user_id: str
    cookie: str
    channels: set[str] = field(default_factory=set)
    waiting: deque[tuple[datetime, Mapping[str, object]]] = field(
        default_factory=lambda: deque(maxlen=_MOST_WAITING)
    )
    left_at: float | None = None
    turn: int = 0

    def take(self, now: datetime) -> list[Mapping[str, object]]:
        """The visible events, each once."""
        ready = [message for at, message in self.waiting if at <= now]
        left = [item for item in self.waiting if item[0] > now]
        self.waiting.clear()
        self.waiting.extend(left)
        return ready


@dataclass(slots=True)
class Streaming:
    """The org's clients and their subscriptions.

    Attributes:
        store: the org's rows, for PushTopics.
        now: the org's time.
        delivered: events delivered so far.
        handshakes / connects: how many were answered, for tests.
        authorizations: the schemes that clients used, for tests.
    """

    store: RowStore
    now: Callable[[], datetime]
    knobs: StreamKnobs = field(default_factory=StreamKnobs)
    clients: dict[str, StreamClient] = field(default_factory=dict)
    delivered: int = 0
    handshakes: int = 0
    connects: int = 0
    authorizations: list[str] = field(default_factory=list)
    news: anyio.Event = field(default_factory=anyio.Event)
    _replay_id: int = 0

    def begin(self, user_id: str) -> StreamClient:
        """A new client."""
        self.forget_absent()
        client = StreamClient(secrets.token_hex(14), user_id, secrets.token_hex(8))
        client.left_at = anyio.current_time()
        self.clients[client.id] = client
        self.handshakes += 1
        return client

    def forget_absent(self) -> None:
        """Drops clients that were away for too long."""
        now = anyio.current_time()
        for client in list(self.clients.values()):
            if client.left_at is not None and now - client.left_at > self.knobs.away_seconds:
                del self.clients[client.id]

    def end_clients(self) -> None:
        """Every client is unknown from now on, held connects included."""
        self.clients.clear()
        self._tell()

    def refusal(self, step: str) -> StreamRefusal | None:
        """The active refusal of a step; uses it up."""
        for place, item in enumerate(self.knobs.refusals):
            if item.step != step:
                continue
            if item.count == 1:
                del self.knobs.refusals[place]
            elif item.count is not None:
                left = StreamRefusal(
                    item.step, item.error, item.reason, item.reconnect, item.count - 1, item.page
                )
                self.knobs.refusals[place] = left
            return item
        return None

    def channel_error(self, channel: str) -> str:
        """Why nobody can subscribe to a channel; ``""`` if they can."""
        if channel.startswith("/topic/"):
            found = any(self._topics(name=channel.removeprefix("/topic/")))
            return "" if found else "403:denied_by_security_policy:create_denied"
        if channel == ALL_CHANGES or self._is_chosen(channel) or self.knobs.hides_unchosen:
            return ""
        return f"400::The channel you requested to subscribe to doesn't exist {{{channel}}}"

    def changed(self, before: Row | None, row: Row, visible_at: datetime) -> None:
        """A row was written: its event waits for every subscriber until the commit."""
        subscribed = {channel for client in self.clients.values() for channel in client.channels}
        if not subscribed:
            return
        kind = _kind(before, row)
        if row.object in self.knobs.entities and row.object not in self.knobs.deaf:
            for channel in (channel_of(row.object), ALL_CHANGES):
                if channel in subscribed:
                    self._publish(channel, self._change(before, row, kind), visible_at)
        for topic in self._topics(object_name=row.object):
            channel = f"/topic/{topic['Name']}"
            wants = topic.get(f"NotifyForOperation{kind.capitalize()}")
            if channel in subscribed and wants and row.object not in self.knobs.deaf:
                self._publish(channel, self._pushed(row, kind), visible_at)

    def commit_open(self) -> None:
        """Open transactions end now: their events are visible."""
        now = self.now()
        for client in self.clients.values():
            late = [(min(at, now), message) for at, message in client.waiting]
            client.waiting.clear()
            client.waiting.extend(late)
        self._tell()

    def left_to_deliver(self) -> int:
        """What is left of the daily allocation."""
        return max(0, self.knobs.most_delivered - self.delivered)

    def _publish(self, channel: str, data: Mapping[str, object], visible_at: datetime) -> None:
        knobs = self.knobs
        if knobs.lose > 0:
            knobs.lose -= 1
            return
        times = 1
        if knobs.repeat > 0:
            knobs.repeat -= 1
            times = 2
        at = visible_at + timedelta(seconds=knobs.delay_seconds)
        for client in self.clients.values():
            if channel in client.channels:
                client.waiting.extend([(at, {"channel": channel, "data": data})] * times)
        self._tell()

    def _tell(self) -> None:
        news, self.news = self.news, anyio.Event()
        news.set()

    def _change(self, before: Row | None, row: Row, kind: str) -> dict[str, object]:
        self._replay_id += 1
        old = before.values if before is not None else {}
        fields = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in row.values.items()
            if value != old.get(name) and name not in ("SystemModstamp", "IsDeleted")
        }
        header = {
            "entityName": row.object,
            "recordIds": [row.id],
            "changeType": kind,
            "changeOrigin": "",
            "transactionKey": f"0000{self._replay_id:04x}-0000",
            "sequenceNumber": 1,
            "commitTimestamp": int(self.now().timestamp() * 1000),
            "commitNumber": self._replay_id,
            "commitUser": row.values.get("LastModifiedById"),
            "changedFields": sorted(fields),
        }
        return {
            "schema": "sandbox",
            "payload": {"ChangeEventHeader": header, **fields},
            "event": {"replayId": self._replay_id},
        }

    def _pushed(self, row: Row, kind: str) -> dict[str, object]:
        self._replay_id += 1
        return {
            "event": {
                "createdDate": self.now().isoformat(),
                "replayId": self._replay_id,
                "type": _TOPIC_WORDS[kind],
            },
            "sobject": {"Id": row.id},
        }

    def _is_chosen(self, channel: str) -> bool:
        return any(channel_of(name) == channel for name in self.knobs.entities)

    def _topics(self, *, name: str = "", object_name: str = "") -> list[Mapping[str, object]]:
        """Active PushTopics of that name, or about that object."""
        found: list[Mapping[str, object]] = []
        for row in self.store.scan("PushTopic"):
            queried = _FROM.search(str(row.values.get("Query")))
            is_about = queried is not None and queried[1].lower() == object_name.lower()
            is_active = not row.is_deleted and row.values.get("IsActive") is True
            if is_active and (is_about if object_name else row.values.get("Name") == name):
                found.append(row.values)
        return found


def channel_of(object_name: str) -> str:
    """The channel of an object's change events."""
    if object_name.endswith("__c"):
        return f"/data/{object_name[:-1]}ChangeEvent"
    return f"/data/{object_name}ChangeEvent"


def _kind(before: Row | None, row: Row) -> str:
    if before is None:
        return "CREATE"
    if before.is_deleted != row.is_deleted:
        return "DELETE" if row.is_deleted else "UNDELETE"
    return "UPDATE"
