"""The composition root: the only place where concrete classes of all packages meet."""

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import anyio
import anyio.lowlevel
import httpx

from pagerforce import __version__
from pagerforce.config.load import Loaded
from pagerforce.config.paths import state_dir
from pagerforce.config.secret import Secrets
from pagerforce.model.action import ActionSpec
from pagerforce.model.ids import RecordId, Side
from pagerforce.model.ports import ActionHandler, Clock, Random
from pagerforce.observe.log import get_log
from pagerforce.observe.metrics import Metrics
from pagerforce.own_writes.forgotten import OwnUsers
from pagerforce.pagerduty.actions import CATALOG as PAGERDUTY_CATALOG
from pagerforce.pagerduty.actions import build_handlers as build_pagerduty_handlers
from pagerforce.pagerduty.actions.stand_in import StandIns
from pagerforce.pagerduty.client import PagerDutyClient, open_http
from pagerforce.pagerduty.directory import Directory
from pagerforce.pagerduty.pace import Lane
from pagerforce.pagerduty.source import PagerDutyPoller
from pagerforce.pipeline.claim import Claimer
from pagerforce.pipeline.deliver import Deliverer
from pagerforce.pipeline.lost_columns import LostColumns
from pagerforce.pipeline.pace import Budget
from pagerforce.pipeline.poll import PollLoop, Reporter
from pagerforce.pipeline.read_pagerduty import PagerDutyReader
from pagerforce.pipeline.read_salesforce import SalesforceReader
from pagerforce.pipeline.settings import PipelineSettings
from pagerforce.pipeline.settle import RetryPolicy
from pagerforce.pipeline.tools import Tools
from pagerforce.pipeline.write_log import WriteLog
from pagerforce.rules.needs import fields_needed, incident_needs
from pagerforce.salesforce.actions import CATALOG as SALESFORCE_CATALOG
from pagerforce.salesforce.actions import build_handlers as build_salesforce_handlers
from pagerforce.salesforce.auth import JwtSession
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.feeds import FeedPlan
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.salesforce.mappings import MappingResolver
from pagerforce.salesforce.schema import SchemaCache
from pagerforce.salesforce.source import SalesforcePoller
from pagerforce.service.accepted import Accepted
from pagerforce.service.applied import load_in_force
from pagerforce.service.orgs import note_org
from pagerforce.service.outside import Outside
from pagerforce.service.prune import Pruner
from pagerforce.service.rulebook import RulesInForce, fields_read, pipeline_settings
from pagerforce.store import restored
from pagerforce.store.database import (
    FILE_NAME,
    Database,
    open_database,
)
from pagerforce.store.org import find_org
from pagerforce.store.retention import LOOK_BACK, Limits
from pagerforce.wire.backoff import backoff_seconds
from pagerforce.wire.transport import build_client
from pagerforce.wire.verdicts import verdict_of

CATALOG: tuple[ActionSpec, ...] = (*PAGERDUTY_CATALOG, *SALESFORCE_CATALOG)
_LOG = get_log("service")
_DIRECTORY_TTL = timedelta(minutes=10)
_BACKOFF_BASE = 2.0
_BACKOFF_CAP = 300.0
_NAMES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that runs."""

    database: Database
    metrics: Metrics
    rules: RulesInForce
    deliverer: Deliverer
    pagerduty: PollLoop
    salesforce: PollLoop
    pagerduty_side: "PagerDutySide"
    salesforce_side: "SalesforceSide"
    pagerduty_reader: PagerDutyReader
    salesforce_reader: SalesforceReader
    salesforce_poller: SalesforcePoller
    pruner: Pruner

    async def prepare(self, loaded: Loaded) -> Callable[[], None]:
        """Makes the rules and maps of a new file ready, on another thread; what is given back applies them.

        Polls and actions then read the fields they speak of. What is known already was read without new
        fields: the readers notice, and read it once more.
        """
        judge = await anyio.to_thread.run_sync(self.rules.prepare, loaded)
        fields = await anyio.to_thread.run_sync(fields_needed, loaded.rules)
        source = await anyio.to_thread.run_sync(self.pagerduty_side.poller, loaded)
        names = [(rule.ruleset, rule.name) for rule in loaded.rules]
        for start in range(0, len(names), _NAMES_AT_ONCE):
            self.metrics.declare_rules(names[start : start + _NAMES_AT_ONCE])
            await anyio.lowlevel.checkpoint()

        def put_in_force() -> None:
            # What can raise comes before anything is changed: the old rules stay in force whole.
            self.salesforce_poller.use_fields(fields)
            self.rules.replace(loaded, judge)
            self.pagerduty_reader.source = source

        return put_in_force


@dataclass(frozen=True, slots=True)
class PagerDutySide:
    """PagerDuty's client and what builds upon it."""

    client: PagerDutyClient
    directory: Directory
    clock: Clock

    def sent(self) -> int:
        """Requests of reading since the start."""
        return self.client.line.reads_sent

    def spent(self) -> int:
        """Requests of the last minute."""
        return self.client.line.spent()

    def allowed(self) -> int:
        """How many there may be within a minute for reading to go on."""
        return self.client.line.allowed(Lane.READ)

    def poller(self, loaded: Loaded) -> PagerDutyPoller:
        """What reads the log, for these rules."""
        return PagerDutyPoller(
            self.client,
            self.directory,
            self.clock,
            services=loaded.config.pagerduty.services,
            needs_custom_fields="custom_fields" in incident_needs(loaded.rules),
        )

    async def find_ours(self, loaded: Loaded) -> OwnUsers:
        """As whom our writes stand in the log."""
        settings = loaded.config.pagerduty
        people = (
            await self.directory.find_key_owner(),
            await self.directory.find_user_by_email(settings.from_email),
        )
        ids = frozenset(person.id for person in people if person is not None and person.id)
        return OwnUsers(ids, may_be_anybody=settings.act_as == "actor")


@dataclass(frozen=True, slots=True)
class SalesforceSide:
    """Salesforce's client and what builds upon it."""

    client: SalesforceClient
    schema: SchemaCache
    lookups: LookupResolver
    mappings: MappingResolver
    clock: Clock

    def poller(self, loaded: Loaded) -> SalesforcePoller:
        """What reads rows, for these rules."""
        fields = fields_needed(loaded.rules)
        return SalesforcePoller(self.client, self.schema, loaded.config, fields, self.clock)

    def budget(self, loaded: Loaded) -> Budget:
        """What is left of the daemon's own daily share, on a rolling day."""
        usage = self.client.usage
        spent = usage.calls_in_last_day(self.clock.now())
        allowed = loaded.config.salesforce.daily_call_budget
        feeds = len(loaded.config.objects) + sum(
            item.comments is not None for item in loaded.config.objects
        )
        left, seconds = max(0, allowed - spent), _left_of_day(spent, allowed)
        return Budget(left, seconds, math.ceil(feeds / 5), allowed)


def _left_of_day(spent: int, allowed: int) -> float:
    """Seconds for which the rest must last: the longer, the more of the share is spent.

    Up to half of the share polling keeps its pace; from there on it stretches, so that the rest
    lasts for a day.
    """
    return 86_400.0 if spent > allowed / 2 else 0.0


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
        path = state_dir(loaded.config, environ) / FILE_NAME
        opened = open_database(path, connect=outside.connect, run_blocking=outside.run_blocking)
        database = await stack.enter_async_context(opened)
        database.unreadable.is_logged = True
        async with database.write() as tx:
            if await restored.begin(tx):
                _LOG.warning("restored", what="both sides are read anew, nothing is done twice")
            made_with = await find_org(tx)
        loaded = await load_in_force(loaded.files[0], database, catalog=CATALOG, environ=environ)
        metrics = Metrics(__version__, [spec.do for spec in CATALOG])
        net = _Net(clock, metrics, outside.transports)
        salesforce_side = await _salesforce(stack, loaded, secrets, net, made_with)
        pagerduty_side = await _pagerduty(stack, loaded, secrets, net)
        poller = salesforce_side.poller(loaded)
        stand_ins = StandIns(clock, metrics.stand_ins.inc)
        handlers = _handlers(loaded, pagerduty_side, salesforce_side, poller.plan, stand_ins)
        specs = {do: handler.spec for do, handler in handlers.items()}
        settings = pipeline_settings(loaded.config, specs, is_shadow=is_shadow)
        rules = RulesInForce.of(loaded, settings)
        rules.not_read = lambda: poller.not_read
        metrics.declare_rules(rules.names)
        metrics.declare_objects(poller.feeds)
        ground = _Ground(database, metrics, rules, clock, outside.random)
        yield _assemble(ground, pagerduty_side, salesforce_side, poller, handlers)


@asynccontextmanager
async def open_sides(
    loaded: Loaded, secrets: Secrets, clock: Clock, made_with: RecordId | None = None
) -> AsyncIterator[tuple[PagerDutySide, SalesforceSide]]:
    """Both clients without the rest of the daemon, for ``check``. ``made_with``: the state's org."""
    async with AsyncExitStack() as stack:
        net = _Net(clock, Metrics(__version__, []))
        pagerduty = await _pagerduty(stack, loaded, secrets, net)
        yield pagerduty, await _salesforce(stack, loaded, secrets, net, made_with)


@dataclass(frozen=True, slots=True)
class _Net:
    """What both clients need."""

    clock: Clock
    metrics: Metrics
    transports: Mapping[Side, httpx.AsyncBaseTransport] = field(default_factory=dict)


async def _pagerduty(
    stack: AsyncExitStack, loaded: Loaded, secrets: Secrets, net: _Net
) -> PagerDutySide:
    config, clock, metrics = loaded.config, net.clock, net.metrics
    timeout = config.delivery.deadline.total_seconds()
    http = open_http(
        api_url=config.pagerduty.api_url,
        api_key=secrets.pagerduty_api_key.reveal(),
        timeout_seconds=timeout,
        ca_file=config.daemon.ca_file,
        observer=metrics,
        transport=net.transports.get(Side.PAGERDUTY),
    )
    await stack.enter_async_context(http)
    client = PagerDutyClient(http, deadline_seconds=timeout, observer=metrics, clock=clock)
    # A page waits for the names it needs: they are as important as itself.
    directory = Directory(client.at(Lane.PAGE), clock, _DIRECTORY_TTL)
    return PagerDutySide(client, directory, clock)


async def _salesforce(
    stack: AsyncExitStack,
    loaded: Loaded,
    secrets: Secrets,
    net: _Net,
    made_with: RecordId | None,
) -> SalesforceSide:
    config, clock, metrics = loaded.config, net.clock, net.metrics
    timeout = config.delivery.deadline.total_seconds()
    http = build_client(
        base_url=config.salesforce.login_url,
        timeout_seconds=timeout,
        ca_file=config.daemon.ca_file,
        observer=metrics,
        system=Side.SALESFORCE,
        headers={},
        transport=net.transports.get(Side.SALESFORCE),
    )
    await stack.enter_async_context(http)
    session = JwtSession(
        config.salesforce,
        secrets.salesforce_private_key,
        http,
        clock,
        timeout_seconds=timeout,
        made_with=made_with,
    )
    client = SalesforceClient(
        session=session,
        http=http,
        clock=clock,
        observer=metrics,
        settings=config.salesforce,
        timeout_seconds=timeout,
    )
    schema = SchemaCache(client, clock)
    lookups = LookupResolver(client, schema, clock)
    mappings = MappingResolver(config, schema, lookups)
    return SalesforceSide(client, schema, lookups, mappings, clock)


def _handlers(
    loaded: Loaded,
    pagerduty: PagerDutySide,
    salesforce: SalesforceSide,
    plan: FeedPlan,
    stand_ins: StandIns,
) -> dict[str, ActionHandler]:
    mappings, clock = salesforce.mappings, salesforce.clock
    found: Sequence[ActionHandler] = (
        *build_pagerduty_handlers(
            pagerduty.client, pagerduty.directory, loaded.config, mappings, stand_ins
        ),
        *build_salesforce_handlers(
            salesforce.client, salesforce.schema, loaded.config, mappings, clock, plan
        ),
    )
    return {handler.spec.do: handler for handler in found}


def _jittered(chance: Random) -> Callable[[int], float]:
    """The wait after so many attempts, never the same for two."""

    def wait(attempts: int) -> float:
        return backoff_seconds(
            attempts, base=_BACKOFF_BASE, cap=_BACKOFF_CAP, jitter=chance.random()
        )

    return wait


@dataclass(frozen=True, slots=True)
class _Ground:
    """What both sides stand on."""

    database: Database
    metrics: Metrics
    rules: RulesInForce
    clock: Clock
    random: Random


def _assemble(
    ground: _Ground,
    pagerduty: PagerDutySide,
    salesforce: SalesforceSide,
    poller: SalesforcePoller,
    handlers: Mapping[str, ActionHandler],
) -> Parts:
    database, metrics = ground.database, ground.metrics
    rules, clock = ground.rules, ground.clock
    loaded = rules.loaded
    limits = rules.settings.limits

    def skew() -> timedelta:
        """How far Salesforce's clock is ahead of PagerDuty's, as their answers tell.

        Until both have answered they are taken for equal, as both are kept right; this host's may not be.
        """
        there, session = pagerduty.client.server_time, salesforce.client.session
        if there is None or not session.is_dated:
            return timedelta(0)
        return session.now() - there

    accepted = Accepted(database, lambda: rules.loaded)

    async def check() -> None:
        await note_org(database, salesforce.client.session)
        await accepted.check(salesforce.client, salesforce.schema)

    writes = WriteLog()
    tools = Tools(
        database,
        handlers,
        clock,
        metrics,
        limits,
        RetryPolicy(limits.retry_for, _jittered(ground.random)),
        verdict_of,
        skew,
    )
    keyed = frozenset(x.name.lower() for x in loaded.config.objects if x.external_id_field)
    claimer = Claimer(rules.settings.specs, lambda: rules.judge, limits, metrics, keyed)
    deliverer = Deliverer(tools, claimer, writes)
    start_from = loaded.config.daemon.start_at
    pagerduty_reader = PagerDutyReader(
        pagerduty.poller(loaded),
        database,
        lambda: rules.judge,
        clock,
        Reporter(Side.PAGERDUTY, metrics, deliverer.wake, deliverer.expect_more),
        start_from,
        lambda: "custom_fields" in rules.needs,
        skew,
        lambda: pagerduty.find_ours(rules.loaded),
        pagerduty,
    )
    salesforce_reader = SalesforceReader(
        poller,
        database,
        lambda: rules.judge,
        clock,
        Reporter(Side.SALESFORCE, metrics, deliverer.wake, deliverer.expect_more),
        writes,
        tuple(item.name for item in loaded.config.objects),
        start_from,
        lambda: salesforce.budget(rules.loaded),
        check,
        accepted.note,
        skew,
        salesforce.client.user_id,
        lambda: fields_read(rules.loaded),
        LostColumns(lambda: poller.not_read, database, metrics, lambda: rules.judge),
    )
    settings = rules.settings
    return Parts(
        database,
        metrics,
        rules,
        deliverer,
        PollLoop(
            Side.PAGERDUTY, pagerduty_reader, settings.pagerduty, clock=clock, metrics=metrics
        ),
        PollLoop(
            Side.SALESFORCE, salesforce_reader, settings.salesforce, clock=clock, metrics=metrics
        ),
        pagerduty,
        salesforce,
        pagerduty_reader,
        salesforce_reader,
        poller,
        Pruner(database, clock, metrics, _limits(rules.settings)),
    )


def _limits(settings: PipelineSettings) -> Limits:
    """What is kept; never less than any feed may be read back."""
    late = max(settings.pagerduty.late_window, settings.salesforce.late_window)
    return Limits(look_back=LOOK_BACK + late)
