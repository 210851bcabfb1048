"""The daemon: one task group, one named task per loop, signals, and an orderly end."""

import gc
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct

from pagerforce import __version__
from pagerforce.config.load import Loaded, load_config
from pagerforce.config.secret import load_secrets
from pagerforce.errors import ConfigError, StoreError
from pagerforce.model.value import format_instant
from pagerforce.observe import pulse
from pagerforce.observe.internal_errors import Part, report_internal_error
from pagerforce.observe.log import get_log, setup_log
from pagerforce.service.applied import load_in_force, without_rules
from pagerforce.service.catalog import CATALOG
from pagerforce.service.certificates import Certificates
from pagerforce.service.clock import SystemClock
from pagerforce.service.control.desk import Running
from pagerforce.service.control.serve import serve_control
from pagerforce.service.expose import build_app, serve_metrics
from pagerforce.service.gauges import Gauges
from pagerforce.service.health import Heartbeats, Loop
from pagerforce.service.inbound.room import present_room, raise_file_limit
from pagerforce.service.keep import keep_running
from pagerforce.service.loglimits import counting_left_out
from pagerforce.service.refresh import Refresher
from pagerforce.service.systemd import Notifier
from pagerforce.service.watchdog import EVENT_LOOP, Watchdog
from pagerforce.service.wiring import Parts, wire

_LOG = get_log("service")
# Running work may end, and each listener may take one more second; the watchdog ends what hangs
# then. A stop takes ten seconds at most.
_STOP_SECONDS = 6.0
_OBJECTS_PER_COLLECTION = 50_000


class RunOptions(Struct, frozen=True):
    """Options of ``run`` from the command line. ``log_format`` overrides the configuration's."""

    config: Path
    environ: Mapping[str, str]
    is_shadow: bool = False
    log_format: str | None = None


async def run_daemon(options: RunOptions) -> None:
    """Runs until SIGTERM or SIGINT.

    Raises:
        ConfigError: the configuration is wrong, or names something that neither side has.
        WrongOrgError: another Salesforce org than the configured one answered.
        StoreError: the state database cannot be used.
        AddressInUseError: the metrics address cannot be bound.
    """
    loaded = load_config(options.config, catalog=CATALOG, environ=options.environ)
    settings = loaded.config.daemon
    form = options.log_format or settings.log_format
    setup_log(settings.log_level, form, environ=options.environ)
    secrets = load_secrets(loaded.config, options.environ)
    if loaded.config.delivery.deadline < loaded.config.delivery.timeout:
        used = f"{loaded.config.delivery.deadline.total_seconds():g}s"
        _LOG.warning("setting_limited", setting="delivery.timeout", used=used)
    _LOG.info("starting", version=__version__, config=str(options.config))
    clock = SystemClock()
    hearts = Heartbeats(clock)
    watchdog = Watchdog(hearts, Notifier(options.environ), clock)
    try:
        with watchdog.watching(), pulse.carrying(hearts.root()):
            async with wire(
                loaded, secrets, clock, options.environ, is_shadow=options.is_shadow
            ) as parts:
                spare_collector()
                gauges = Gauges.of(parts, clock, Certificates.of(loaded, secrets))
                await _Supervisor(options, parts, clock, gauges, watchdog).run()
    except BaseExceptionGroup as group:
        raise _first(group) from None
    _LOG.info("stopped")


def spare_collector() -> None:
    """Excludes present objects from garbage collection: they stay to the end.

    A page of rows has tens of thousands of objects without reference cycles. At Python's own
    threshold the collector takes a third of the time of reading a backlog.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS_PER_COLLECTION)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Returns the error that ended the task group; the others are its consequences."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


class _Supervisor:
    """Starts the loops, waits for signals, stops the loops."""

    def __init__(
        self,
        options: RunOptions,
        parts: Parts,
        clock: SystemClock,
        gauges: Gauges,
        watchdog: Watchdog,
    ) -> None:
        self._options = options
        self._parts = parts
        self._clock = clock
        self._watchdog = watchdog
        self._hearts = watchdog.hearts
        self._notifier = watchdog.notifier
        self._should_reload = anyio.Event()
        self._is_stopping = False
        self._refresher = Refresher(
            gauges,
            parts.metrics,
            clock,
            (parts.pagerduty, parts.salesforce),
            self._notifier,
            parts.rules.loaded.config.metrics.textfile,
        )
        self._running = Running(parts, self._refresher.unready, self._halted)

    async def run(self) -> None:
        """Runs every loop until a stop signal, or until one of them fails."""
        try:
            async with anyio.create_task_group() as watched:
                run = partial(self._watchdog.run, self._parts.database)
                watched.start_soon(self._hearts.run, EVENT_LOOP, run, name=EVENT_LOOP)
                await self._serve()
                watched.cancel_scope.cancel()
        finally:
            self._watchdog.stop_in_time()

    async def _serve(self) -> None:
        metrics = self._parts.rules.loaded.config.metrics
        refresher = self._refresher
        app = build_app(
            self._parts.metrics.registry, refresher.look, self._hearts.silent, refresher.unready
        )
        raise_file_limit()
        room = present_room()
        async with (
            counting_left_out(),
            serve_metrics(app, metrics.address, self._parts.metrics, room.metrics),
            serve_control(
                self._options.config,
                self._options.environ,
                self._running,
                self._clock,
                room.control,
            ),
            anyio.create_task_group() as group,
        ):
            with anyio.open_signal_receiver(
                signal.SIGTERM, signal.SIGINT, signal.SIGHUP
            ) as signals:
                self._start(group)
                with self._watchdog.hearing_signals():
                    async for received in signals:
                        if received is signal.SIGHUP:
                            self._should_reload.set()
                        else:
                            _LOG.info("stopping", signal=received.name)
                            break
            self._stop(group)

    def _start(self, group: TaskGroup) -> None:
        loops: Mapping[str, Loop] = {
            "pagerduty": self._parts.pagerduty.run,
            "salesforce": self._parts.salesforce.run,
            "delivery": self._parts.deliverer.run,
            "refresh": self._refresher.run,
            "retention": self._parts.pruner.run,
        }
        if self._parts.stream is not None:
            loops = {**loops, "stream": self._parts.stream.run}
        metrics = self._parts.metrics
        for name, loop in loops.items():
            kept = partial(keep_running, name, loop, counter=metrics)
            group.start_soon(self._hearts.run, name, kept, name=name)
        group.start_soon(self._reload_when_told, name="reload")

    def _stop(self, group: TaskGroup) -> None:
        """Starts nothing new; running work may end, then it is cancelled: the outbox has it."""
        self._notify("STOPPING=1")
        for part in (
            self._parts.pagerduty,
            self._parts.salesforce,
            self._parts.deliverer,
            self._refresher,
            self._parts.pruner,
        ):
            part.stop()
        if self._parts.stream is not None:
            self._parts.stream.stop()
        self._is_stopping = True
        self._should_reload.set()
        group.cancel_scope.deadline = anyio.current_time() + _STOP_SECONDS

    def _halted(self) -> dict[str, str]:
        halted = self._parts.deliverer.halted
        return {side.value: format_instant(until) for side, until in halted.items()}

    async def _reload_when_told(self) -> None:
        """Runs one reload after the other, in its own task: a hanging reload delays no signal."""
        while True:
            await self._should_reload.wait()
            self._should_reload = anyio.Event()
            if self._is_stopping:
                return
            with pulse.work("reload"):
                await self._reload()

    async def _reload(self) -> None:
        """Reloads the rules; on any failure the rules in force stay."""
        self._notify("RELOADING=1")
        try:
            await self._load_rules()
        except StoreError as error:
            _LOG.error("reload_refused", where="state", what=str(error))
        except Exception as error:  # noqa: BLE001 (a failed reload must not end paging)
            report_internal_error(self._parts.metrics, Part.RELOAD, error, about="SIGHUP")
        self._notify("READY=1")

    def _notify(self, line: str) -> None:
        """Notifies systemd; a failure (no descriptor is left) must not end the daemon."""
        try:
            self._notifier.send(line)
        except OSError as error:
            report_internal_error(self._parts.metrics, Part.LOOP, error, about=line)

    async def _load_rules(self) -> None:
        try:
            loaded = await load_in_force(
                self._options.config,
                self._parts.database,
                catalog=CATALOG,
                environ=self._options.environ,
                on_thread=True,
            )
        except ConfigError as error:
            for problem in error.problems:
                _LOG.error("reload_refused", where=problem.where, what=problem.what)
        else:
            await self._apply(loaded)

    async def _apply(self, loaded: Loaded) -> None:
        if without_rules(loaded) != without_rules(self._parts.rules.loaded):
            _LOG.warning("restart_needed", what="settings other than rules and maps have changed")
        put_in_force = await self._parts.prepare(loaded)
        put_in_force()
        _LOG.info("reloaded", rules=len(loaded.rules))
