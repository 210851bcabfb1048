"""Whether a side can be reached, and how far its clock is from this host's."""

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
    "its certificate is not trusted ({said}): set daemon.ca_file to the CA that issued it, or to"
    " the CA of the proxy that intercepts TLS",
)
EXPIRED = todo(
    "reach.expired",
    _WHAT,
    "its certificate is not valid now ({said}): correct this host's clock, or have the certificate"
    " renewed",
)
OTHER_HOST = todo(
    "reach.other_host",
    _WHAT,
    "its certificate is for another name ({said}): use the host name of the certificate in {key}",
)
TLS = todo(
    "reach.tls",
    _WHAT,
    "TLS failed ({said}): correct scheme and port of {key}; TLS 1.2 or later is needed",
)
PROXY = todo(
    "reach.proxy",
    _WHAT,
    "the proxy of {proxy} does not let this host through ({said}): allow this host there, or"
    " exempt the address with NO_PROXY",
)
OTHER = todo("reach.other", _WHAT, "can not be reached ({said}): correct {key}, or try again")
FAILING = todo(
    "reach.failing",
    _WHAT,
    "answers, but {said}: it is failing, or a proxy before it is. No setting fixes this: run check"
    " again in some minutes; {status_page} lists known problems",
)
LIMITED = todo(
    "reach.limited",
    _WHAT,
    "answers, but {said}: too many calls at present. Run check again in a minute, and find out what"
    " else uses this key or user",
)
SKEW = todo(
    "clock.skew",
    "clock against {system}",
    "this host is {seconds} s {direction}: synchronise it (NTP); logins fail at three minutes",
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
    """Says whether a first request got through; None if the error is about the answer.

    Args:
        system: ``PagerDuty`` or ``Salesforce``.
        url: the address of the request.
        key: the setting of this address.
        error: the error of the request, None for an answer.
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
        advice = PROXY  # the daemon's own connection goes to the proxy only
    return advice.line(system=system, url=url, key=key, said=found.said, proxy=proxy)


def failing_line(system: str, url: str, error: RemoteError) -> CheckLine | None:
    """Returns advice about a failure of the other side itself; None if it is none."""
    if isinstance(error, BudgetError):
        return LIMITED.line(system=system, url=url, said=error)
    if not isinstance(error, TransientError) or error.status < 400:
        return None
    return FAILING.line(system=system, url=url, said=error, status_page=_STATUS_PAGES[system])


def skew_line(system: str, theirs: datetime | None, ours: datetime) -> CheckLine | None:
    """Says how far this host's clock is from a side's; None if the side sent no time."""
    if theirs is None:
        return None
    skew = ours - theirs
    if abs(skew) <= _NOTABLE_SKEW:
        return ok(f"clock against {system}: within {_NOTABLE_SKEW.seconds} s")
    direction = "ahead" if skew > timedelta(0) else "behind"
    return SKEW.line(system=system, seconds=round(abs(skew).total_seconds()), direction=direction)
