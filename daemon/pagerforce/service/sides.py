"""Both sides: their clients and the parts that use them, with or without the daemon."""

import math
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import msgspec
from msgspec import Struct

from pagerforce import __version__
from pagerforce.config.load import Loaded
from pagerforce.config.secret import Secrets
from pagerforce.model.durations import NAMES_KNOWN_FOR
from pagerforce.model.ids import RecordId, Side
from pagerforce.model.ports import ActionHandler, Clock
from pagerforce.observe.metrics import Metrics
from pagerforce.own_writes.forgotten import OwnUsers
from pagerforce.pagerduty.actions import build_handlers as build_pagerduty_handlers
from pagerforce.pagerduty.actions.stand_in import StandIns
from pagerforce.pagerduty.client import PagerDutyClient, open_http
from pagerforce.pagerduty.directory import Directory
from pagerforce.pagerduty.rate import RateClass
from pagerforce.pagerduty.source import PagerDutyPoller
from pagerforce.pipeline.pace import Budget
from pagerforce.rules.needs import fields_needed, incident_needs
from pagerforce.salesforce.actions import build_handlers as build_salesforce_handlers
from pagerforce.salesforce.auth import JwtSession
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.feeds import FeedPlan
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.salesforce.mappings import MappingResolver
from pagerforce.salesforce.schema import SchemaCache
from pagerforce.salesforce.source import SalesforcePoller
from pagerforce.salesforce.stream.line import StreamLine
from pagerforce.wire.transport import build_client, make_trust, open_network


class PagerDutySide(Struct, frozen=True):
    """PagerDuty's client and the parts that use it."""

    client: PagerDutyClient
    directory: Directory
    clock: Clock

    def sent(self) -> int:
        """Returns the number of read requests since the start."""
        return self.client.line.reads_sent

    def spent(self) -> int:
        """Returns the number of requests in the last minute."""
        return self.client.line.spent()

    def allowed(self) -> int:
        """Returns the number of requests per minute up to which reading continues."""
        return self.client.line.allowed(RateClass.READ)

    def poller(self, loaded: Loaded) -> PagerDutyPoller:
        """Returns the reader of the log, for these rules."""
        return PagerDutyPoller(
            self.client,
            self.directory,
            self.clock,
            services=loaded.config.pagerduty.services,
            needs_custom_fields="custom_fields" in incident_needs(loaded.rules),
        )

    async def find_ours(self, loaded: Loaded) -> OwnUsers:
        """Returns the users under whom pagerforce's writes appear in the log."""
        settings = loaded.config.pagerduty
        people = (
            await self.directory.find_key_owner(),
            await self.directory.find_user_by_email(settings.from_email),
        )
        ids = frozenset(person.id for person in people if person is not None and person.id)
        return OwnUsers(ids, may_be_anybody=settings.act_as == "actor")


class SalesforceSide(Struct, frozen=True):
    """Salesforce's client and the parts that use it."""

    client: SalesforceClient
    schema: SchemaCache
    lookups: LookupResolver
    mappings: MappingResolver
    clock: Clock

    def poller(self, loaded: Loaded) -> SalesforcePoller:
        """Returns the reader of rows, for these rules."""
        fields = fields_needed(loaded.rules)
        return SalesforcePoller(self.client, self.schema, loaded.config, fields, self.clock)

    def budget(self, loaded: Loaded) -> Budget:
        """Returns what is left of the daemon's daily share, for a rolling day."""
        usage = self.client.usage
        spent = usage.calls_in_last_day(self.clock.now())
        allowed = loaded.config.salesforce.daily_call_budget
        feeds = len(loaded.config.objects) + sum(
            item.comments is not None for item in loaded.config.objects
        )
        left, seconds = max(0, allowed - spent), _left_of_day(spent, allowed)
        return Budget(left, seconds, math.ceil(feeds / 5), allowed)


def _left_of_day(spent: int, allowed: int) -> float:
    """Returns how many seconds the rest of the share must last.

    Up to half of the share polling keeps its pace; above that it slows down, so that the rest lasts
    for a day.
    """
    return 86_400.0 if spent > allowed / 2 else 0.0


class Net(Struct):
    """The parts that both clients need.

    ``transports``: replacements of the network, by side.
    """

    clock: Clock
    metrics: Metrics
    transports: Mapping[Side, httpx.AsyncBaseTransport] = msgspec.field(default_factory=dict)
    _trust: ssl.SSLContext | None = None

    def transport(self, side: Side, loaded: Loaded) -> httpx.AsyncBaseTransport:
        """Returns the network for a client of this side. Raises ``ConfigError``."""
        replaced = self.transports.get(side)
        if replaced is not None:
            return replaced
        if self._trust is None:  # once: some 30 ms and a MiB for the system's authorities
            self._trust = make_trust(loaded.config.daemon.ca_file)
        return open_network(self._trust)


@asynccontextmanager
async def open_sides(
    loaded: Loaded, secrets: Secrets, clock: Clock, made_with: RecordId | None = None
) -> AsyncIterator[tuple[PagerDutySide, SalesforceSide]]:
    """Opens both clients without the rest of the daemon, for ``check``.

    ``made_with``: the state's org.
    """
    async with AsyncExitStack() as stack:
        net = Net(clock, Metrics(__version__, []))
        pagerduty = await open_pagerduty(stack, loaded, secrets, net)
        yield pagerduty, await open_salesforce(stack, loaded, secrets, net, made_with)


async def open_pagerduty(
    stack: AsyncExitStack, loaded: Loaded, secrets: Secrets, net: Net
) -> PagerDutySide:
    """Opens PagerDuty's client and the parts that use it, until the stack is closed."""
    config, clock, metrics = loaded.config, net.clock, net.metrics
    timeout = config.delivery.deadline.total_seconds()
    http = open_http(
        api_url=config.pagerduty.api_url,
        api_key=secrets.pagerduty_api_key.reveal(),
        timeout_seconds=timeout,
        observer=metrics,
        transport=net.transport(Side.PAGERDUTY, loaded),
    )
    await stack.enter_async_context(http)
    client = PagerDutyClient(http, deadline_seconds=timeout, observer=metrics, clock=clock)
    # A page waits for the lookups of its names: they are as important as the page.
    directory = Directory(client.at(RateClass.PAGE), clock, NAMES_KNOWN_FOR)
    return PagerDutySide(client, directory, clock)


async def open_salesforce(
    stack: AsyncExitStack,
    loaded: Loaded,
    secrets: Secrets,
    net: Net,
    made_with: RecordId | None,
) -> SalesforceSide:
    """Opens Salesforce's, likewise. ``made_with``: the state's org."""
    config, clock, metrics = loaded.config, net.clock, net.metrics
    timeout = config.delivery.deadline.total_seconds()
    http = build_client(
        base_url=config.salesforce.login_url,
        timeout_seconds=timeout,
        observer=metrics,
        system=Side.SALESFORCE,
        headers={},
        transport=net.transport(Side.SALESFORCE, loaded),
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


@asynccontextmanager
async def open_stream_alone(
    loaded: Loaded, clock: Clock, session: JwtSession
) -> AsyncIterator[StreamLine]:
    """The stream without the rest of the daemon, for ``check``."""
    async with AsyncExitStack() as stack:
        yield await open_stream(stack, loaded, Net(clock, Metrics(__version__, [])), session)


async def open_stream(
    stack: AsyncExitStack, loaded: Loaded, net: Net, session: JwtSession
) -> StreamLine:
    """Requests to the streaming endpoint, with cookies of their own, until the stack is closed."""
    config = loaded.config
    http = build_client(
        base_url=config.salesforce.login_url,
        timeout_seconds=config.delivery.deadline.total_seconds(),
        observer=net.metrics,
        system=Side.SALESFORCE,
        headers={},
        transport=net.transport(Side.SALESFORCE, loaded),
    )
    await stack.enter_async_context(http)
    return StreamLine(session, http, config.salesforce.api_version)


def build_handlers(
    loaded: Loaded,
    pagerduty: PagerDutySide,
    salesforce: SalesforceSide,
    plan: FeedPlan,
    stand_ins: StandIns,
) -> dict[str, ActionHandler]:
    """Returns the handler of each action, by its name."""
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
