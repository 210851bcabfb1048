"""``check`` inside the daemon, whose secrets the caller can't read."""

from pagerforce.config.offline import check_offline, offline_lines
from pagerforce.model.value import Json
from pagerforce.service.check import check_online
from pagerforce.service.control.desk import Desk, Request
from pagerforce.service.wiring import CATALOG


class CheckRequest(Request):
    """``offline``: only what can be judged without the network."""

    offline: bool = False


async def check(desk: Desk, request: CheckRequest) -> Json:
    """The lines of ``check``: ``[{ok, what, remedy}]``.

    Raises:
        ConfigError: the configuration's files are wrong, or a secret is of no use.
    """
    environ = desk.home.environ
    loaded = check_offline(desk.home.config, catalog=CATALOG, environ=environ)
    lines = [*offline_lines(loaded, environ)]
    if not request.offline:
        await desk.tell("asking both sides")
        lines += await check_online(loaded, environ)
    return [{"ok": line.ok, "what": line.what, "remedy": line.remedy} for line in lines]
