"""One client id, from its handshake to its end: what to send next, and what an answer means. Pure.

The sequence: handshake, first connect (answered at once, with the server's advice), a subscribe for
each channel, then one connect after the other, each held by the server until an event or its timeout.
Facts: docs/vendors/salesforce.md#streaming.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from msgspec import Struct

from pagerforce.salesforce.stream import bayeux
from pagerforce.salesforce.stream.bayeux import BayeuxAnswer, Meaning, Message, Reply
from pagerforce.salesforce.stream.patience import AFTER_REFUSAL, End, EndKind

_MOST_FAILURES = 2  # connects in a row


class Step(Enum):
    """What a request is for."""

    HANDSHAKE = "handshake"
    FIRST_CONNECT = "first connect"
    SUBSCRIBE = "subscribe"
    CONNECT = "connect"


class Timing(Struct, frozen=True):
    """Durations in seconds; tests use shorter ones.

    Attributes:
        wait: an answer to a connect is asked for within this time.
        held: for so long a server holds a connect that says nothing about it
            (``salesforce.stream-connect-is-held``).
        grace: an answer may come so much later than it was due.
        quick: the deadline of everything but a held connect.
        spacing: between two connects.
        again: before a refused channel is tried again.
        busy: the same if the server was busy.
    """

    wait: float = 30.0
    held: float = 110.0
    grace: float = 20.0
    quick: float = 15.0
    spacing: float = 1.0
    again: float = AFTER_REFUSAL
    busy: float = 30.0


class Ask(Struct, frozen=True):
    """One request. ``channel``: of a subscribe. ``deadline``: seconds."""

    step: Step
    message: Message
    deadline: float
    channel: str = ""


class Loss(Struct, frozen=True):
    """A request without a Bayeux answer.

    Attributes:
        reason: for people.
        is_answered: something came, such as a page.
        is_silence: nothing came by the deadline.
        kind: of the end that follows from it.
    """

    reason: str
    is_answered: bool = False
    is_silence: bool = False
    kind: EndKind = EndKind.FAILED


class Outcome(Struct, frozen=True):
    """What an answer means.

    Attributes:
        announced: objects with changes.
        is_tried: each channel has now been accepted or refused.
        is_subscribed: and more are accepted than before.
        has_lasted: a connect after the subscriptions was answered.
        pause: seconds before the next request.
        end: of the client id.
    """

    announced: frozenset[str] = frozenset()
    is_tried: bool = False
    is_subscribed: bool = False
    has_lasted: bool = False
    pause: float = 0.0
    end: End | None = None


@dataclass(slots=True)
class Conversation:
    """The state of one client id.

    Attributes:
        channels: channel -> object.
        heeds_wait: whether the server is known to answer within ``timing.wait``.
        accepted: channels with a subscription.
        refused: channel -> the server's reason.
        has_lasted: a connect after the subscriptions was answered.
    """

    channels: Mapping[str, str]
    timing: Timing = field(default_factory=Timing)
    heeds_wait: bool = False
    client_id: str = ""
    accepted: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    has_lasted: bool = False
    _has_connected: bool = False
    _todo: list[str] = field(init=False)
    _held: float = field(init=False)
    _failures: int = 0
    _try_again_at: float | None = None
    _is_busy: bool = False
    _open: int = 0

    def __post_init__(self) -> None:
        self._todo = list(self.channels)
        self._held = self.timing.held

    @property
    def covered(self) -> frozenset[str]:
        """Objects whose changes are announced."""
        return frozenset(self.channels[channel] for channel in self.accepted)

    @property
    def due(self) -> float:
        """Within so many seconds a connect is answered."""
        wait = self.timing.wait
        return min(wait, self._held) if self.heeds_wait else self._held

    def ask(self, now: float) -> Ask:
        """The next request."""
        quick = self.timing.quick
        if not self.client_id:
            return Ask(Step.HANDSHAKE, bayeux.handshake(), quick)
        message = bayeux.connect(self.client_id, self.timing.wait)
        if not self._has_connected:
            # Normally answered at once; a server that holds it does no harm.
            return Ask(Step.FIRST_CONNECT, message, max(quick, self.due + self.timing.grace))
        if self._try_again_at is not None and now >= self._try_again_at:
            self._try_again_at = None
            self._todo = [name for name in self.refused if self.channels[name] not in self.covered]
        if self._todo:
            channel = self._todo[0]
            return Ask(Step.SUBSCRIBE, bayeux.subscribe(self.client_id, channel), quick, channel)
        return Ask(Step.CONNECT, message, self.due + self.timing.grace)

    def answered(self, ask: Ask, answer: BayeuxAnswer, *, seconds: float, now: float) -> Outcome:
        """Takes an answer that came after so many seconds."""
        announced = frozenset(
            self.channels[name] for name in answer.channels if name in self.channels
        )
        match ask.step:
            case Step.HANDSHAKE:
                return self._shaken(answer.reply(bayeux.HANDSHAKE))
            case Step.SUBSCRIBE:
                return self._subscribed(ask.channel, answer, announced, now)
            case _:
                return self._connected(ask, answer, announced, seconds)

    def lost(self, ask: Ask, loss: Loss, now: float) -> Outcome:
        """No answer came, or one that is no Bayeux message."""
        is_login = loss.kind is EndKind.LOGIN
        if ask.step is Step.SUBSCRIBE and loss.is_answered and not is_login:
            return self._not_subscribed(ask.channel, loss.reason, frozenset(), now)
        self._failures += 1
        if loss.is_silence:
            self.heeds_wait = False
        is_first = self._failures < _MOST_FAILURES and not loss.is_silence and not is_login
        if ask.step is Step.CONNECT and is_first:
            return Outcome(pause=self.timing.spacing)
        return Outcome(end=End(loss.kind, loss.reason))

    def _shaken(self, reply: Reply | None) -> Outcome:
        if reply is None:
            return Outcome(end=End(EndKind.FAILED, "the answer to the handshake is malformed"))
        if not reply.is_successful:
            return Outcome(end=_end_of(reply))
        if not reply.client_id:
            return Outcome(end=End(EndKind.FAILED, "the handshake names no client id"))
        self.client_id = reply.client_id
        return Outcome()

    def _connected(
        self, ask: Ask, answer: BayeuxAnswer, announced: frozenset[str], seconds: float
    ) -> Outcome:
        reply = answer.reply(bayeux.CONNECT)
        if reply is None:
            return self._failed(announced, "answers to connects are malformed", 0.0)
        advice = reply.advice
        if advice.timeout is not None:
            self._held = min(advice.timeout, self.timing.held)
        if not reply.is_successful and advice.reconnect == "retry":
            return self._failed(announced, reply.reason, advice.interval)
        end = self._end_of_connect(reply)
        if end is not None:
            return Outcome(announced, end=end)
        self._failures = 0
        if ask.step is Step.FIRST_CONNECT:
            self._has_connected = True
            return Outcome(announced, pause=advice.interval)
        if not announced:
            self._learn(seconds)
        self.has_lasted = True
        return Outcome(announced, has_lasted=True, pause=max(advice.interval, self.timing.spacing))

    def _end_of_connect(self, reply: Reply) -> End | None:
        if not reply.is_successful:
            return _end_of(reply)
        if reply.client_id not in ("", self.client_id) or reply.advice.reconnect == "handshake":
            return End(EndKind.ROUTINE, "the server asks for a new handshake")
        if reply.advice.reconnect == "none":
            return End(EndKind.REFUSED, "the server ends the stream")
        return None

    def _failed(self, announced: frozenset[str], reason: str, interval: float) -> Outcome:
        """A connect that may be repeated, once."""
        self._failures += 1
        if self._failures >= _MOST_FAILURES:
            return Outcome(announced, end=End(EndKind.FAILED, reason))
        return Outcome(announced, pause=max(interval, self.timing.spacing))

    def _learn(self, seconds: float) -> None:
        """Whether the server answers when it is asked to, or after its own time."""
        wait, grace = self.timing.wait, self.timing.grace
        if seconds > wait + grace:
            self.heeds_wait = False
        elif abs(seconds - wait) < grace / 2 and self._held > wait + grace:
            self.heeds_wait = True

    def _subscribed(
        self, channel: str, answer: BayeuxAnswer, announced: frozenset[str], now: float
    ) -> Outcome:
        reply = answer.reply(bayeux.SUBSCRIBE)
        if reply is None:
            reason = "the answer to a subscription is malformed"
            return self._not_subscribed(channel, reason, announced, now)
        if reply.is_successful:
            self._drop_todo(channel)
            self.refused.pop(channel, None)
            self.accepted.add(channel)
            return self._tried_all(announced, now)
        if reply.meaning in (Meaning.ENDED, Meaning.LOGIN, Meaning.NO_LOGIN):
            return Outcome(announced, end=_end_of(reply))
        self._is_busy = self._is_busy or reply.meaning is Meaning.BUSY
        return self._not_subscribed(channel, reply.reason, announced, now)

    def _not_subscribed(
        self, channel: str, reason: str, announced: frozenset[str], now: float
    ) -> Outcome:
        self._drop_todo(channel)
        self.refused[channel] = reason
        return self._tried_all(announced, now)

    def _drop_todo(self, channel: str) -> None:
        self._todo = [name for name in self._todo if name != channel]

    def _tried_all(self, announced: frozenset[str], now: float) -> Outcome:
        if self._todo:
            return Outcome(announced)
        is_busy, self._is_busy = self._is_busy, False
        if not self.accepted:
            kind = EndKind.FAILED if is_busy else EndKind.REFUSED
            reason = next(iter(self.refused.values()), "there is nothing to subscribe to")
            return Outcome(announced, end=End(kind, f"no channel is open: {reason}"))
        if self.covered != frozenset(self.channels.values()):
            self._try_again_at = now + (self.timing.busy if is_busy else self.timing.again)
        before, self._open = self._open, len(self.accepted)
        return Outcome(announced, is_tried=True, is_subscribed=self._open > before)


def _end_of(reply: Reply) -> End:
    match reply.meaning:
        case Meaning.BUSY:
            return End(EndKind.FAILED, reply.reason)
        case Meaning.LOGIN:
            return End(EndKind.LOGIN, reply.reason)
        case Meaning.NO_LOGIN:
            return End(EndKind.UNSEEN, reply.reason)
        case Meaning.ENDED:
            return End(EndKind.ROUTINE, reply.reason)
        case _:
            is_routine = reply.advice.reconnect == "handshake" and reply.channel == bayeux.CONNECT
            return End(EndKind.ROUTINE if is_routine else EndKind.REFUSED, reply.reason)
