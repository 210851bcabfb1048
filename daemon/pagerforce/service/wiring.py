"""The composition root: the only place where concrete classes of all packages meet."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import anyio
import anyio.lowlevel
from msgspec import Struct

from pagerforce import __version__
from pagerforce.config.load import Loaded
from pagerforce.config.secret import Secrets
from pagerforce.model.ids import Side
from pagerforce.model.ports import ActionHandler, Clock, Random
from pagerforce.observe.log import get_log
from pagerforce.observe.metrics import Metrics
from pagerforce.pagerduty.actions.stand_in import StandIns
from pagerforce.pipeline.claim import Claimer
from pagerforce.pipeline.deliver import Deliverer
from pagerforce.pipeline.lost_columns import LostColumns
from pagerforce.pipeline.poll import PollLoop, Reporter
from pagerforce.pipeline.read_pagerduty import PagerDutyReader
from pagerforce.pipeline.read_salesforce import SalesforceReader
from pagerforce.pipeline.ruling import Judge
from pagerforce.pipeline.settings import PipelineSettings
from pagerforce.pipeline.settle import RetryPolicy
from pagerforce.pipeline.tools import Tools
from pagerforce.pipeline.write_log import WriteLog
from pagerforce.rules.needs import fields_needed
from pagerforce.salesforce.source import SalesforcePoller
from pagerforce.salesforce.stream.loop import StreamLoop
from pagerforce.service.accepted import Accepted
from pagerforce.service.applied import load_in_force
from pagerforce.service.catalog import CATALOG
from pagerforce.service.orgs import note_org
from pagerforce.service.outside import Outside
from pagerforce.service.prune import Pruner
from pagerforce.service.rulebook import RulesInForce, fields_read, pipeline_settings
from pagerforce.service.sides import (
    Net,
    PagerDutySide,
    SalesforceSide,
    build_handlers,
    open_pagerduty,
    open_salesforce,
    open_stream,
)
from pagerforce.service.state import find_state
from pagerforce.store import restored
from pagerforce.store.database import Database
from pagerforce.store.facts import find_org
from pagerforce.store.retention import LOOK_BACK, Limits
from pagerforce.store.state import State
from pagerforce.wire.backoff import backoff_seconds
from pagerforce.wire.verdicts import verdict_of

_LOG = get_log("service")
_BACKOFF_BASE = 2.0
_BACKOFF_CAP = 300.0
_NAMES_AT_ONCE = 500


class Parts(Struct, frozen=True):
    """Everything that runs."""

    state: State
    database: Database
    metrics: Metrics
    rules: RulesInForce
    deliverer: Deliverer
    pagerduty: PollLoop
    salesforce: PollLoop
    pagerduty_side: PagerDutySide
    salesforce_side: SalesforceSide
    pagerduty_reader: PagerDutyReader
    salesforce_reader: SalesforceReader
    salesforce_poller: SalesforcePoller
    pruner: Pruner
    stream: StreamLoop | None = None

    async def prepare(self, loaded: Loaded) -> Callable[[], None]:
        """Prepares new rules and maps on another thread; the returned function applies them.

        Polls and actions then read the fields that the rules use. Known rows were read without the
        new fields: the readers notice that and read them again.
        """
        judge = await anyio.to_thread.run_sync(self.rules.prepare, loaded)
        fields = await anyio.to_thread.run_sync(fields_needed, loaded.rules)
        source = await anyio.to_thread.run_sync(self.pagerduty_side.poller, loaded)
        names = [(rule.ruleset, rule.name) for rule in loaded.rules]
        for start in range(0, len(names), _NAMES_AT_ONCE):
            self.metrics.declare_rules(names[start : start + _NAMES_AT_ONCE])
            await anyio.lowlevel.checkpoint()

        def put_in_force() -> None:
            # Calls that can raise come before any change: on an error the old rules stay in force.
            self.salesforce_poller.use_fields(fields)
            self.rules.replace(loaded, judge)
            self.pagerduty_reader.source = source

        return put_in_force


@asynccontextmanager
async def wire(
    loaded: Loaded,
    secrets: Secrets,
    clock: Clock,
    environ: Mapping[str, str],
    *,
    is_shadow: bool,
    outside: Outside | None = None,
) -> AsyncIterator[Parts]:
    """Opens the database and both clients and puts everything together.

    Raises:
        StoreError: the state database cannot be used.
        ConfigError: the CA bundle cannot be used, or applied rules do not fit the configuration.
    """
    outside = outside or Outside()
    async with AsyncExitStack() as stack:
        state = outside.state or find_state(loaded.config, environ)
        database = await stack.enter_async_context(state.open())
        database.unreadable.is_logged = True
        async with database.write() as tx:
            if await restored.begin(tx):
                _LOG.warning("restored", what="both sides are read again, nothing is done twice")
            made_with = await find_org(tx)
        loaded = await load_in_force(loaded.files[0], database, catalog=CATALOG, environ=environ)
        metrics = Metrics(__version__, CATALOG)
        net = Net(clock, metrics, outside.transports)
        salesforce_side = await open_salesforce(stack, loaded, secrets, net, made_with)
        pagerduty_side = await open_pagerduty(stack, loaded, secrets, net)
        poller = salesforce_side.poller(loaded)
        stream = await _open_stream(stack, loaded, net, salesforce_side, poller, outside.random)
        stand_ins = StandIns(clock, metrics.stand_ins.inc)
        handlers = build_handlers(loaded, pagerduty_side, salesforce_side, poller.plan, stand_ins)
        specs = {do: handler.spec for do, handler in handlers.items()}
        settings = pipeline_settings(loaded.config, specs, is_shadow=is_shadow)
        rules = RulesInForce.of(loaded, settings)
        rules.not_read = lambda: poller.not_read
        metrics.declare_rules(rules.names)
        metrics.declare_objects(poller.feeds)
        yield _assemble(
            _Ground(
                state=state,
                database=database,
                metrics=metrics,
                rules=rules,
                clock=clock,
                random=outside.random,
                pagerduty=pagerduty_side,
                salesforce=salesforce_side,
                poller=poller,
                handlers=handlers,
                stream=stream,
            )
        )


class _Ground(Struct, frozen=True):
    """The parts that the loops use."""

    state: State
    database: Database
    metrics: Metrics
    rules: RulesInForce
    clock: Clock
    random: Random
    pagerduty: PagerDutySide
    salesforce: SalesforceSide
    poller: SalesforcePoller
    handlers: Mapping[str, ActionHandler]
    stream: StreamLoop | None

    def judge(self) -> Judge:
        """Returns the rules in force; a reload changes them."""
        return self.rules.judge

    def skew(self) -> timedelta:
        """Returns how far Salesforce's clock is ahead of PagerDuty's, according to their answers.

        Until both have answered they are treated as equal: both are kept correct, unlike perhaps
        this host's.
        """
        there, session = self.pagerduty.client.server_time, self.salesforce.client.session
        if there is None or not session.is_dated:
            return timedelta(0)
        return session.now() - there

    def ahead(self, side: Side) -> timedelta | None:
        """Returns how far a side's clock is ahead of this host's; None before its first answer."""
        session = self.salesforce.client.session
        there = (
            self.pagerduty.client.server_time
            if side is Side.PAGERDUTY
            else (session.now() if session.is_dated else None)
        )
        return None if there is None else there - self.clock.now()

    def wait(self, attempts: int) -> float:
        """Returns the wait in seconds after this many attempts, with jitter."""
        return backoff_seconds(
            attempts, base=_BACKOFF_BASE, cap=_BACKOFF_CAP, jitter=self.random.random()
        )


def _assemble(ground: _Ground) -> Parts:
    clock, metrics, settings = ground.clock, ground.metrics, ground.rules.settings
    writes = WriteLog()
    deliverer = _deliverer(ground, writes)
    pagerduty = _pagerduty_reader(ground, deliverer)
    salesforce = _salesforce_reader(ground, deliverer, writes)
    salesforce_loop = _salesforce_loop(ground, salesforce)
    return Parts(
        state=ground.state,
        database=ground.database,
        metrics=metrics,
        rules=ground.rules,
        deliverer=deliverer,
        pagerduty=PollLoop(
            Side.PAGERDUTY, pagerduty, settings.pagerduty, clock=clock, metrics=metrics
        ),
        salesforce=salesforce_loop,
        pagerduty_side=ground.pagerduty,
        salesforce_side=ground.salesforce,
        pagerduty_reader=pagerduty,
        salesforce_reader=salesforce,
        salesforce_poller=ground.poller,
        pruner=Pruner(ground.database, clock, metrics, _limits(settings)),
        stream=ground.stream,
    )


async def _open_stream(
    stack: AsyncExitStack,
    loaded: Loaded,
    net: Net,
    side: SalesforceSide,
    poller: SalesforcePoller,
    random: Random,
) -> StreamLoop | None:
    """The stream of change events, if it is configured."""
    if loaded.config.salesforce.stream == "off":
        return None
    line = await open_stream(stack, loaded, net, side.client.session)
    return StreamLoop(line, lambda: poller.feeds, net.clock, net.metrics, random)


def _salesforce_loop(ground: _Ground, reader: SalesforceReader) -> PollLoop:
    """Salesforce's loop: rarer polls while the stream announces every change, woken by it."""
    stream, interval = ground.stream, ground.rules.loaded.config.salesforce.stream_poll_interval

    def calm() -> timedelta | None:
        # The feeds are read together, so one that the stream does not cover keeps the pace of all.
        is_covered = stream is not None and stream.covers_all and reader.is_settled
        return interval if is_covered else None

    loop = PollLoop(
        Side.SALESFORCE,
        reader,
        ground.rules.settings.salesforce,
        clock=ground.clock,
        metrics=ground.metrics,
        calm=calm,
    )
    if stream is not None:
        reader.hints = stream
        stream.wake = loop.wake
    return loop


def _deliverer(ground: _Ground, writes: WriteLog) -> Deliverer:
    settings = ground.rules.settings
    limits = settings.limits
    tools = Tools(
        database=ground.database,
        handlers=ground.handlers,
        clock=ground.clock,
        metrics=ground.metrics,
        limits=limits,
        policy=RetryPolicy(limits.retry_for, ground.wait),
        verdict_of=verdict_of,
        skew=ground.skew,
        ahead=ground.ahead,
    )
    objects = ground.rules.loaded.config.objects
    keyed = frozenset(item.name.lower() for item in objects if item.external_id_field)
    claimer = Claimer(settings.specs, ground.judge, limits, ground.metrics, keyed)
    return Deliverer(tools, claimer, writes)


def _reporter(side: Side, ground: _Ground, deliverer: Deliverer) -> Reporter:
    return Reporter(side, ground.metrics, deliverer.wake, deliverer.expect_more)


def _pagerduty_reader(ground: _Ground, deliverer: Deliverer) -> PagerDutyReader:
    rules, side = ground.rules, ground.pagerduty
    return PagerDutyReader(
        source=side.poller(rules.loaded),
        database=ground.database,
        judge=ground.judge,
        clock=ground.clock,
        reporter=_reporter(Side.PAGERDUTY, ground, deliverer),
        start_from=rules.loaded.config.daemon.start_at,
        needs_custom_fields=lambda: "custom_fields" in rules.needs,
        skew=ground.skew,
        find_ours=lambda: side.find_ours(rules.loaded),
        meter=side,
    )


def _salesforce_reader(ground: _Ground, deliverer: Deliverer, writes: WriteLog) -> SalesforceReader:
    rules, side, poller = ground.rules, ground.salesforce, ground.poller
    config = rules.loaded.config
    accepted = Accepted(ground.database, lambda: rules.loaded)

    async def check() -> None:
        await note_org(ground.database, side.client.session)
        await accepted.check(side.client, side.schema)

    return SalesforceReader(
        source=poller,
        database=ground.database,
        judge=ground.judge,
        clock=ground.clock,
        reporter=_reporter(Side.SALESFORCE, ground, deliverer),
        writes=writes,
        objects=tuple(item.name for item in config.objects),
        start_from=config.daemon.start_at,
        calls_left=lambda: side.budget(rules.loaded),
        check=check,
        note_all_read=accepted.note,
        skew=ground.skew,
        find_own_user=side.client.user_id,
        fields=lambda: fields_read(rules.loaded),
        lost=LostColumns(lambda: poller.not_read, ground.database, ground.metrics, ground.judge),
    )


def _limits(settings: PipelineSettings) -> Limits:
    """Returns the limits of retention; never less than a feed can read back."""
    late = max(settings.pagerduty.late_window, settings.salesforce.late_window)
    return Limits(look_back=LOOK_BACK + late)
