"""``check`` inside the daemon, whose secrets the caller can't read."""

from pagerforce.config.offline import check_offline, offline_lines
from pagerforce.model.value import Json
from pagerforce.service.catalog import CATALOG
from pagerforce.service.check import check_online
from pagerforce.service.control.desk import Desk, Request
from pagerforce.service.orgs import org_of
from pagerforce.service.plan import DEFAULT_CHANGES, DEFAULT_RECORDS, Assumptions, plan_lines


class CheckRequest(Request):
    """``plan``: also the calls per day, for so many changes a day and records of each object."""

    plan: bool = False
    changes: int = DEFAULT_CHANGES
    records: int = DEFAULT_RECORDS


async def check(desk: Desk, request: CheckRequest) -> Json:
    """The lines of ``check``, as ``CheckLine.to_json`` shapes them.

    The configuration's files are read anew: what is to be checked is what a restart would meet.

    Raises:
        ConfigError: the files are wrong, or a secret is of no use.
    """
    environ = desk.home.environ
    loaded = check_offline(desk.home.config, catalog=CATALOG, environ=environ)
    lines = [*offline_lines(loaded, environ, now=desk.home.clock.now())]
    if request.plan:
        lines += plan_lines(loaded, Assumptions(request.changes, request.records))
    await desk.tell("asking both sides")
    lines += await check_online(loaded, environ, desk.tell, await org_of(desk.home.reading))
    return [line.to_json() for line in lines]
