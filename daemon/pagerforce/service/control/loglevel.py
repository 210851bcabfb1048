"""``log-level``: changes the log level of the running daemon."""

from typing import Literal

from pagerforce.model.value import Json
from pagerforce.observe.log import current_level, set_level
from pagerforce.service.control.desk import Desk, Request


class LogLevel(Request):
    """The new level, until the daemon is restarted."""

    level: Literal["debug", "info", "warning", "error"]


async def change_level(desk: Desk, request: LogLevel) -> Json:
    """Changes the level; raises ``PagerforceError`` without a running daemon."""
    desk.running()
    before = current_level()
    async with desk.change({"level": request.level, "was": before}):
        set_level(request.level)
    return {"level": request.level, "was": before}
