"""Keeps one client id of the streaming endpoint alive and wakes the poll. No promise depends on it.

docs/configuration.md, "The stream". The loop delays and stops no poll: it only asks for one, and says
whether polls may be rarer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import anyio
import msgspec
from msgspec import Struct

from pagerforce.model.ports import Clock, Position, Random
from pagerforce.observe.log import get_log
from pagerforce.observe.metrics import Metrics
from pagerforce.salesforce.login import Access
from pagerforce.salesforce.stream import bayeux
from pagerforce.salesforce.stream.bayeux import BayeuxAnswer
from pagerforce.salesforce.stream.channels import channels_of
from pagerforce.salesforce.stream.conversation import Ask, Conversation, Loss, Outcome, Timing
from pagerforce.salesforce.stream.health import Health
from pagerforce.salesforce.stream.line import StreamLine, TooManyEvents
from pagerforce.salesforce.stream.patience import End, Patience

_LOG = get_log("stream")
_BEAT_SECONDS = 2.0
_FAREWELL_SECONDS = 2.0
_NOT_YET = "not connected yet"
_BROKEN = "internal error in its loop"


class StreamState(Struct):
    """What ``status`` shows.

    Attributes:
        is_up: it is alive and trusted.
        reason: why it is down; ``""`` while it is up.
        since: of ``is_up``.
        covered: objects with an accepted subscription.
        refused: object -> why it has none.
        last_event_at: when the last event arrived.
        events: answers with events since the start.
    """

    is_up: bool = False
    reason: str = _NOT_YET
    since: datetime | None = None
    covered: frozenset[str] = frozenset()
    refused: Mapping[str, str] = msgspec.field(default_factory=dict)
    last_event_at: datetime | None = None
    events: int = 0


@dataclass(slots=True)
class StreamLoop:
    """Implements ``model.ports.ChangeHints``.

    Args:
        line: sends its requests.
        feeds: the objects and comment objects that are polled.
        wake: asks for a poll soon; set by the wiring.
        scale: of the waits after an end; less than 1 in tests only.
    """

    line: StreamLine
    feeds: Callable[[], Sequence[str]]
    clock: Clock
    metrics: Metrics
    random: Random
    wake: Callable[[], None] = lambda: None
    timing: Timing = field(default_factory=Timing)
    scale: float = 1.0
    health: Health = field(default_factory=Health)
    state: StreamState = field(default_factory=StreamState)
    _patience: Patience = field(init=False)
    _heeds_wait: bool = False
    _is_alive: bool = False
    _is_reported: bool = False
    _missed: int = 0
    _present: tuple[Access, str] | None = None
    _was_short: bool = False
    _is_stopping: bool = False
    _scope: anyio.CancelScope | None = None

    def __post_init__(self) -> None:
        self._patience = Patience(self.scale)
        self.metrics.stream_up.set(0)

    @property
    def covers_all(self) -> bool:
        """Whether every change of every polled object is announced, as far as is known."""
        self._judge()
        return self.state.is_up and self.state.covered.issuperset(self.feeds())

    def polled(
        self, began: float, before: Mapping[str, Position], after: Mapping[str, Position]
    ) -> None:
        """A poll that began at ``began`` moved the cursors so."""
        found = {
            name: position.stamp
            for name, position in after.items()
            if name in before and position.stamp > before[name].stamp
        }
        self.health.polled(began, self.clock.monotonic(), found)
        self._judge()

    def stop(self) -> None:
        """Ends the loop."""
        self._is_stopping = True
        if self._scope is not None:
            self._scope.cancel()

    async def run(self, beat: Callable[[], None]) -> None:
        """Keeps the stream open until stopped."""
        try:
            with anyio.CancelScope() as self._scope:
                while not self._is_stopping:
                    pause = await self._converse(beat)
                    await self._rest(pause, beat)
        except Exception:
            self._down(_BROKEN)
            raise
        await self._leave()

    async def _converse(self, beat: Callable[[], None]) -> float:
        """One client id; the seconds before the next one."""
        access = await self.line.access()
        if isinstance(access, End):
            return self._ended(access)
        channels = {channel: name for name in self.feeds() for channel in channels_of(name)}
        self._patience.begin(self.clock.monotonic())
        talk = Conversation(channels, self.timing, self._heeds_wait)
        while True:
            ask = talk.ask(self.clock.monotonic())
            outcome = await self._exchange(talk, ask, access, beat)
            self._heeds_wait = talk.heeds_wait
            self._present = (access, talk.client_id) if talk.client_id else None
            self._take(talk, outcome)
            if outcome.end is not None:
                self._present = None
                self.line.ended(access, outcome.end)
                return self._ended(outcome.end, talk)
            if outcome.pause:
                await self._rest(outcome.pause, beat)

    async def _exchange(
        self, talk: Conversation, ask: Ask, access: Access, beat: Callable[[], None]
    ) -> Outcome:
        began = self.clock.monotonic()
        got = await self._send(access, ask, beat)
        now = self.clock.monotonic()
        match got:
            case BayeuxAnswer():
                return talk.answered(ask, got, seconds=now - began, now=now)
            case TooManyEvents():
                self._announce(talk.covered)
                return talk.lost(ask, Loss("an answer holds too many events"), now)
            case Loss():
                return talk.lost(ask, got, now)

    async def _send(
        self, access: Access, ask: Ask, beat: Callable[[], None]
    ) -> BayeuxAnswer | Loss | TooManyEvents:
        """Beats while the server holds the request, but only until its deadline."""
        got: BayeuxAnswer | Loss | TooManyEvents = Loss("not sent")
        async with anyio.create_task_group() as group:
            group.start_soon(self._beat_until, ask.deadline, beat)
            got = await self.line.send(access, ask)
            group.cancel_scope.cancel()
        return got

    async def _beat_until(self, seconds: float, beat: Callable[[], None]) -> None:
        with anyio.move_on_after(seconds):
            while True:
                beat()
                await anyio.sleep(_BEAT_SECONDS)

    def _take(self, talk: Conversation, outcome: Outcome) -> None:
        if outcome.announced:
            self._announce(outcome.announced)
        if outcome.is_tried:
            self._show_covered(talk)
        if outcome.has_lasted:
            self._patience.answered(self.clock.monotonic())
        if outcome.is_subscribed:
            self.health.subscribed(talk.covered, self.line.session.now())
            self.wake()  # what happened while nobody listened is found by a poll
        # After a client id that did not last, the next one has to show that it does.
        if outcome.has_lasted or (outcome.is_subscribed and not self._was_short):
            self._is_alive = True
        self._judge()

    def _show_covered(self, talk: Conversation) -> None:
        self.state.covered = talk.covered
        refused = {talk.channels[name]: why for name, why in reversed(talk.refused.items())}
        self.state.refused = {
            name: why for name, why in refused.items() if name not in talk.covered
        }

    def _announce(self, names: frozenset[str]) -> None:
        self.state.events += 1
        self.state.last_event_at = self.clock.now()
        self.health.announced(names, self.clock.monotonic())
        self.wake()

    def _ended(self, end: End, talk: Conversation | None = None) -> float:
        self._was_short = talk is not None and bool(talk.accepted) and not talk.has_lasted
        pause = self._patience.after(end, self.random.random())
        self.health.ended()
        if pause.is_down:
            self._down(end.reason)
        return pause.seconds

    def _down(self, reason: str) -> None:
        self._is_alive = False
        self.state.covered = frozenset()
        self.health.ended()
        self._judge(reason)

    def _judge(self, reason: str = "") -> None:
        """Shows whether the stream is up: one line for each change."""
        self.health.look(self.clock.monotonic())
        self.metrics.stream_missed.inc(self.health.missed - self._missed)
        self._missed = self.health.missed
        if not self._is_alive:
            self._show(is_up=False, reason=reason or self.state.reason)
        elif self.health.distrusted:
            names = ", ".join(self.health.distrusted)
            self._show(is_up=False, reason=f"it did not announce changes that polls found: {names}")
        else:
            self._show(is_up=True, reason="")

    def _show(self, *, is_up: bool, reason: str) -> None:
        state = self.state
        was_up, state.is_up, state.reason = state.is_up, is_up, reason
        if was_up == is_up and (self._is_reported or reason == _NOT_YET):
            return
        self._is_reported = True
        state.since = self.clock.now()
        self.metrics.stream_up.set(int(is_up))
        if is_up:
            _LOG.info("stream_up", covered=sorted(state.covered))
        else:
            _LOG.warning("stream_down", reason=reason)
            self.wake()

    async def _rest(self, seconds: float, beat: Callable[[], None]) -> None:
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            beat()
            await anyio.sleep(min(left, _BEAT_SECONDS))
        beat()

    async def _leave(self) -> None:
        """Frees the client id; the server forgets it by itself too."""
        if self._present is not None:
            access, client_id = self._present
            with anyio.move_on_after(_FAREWELL_SECONDS):
                message = bayeux.disconnect(client_id)
                await self.line.say(access, message, _FAREWELL_SECONDS)
