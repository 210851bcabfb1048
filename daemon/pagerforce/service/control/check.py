"""``check`` inside the daemon, for callers who can't read its secrets."""

from pagerforce.config.offline import check_offline, offline_lines
from pagerforce.model.value import Json
from pagerforce.service.catalog import CATALOG
from pagerforce.service.control.desk import Desk, Request
from pagerforce.service.orgs import org_of
from pagerforce.service.plan import DEFAULT_CHANGES, DEFAULT_RECORDS, Assumptions, plan_lines


class CheckRequest(Request):
    """``plan``: also the calls per day, for ``changes`` a day and ``records`` of each object."""

    plan: bool = False
    changes: int = DEFAULT_CHANGES
    records: int = DEFAULT_RECORDS


async def check(desk: Desk, request: CheckRequest) -> Json:
    """Returns the lines of ``check``, formatted by ``CheckLine.to_json``.

    The configuration's files are read again: the check is about what a restart would load.

    Raises:
        ConfigError: the files are wrong, or a secret is unusable.
    """
    # A daemon's own start checks nothing.
    from pagerforce.service.check import check_online  # noqa: PLC0415

    environ = desk.home.environ
    loaded = check_offline(desk.home.config, catalog=CATALOG, environ=environ)
    lines = [*offline_lines(loaded, environ, now=desk.home.clock.now())]
    if request.plan:
        lines += plan_lines(loaded, Assumptions(request.changes, request.records))
    await desk.tell("asking both sides")
    lines += await check_online(loaded, environ, desk.tell, await org_of(desk.home.reading))
    return [line.to_json() for line in lines]
