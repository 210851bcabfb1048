"""Whether a side can be reached at all, and how far its clock is from ours."""

from datetime import datetime, timedelta

from pagerforce.config.checkline import CheckLine, ok, todo
from pagerforce.errors import BudgetError, RemoteError, TransientError
from pagerforce.wire.reach import Obstacle, find_obstacle
from pagerforce.wire.transport import proxy_variable

_WHAT = "{system} at {url}"
_NOTABLE_SKEW = timedelta(seconds=60)

NAME = todo(
    "reach.name",
    _WHAT,
    "the name can not be resolved ({said}): correct {key}, or this host's DNS",
)
REFUSED = todo(
    "reach.refused",
    _WHAT,
    "the connection is refused: correct {key}, or let this host through the firewall to it",
)
TIMEOUT = todo(
    "reach.timeout",
    _WHAT,
    "no answer in time: let this host through the firewall to it, or set HTTPS_PROXY;"
    " delivery.timeout bounds every call",
)
UNTRUSTED = todo(
    "reach.untrusted",
    _WHAT,
    "its certificate is not trusted ({said}): name the CA that issued it, or that of the proxy"
    " which opens TLS, in daemon.ca_file",
)
EXPIRED = todo(
    "reach.expired",
    _WHAT,
    "its certificate is not valid now ({said}): correct this host's clock, or have it renewed",
)
OTHER_HOST = todo(
    "reach.other_host",
    _WHAT,
    "its certificate is for another name ({said}): write the host in {key} as the certificate does",
)
TLS = todo(
    "reach.tls",
    _WHAT,
    "TLS failed ({said}): correct scheme and port of {key}; TLS 1.2 or later is needed",
)
PROXY = todo(
    "reach.proxy",
    _WHAT,
    "the proxy of {proxy} does not let us through ({said}): have this host allowed there, or except"
    " the host with NO_PROXY",
)
OTHER = todo("reach.other", _WHAT, "can not be reached ({said}): correct {key}, or try again")
FAILING = todo(
    "reach.failing",
    _WHAT,
    "answers, but {said}: it is out of order, or a proxy before it is. No setting mends that: run"
    " check again in some minutes; {status_page} tells of known trouble",
)
LIMITED = todo(
    "reach.limited",
    _WHAT,
    "answers, but {said}: too many calls at present. Run check again in a minute, and see what else"
    " calls with this key or user",
)
SKEW = todo(
    "clock.skew",
    "clock against {system}",
    "this host is {seconds} s {direction}: keep it in time (NTP); logins fail at three minutes",
)

ADVICE = (
    NAME,
    REFUSED,
    TIMEOUT,
    UNTRUSTED,
    EXPIRED,
    OTHER_HOST,
    TLS,
    PROXY,
    OTHER,
    FAILING,
    LIMITED,
    SKEW,
)
_STATUS_PAGES = {
    "PagerDuty": "https://status.pagerduty.com",
    "Salesforce": "https://status.salesforce.com",
}
_BY_OBSTACLE = {
    Obstacle.NAME: NAME,
    Obstacle.REFUSED: REFUSED,
    Obstacle.TIMEOUT: TIMEOUT,
    Obstacle.UNTRUSTED: UNTRUSTED,
    Obstacle.EXPIRED: EXPIRED,
    Obstacle.OTHER_HOST: OTHER_HOST,
    Obstacle.TLS: TLS,
    Obstacle.PROXY: PROXY,
    Obstacle.OTHER: OTHER,
}


def reach_line(system: str, url: str, key: str, error: RemoteError | None) -> CheckLine | None:
    """Whether a first request got through; None where the error is about what was answered.

    Args:
        system: ``PagerDuty`` or ``Salesforce``.
        url: where the request went.
        key: the setting that says so.
        error: what the request ended in, None for an answer.
    """
    proxy = proxy_variable(url)
    through = f" through {proxy}" if proxy else ""
    if error is None:
        return ok(f"{system} at {url}: reachable{through}")
    found = find_obstacle(error)
    if found is None:
        return None
    advice = _BY_OBSTACLE[found.obstacle]
    if proxy and found.obstacle in (Obstacle.NAME, Obstacle.REFUSED):
        advice = PROXY  # our own connection goes to the proxy only
    return advice.line(system=system, url=url, key=key, said=found.said, proxy=proxy)


def failing_line(system: str, url: str, error: RemoteError) -> CheckLine | None:
    """What to do about an answer that is the other side's own trouble; None where it is not that."""
    if isinstance(error, BudgetError):
        return LIMITED.line(system=system, url=url, said=error)
    if not isinstance(error, TransientError) or error.status < 400:
        return None
    return FAILING.line(system=system, url=url, said=error, status_page=_STATUS_PAGES[system])


def skew_line(system: str, theirs: datetime | None, ours: datetime) -> CheckLine | None:
    """How far this host's clock is from a side's; None where the side did not say."""
    if theirs is None:
        return None
    skew = ours - theirs
    if abs(skew) <= _NOTABLE_SKEW:
        return ok(f"clock against {system}: within {_NOTABLE_SKEW.seconds} s")
    direction = "ahead" if skew > timedelta(0) else "behind"
    return SKEW.line(system=system, seconds=round(abs(skew).total_seconds()), direction=direction)
