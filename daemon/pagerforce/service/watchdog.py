"""The watchdog: feeds systemd's while all loops work, and ends the process when one hangs.

It runs in its own thread, so it also notices an event loop that is stuck. It ends the process with
``os._exit``: a hanging task can't be stopped in an orderly way, and the state is safe at any
instant.
"""

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread, main_thread
from typing import NoReturn

import anyio
import msgspec
from msgspec import Struct

from pagerforce.errors import place_of
from pagerforce.model.durations import HUNG_AFTER
from pagerforce.model.ports import Clock
from pagerforce.observe.log import get_log
from pagerforce.service.health import Heartbeats, Silence, place_of_frame, place_of_wait
from pagerforce.service.systemd import Notifier
from pagerforce.store.database import Database

_LOG = get_log("service")

STOPPED_AFTER_SECONDS = 8.5
"""The longest time of an orderly stop."""

_TURN_SECONDS = 1.0
_ASLEEP_SECONDS = 10.0
_LATE_SECONDS = 4 * _TURN_SECONDS
_TELLING_SECONDS = 0.4
_MOST_LINES = 10
_EXIT_CODE = 1
_STOPS = frozenset({signal.SIGTERM, signal.SIGINT})
EVENT_LOOP = "event loop"


class Watchdog(Struct):
    """Watches the hearts of a daemon until it is closed.

    Attributes:
        hearts: the hearts that must beat.
        notifier: to systemd.
        clock: of this host.
        end: ends the process at once.
    """

    hearts: Heartbeats
    notifier: Notifier
    clock: Clock
    end: Callable[[int], NoReturn] = os._exit
    _main: object = None
    _said: list[str] = msgspec.field(default_factory=list)
    _is_closed: bool = False
    _stop_at: float = float("inf")
    _pipe: tuple[int, int] = (-1, -1)
    _passed_to: int = -1

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watches while the block runs."""
        self._main = anyio.get_current_task().coro
        self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        Thread(target=self._watch, name="watchdog", daemon=True).start()
        try:
            yield
        finally:
            self._is_closed = True

    @contextmanager
    def hearing_signals(self) -> Iterator[None]:
        """Receives stop signals even if the event loop is stuck; the loop still gets them all."""
        self._passed_to = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(self._passed_to, warn_on_full_buffer=False)

    def stop_in_time(self) -> None:
        """Starts the time limit of an orderly stop."""
        self._stop_at = min(self._stop_at, self.clock.monotonic() + STOPPED_AFTER_SECONDS)

    async def run(self, database: Database, beat: Callable[[], None]) -> None:
        """Runs the part of the watch that needs the event loop, until cancelled.

        Args:
            database: its statements are stopped if they take too long.
            beat: the beat of the event loop.
        """
        while True:
            beat()
            silent = self.hearts.silent()
            if silent and silent != self._said:
                _LOG.error("no_heartbeat", loops=silent)
            self._said = silent
            await database.stop_slow_statement()
            await anyio.sleep(_TURN_SECONDS)

    def _watch(self) -> None:
        try:
            last = self.clock.monotonic()
            while not self._is_closed:
                self._wait()
                now = self.clock.monotonic()
                if now - last > _ASLEEP_SECONDS:  # the whole process was stopped or frozen
                    self._forgive(now - last)
                last = now
                self._look(now)
        except Exception as error:  # noqa: BLE001 (the daemon must not run unwatched)
            self._end([Silence("watchdog", "", 0.0, place_of(error))])
        finally:
            for handle in self._pipe:
                os.close(handle)

    def _wait(self) -> None:
        """Waits for a turn or a signal, and passes signals on to the event loop."""
        heard = self._pipe[0]
        left = max(0.0, self._stop_at - self.clock.monotonic())
        if not select.select([heard], [], [], min(_TURN_SECONDS, left))[0]:
            return
        numbers = os.read(heard, 4096)
        if self._passed_to >= 0:
            with suppress(OSError):  # the pipe is full: the loop wakes up anyway
                os.write(self._passed_to, numbers)
        if _STOPS.intersection(numbers):
            self.stop_in_time()

    def _forgive(self, seconds: float) -> None:
        self.hearts.forgive(seconds)
        self._stop_at += seconds

    def _look(self, now: float) -> None:
        if now >= self._stop_at:
            self._end(self._left())
        if hanging := self.hearts.silences(HUNG_AFTER.total_seconds()):
            # If the event loop is stuck, no other heart can beat.
            late = self.hearts.silences(_LATE_SECONDS)
            loop = [self._placed(silence) for silence in late if silence.loop == EVENT_LOOP]
            self._end(loop or hanging)
        if self.notifier.watchdog_seconds is not None and not self.hearts.silent():
            self.notifier.send("WATCHDOG=1")

    def _left(self) -> list[Silence]:
        """Returns what an orderly stop still waits for."""
        main = Silence("stop", "", STOPPED_AFTER_SECONDS, place_of_wait(self._main))
        hearts = self.hearts.silences(_LATE_SECONDS)
        return [main, *(self._placed(silence) for silence in hearts)]

    def _placed(self, silence: Silence) -> Silence:
        """Adds the present place of the main thread to the silence of a stuck event loop."""
        if silence.loop != EVENT_LOOP:
            return silence
        frame = sys._current_frames().get(main_thread().ident or 0)  # noqa: SLF001 (the documented way)
        return Silence(silence.loop, silence.what, silence.seconds, place_of_frame(frame))

    def _end(self, hanging: list[Silence]) -> NoReturn:
        # The log itself may hang, for example if nobody reads its pipe.
        teller = Thread(target=_tell, args=(hanging,), daemon=True)
        teller.start()
        teller.join(_TELLING_SECONDS)
        self.end(_EXIT_CODE)


def _tell(hanging: list[Silence]) -> None:
    # A part of a loop's work hangs at the same place as the loop; its name is more precise.
    named = sorted(hanging, key=lambda silence: silence.what)
    places = {(silence.loop, silence.place): silence for silence in named}
    for silence in list(places.values())[:_MOST_LINES]:
        _LOG.critical(
            "stalled",
            loop=silence.loop,
            what=silence.what,
            seconds=silence.seconds,
            place=silence.place,
        )
