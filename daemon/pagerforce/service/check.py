"""``check``: everything that must be right before the daemon can do its job, one line per item.

Prints and stores nothing. The command line calls it in its own process; if the caller can't read
the daemon's secrets, the daemon calls it. ``docs/reference/check.md`` lists the lines.
"""

from collections.abc import Awaitable, Callable, Mapping

from pagerforce.config import offline
from pagerforce.config.checkline import Advice, CheckLine
from pagerforce.config.load import Loaded
from pagerforce.config.secret import load_secrets
from pagerforce.model.ids import RecordId
from pagerforce.service import plan
from pagerforce.service.checks import (
    asking,
    believing,
    carried,
    keeping,
    objects,
    pagerduty,
    reaching,
    salesforce,
    sharing,
    streaming,
    writing,
)
from pagerforce.service.checks.asking import Asking
from pagerforce.service.checks.carried import CarriedCheck
from pagerforce.service.checks.pagerduty import PagerDutyCheck
from pagerforce.service.checks.salesforce import SalesforceCheck
from pagerforce.service.checks.streaming import StreamCheck
from pagerforce.service.clock import SystemClock
from pagerforce.service.sides import SalesforceSide, open_sides, open_stream_alone
from pagerforce.service.state import find_state

ADVICE: tuple[Advice, ...] = (
    *offline.ADVICE,
    *keeping.ADVICE,
    *reaching.ADVICE,
    *asking.ADVICE,
    *pagerduty.ADVICE,
    *salesforce.ADVICE,
    *objects.ADVICE,
    *sharing.ADVICE,
    *writing.ADVICE,
    *carried.ADVICE,
    *streaming.ADVICE,
    *believing.ADVICE,
    *plan.ADVICE,
)
"""Every line that is not plain OK, in their order of appearance."""


async def check_online(
    loaded: Loaded,
    environ: Mapping[str, str],
    tell: Callable[[str], Awaitable[None]] | None = None,
    made_with: RecordId | None = None,
) -> list[CheckLine]:
    """Tests both connections and everything that rules and mappings name.

    It has its own clients: ``check`` must not report what the daemon cached. Every call has
    ``delivery.timeout`` as its deadline, and a side that does not answer three times in a row gets
    no further requests. ``tell`` is called with the subject of each request; ``made_with`` is the
    state's own org.

    Raises:
        ConfigError: a secret is missing or unusable.
    """
    secrets = load_secrets(loaded.config, environ)
    clock = SystemClock()
    lines = await keeping.keeping_lines(find_state(loaded.config, environ))
    async with open_sides(loaded, secrets, clock, made_with) as (first, second):
        account = PagerDutyCheck(loaded, first.client, first.directory, clock, asking=Asking(tell))
        org = SalesforceCheck(
            loaded,
            second.client,
            second.schema,
            second.lookups,
            second.mappings,
            clock,
            asking=Asking(tell),
        )
        lines += [*await account.run(), *await org.run()]
        if all((account.is_up, org.is_up)):
            carried = CarriedCheck(
                loaded, second.client, second.schema, first.directory, org.asking
            )
            lines += await carried.run()
            lines += believing.believing_lines(loaded.config)
        if org.is_up and loaded.config.salesforce.stream != "off":
            lines += await _stream_lines(loaded, second, org.asking)
    return lines


async def _stream_lines(loaded: Loaded, side: SalesforceSide, asking: Asking) -> list[CheckLine]:
    names = tuple(side.poller(loaded).feeds)
    async with open_stream_alone(loaded, side.clock, side.client.session) as line:
        return await StreamCheck(loaded, side.client, line, names, asking).run()
