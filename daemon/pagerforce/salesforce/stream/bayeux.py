"""Bayeux messages: what is sent, and what an answer says. Pure.

Facts: docs/vendors/salesforce.md#streaming.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from pagerforce.model.value import Json
from pagerforce.wire.answer import tellable

Message: TypeAlias = dict[str, Json]

HANDSHAKE, CONNECT = "/meta/handshake", "/meta/connect"
SUBSCRIBE, DISCONNECT = "/meta/subscribe", "/meta/disconnect"

_LONGEST_REASON = 200
_IDS = re.compile(r"\b(?=[A-Za-z]*\d)[A-Za-z0-9]{16,}\b")  # client ids above all: they stay unsaid
_LONGEST_INTERVAL = 60.0
_LONGEST_ID = 200
_NEW_EVENTS = -1  # no replay: polling finds what happened before


class Meaning(Enum):
    """What the refusal of a message means."""

    ENDED = "the server does not know this client id any more"
    LOGIN = "the login is not valid"
    NO_LOGIN = "the server saw no login"
    BUSY = "the server is busy"
    REFUSED = "not without a change of the org's configuration, or after a day"


class Advice(Struct, frozen=True):
    """What the server advises.

    Attributes:
        reconnect: ``retry``, ``handshake``, ``none``; ``""`` if it says nothing.
        interval: seconds before the next connect.
        timeout: seconds until it answers a connect without an event; None if it does not say.
    """

    reconnect: str = ""
    interval: float = 0.0
    timeout: float | None = None


class Reply(Struct, frozen=True):
    """The answer to one message.

    Attributes:
        channel: the ``/meta/`` channel.
        client_id: ``""`` if it names none.
        subscription: the channel that a subscribe was about; ``""`` if it does not say.
        meaning: of a refusal; None if it was successful.
        reason: of a refusal, for people.
    """

    channel: str
    client_id: str
    subscription: str
    meaning: Meaning | None
    reason: str
    advice: Advice

    @property
    def is_successful(self) -> bool:
        """Whether the server did what was asked."""
        return self.meaning is None


class BayeuxAnswer(Struct, frozen=True):
    """The messages of one answer.

    Attributes:
        replies: the answers.
        channels: of the events; their content is not looked at.
    """

    replies: tuple[Reply, ...] = ()
    channels: frozenset[str] = frozenset()

    def reply(self, channel: str) -> Reply | None:
        """The answer on a ``/meta/`` channel."""
        return next((item for item in self.replies if item.channel == channel), None)


def handshake() -> Message:
    """Asks for a client id."""
    return {
        "channel": HANDSHAKE,
        "version": "1.0",
        "minimumVersion": "1.0",
        "supportedConnectionTypes": ["long-polling"],
        "ext": {"replay": True},
    }


def connect(client_id: str, wait_seconds: float) -> Message:
    """Waits for events; the server may take no notice of ``wait_seconds``."""
    return {
        "channel": CONNECT,
        "clientId": client_id,
        "connectionType": "long-polling",
        "advice": {"timeout": round(wait_seconds * 1000)},
    }


def subscribe(client_id: str, channel: str) -> Message:
    """Asks for the new events of a channel."""
    return {
        "channel": SUBSCRIBE,
        "clientId": client_id,
        "subscription": channel,
        "ext": {"replay": {channel: _NEW_EVENTS}},
    }


def disconnect(client_id: str) -> Message:
    """Ends a client id."""
    return {"channel": DISCONNECT, "clientId": client_id}


def read(value: object) -> BayeuxAnswer:
    """What an answer says; a message that is not understood says nothing."""
    items = value if isinstance(value, list) else [value]
    replies: list[Reply] = []
    channels: set[str] = set()
    for item in items:
        channel = item.get("channel") if isinstance(item, Mapping) else None
        if not isinstance(channel, str) or not isinstance(item, Mapping):
            continue
        if channel.startswith("/meta/"):
            replies.append(_reply(channel, item))
        else:
            channels.add(channel)
    return BayeuxAnswer(tuple(replies), frozenset(channels))


def _reply(channel: str, item: Mapping[str, object]) -> Reply:
    client_id = _text(item.get("clientId"))
    meaning, reason = None, ""
    if item.get("successful") is not True:
        error = _text(item.get("error"))
        cause = _text(_at(item, "ext", "sfdc", "failureReason"))
        meaning = _meaning(error, cause)
        said = f"{error} ({cause})" if error and cause else error or cause or "refused"
        reason = tellable(_IDS.sub("...", said), _LONGEST_REASON)
    advice = _advice(item.get("advice"))
    is_id = 0 < len(client_id) <= _LONGEST_ID
    subscription = _text(item.get("subscription"))
    return Reply(channel, client_id if is_id else "", subscription, meaning, reason, advice)


def _meaning(error: str, cause: str) -> Meaning:
    """Of a refusal. The cause is read first: a busy server may call itself a denial."""
    said = f"{cause} {error}".lower()
    if "503::" in said or "server is too busy" in said:
        return Meaning.BUSY
    if "requires authentication" in said:
        return Meaning.NO_LOGIN
    if "401::" in said or "authentication invalid" in said:
        return Meaning.LOGIN
    ended = ("unknown client", "has not completed handshake", "bayeux_browser cookie")
    return Meaning.ENDED if any(words in said for words in ended) else Meaning.REFUSED


def _advice(value: object) -> Advice:
    if not isinstance(value, Mapping):
        return Advice()
    reconnect = _text(value.get("reconnect"))
    interval, timeout = _seconds(value.get("interval")), _seconds(value.get("timeout"))
    return Advice(reconnect, min(interval or 0.0, _LONGEST_INTERVAL), timeout)


def _seconds(value: object) -> float | None:
    """Of milliseconds; None if it is no such number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value / 1000 if is_number and value >= 0 else None  # type: ignore[operator]


def _at(value: object, *path: str) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
