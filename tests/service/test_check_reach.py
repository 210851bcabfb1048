"""Whether a side can be reached: each obstacle with its remedy, and the clocks."""

import socket
import ssl
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from checking import open_bench
from pagerforce.errors import TransientError
from pagerforce.sandbox.clock import ManualClock
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.service.checks.reaching import reach_line
from pagerforce.wire.reach import Obstacle, find_obstacle

NOWHERE = "http://127.0.0.1:9"
SIDES = [("PagerDuty", "api_url"), ("Salesforce", "login_url")]


def url_of(bench, system):
    return bench.desk.pagerduty_url if system == "PagerDuty" else bench.desk.salesforce_url


@pytest.mark.parametrize(("system", "key"), SIDES)
async def test_a_refused_connection_names_the_setting(tmp_path, system, key):
    async with open_bench(tmp_path) as bench:
        bench.edit(f'{key} = "{url_of(bench, system)}"', f'{key} = "{NOWHERE}"')
        line = (await bench.check()).only_todo()
        assert (line.code, line.what) == ("reach.refused", f"{system} at {NOWHERE}")
        assert key in line.remedy


@pytest.mark.parametrize(("system", "key"), SIDES)
async def test_a_certificate_that_is_not_trusted_names_ca_file(tmp_path, system, key):
    del key
    async with open_bench(tmp_path, tls=True) as bench:
        assert (await bench.check()).todo == []
        bench.edit("ca_file", "#ca_file")
        found = await bench.check()
        assert found.todo == ["reach.untrusted"] * 2
        (line,) = (x for x in found.lines if x.what.startswith(f"{system} at https://"))
        assert "daemon.ca_file" in line.remedy


async def test_plain_http_spoken_to_as_tls_is_reported(tmp_path):
    async with open_bench(tmp_path) as bench:
        url = bench.desk.pagerduty_url
        bench.edit(f'api_url = "{url}"', f'api_url = "{url.replace("http:", "https:")}"')
        assert (await bench.check()).only_todo().code == "reach.tls"


@pytest.mark.parametrize(("system", "key"), SIDES)
async def test_silence_is_distinguished(tmp_path, system, key):
    del key
    async with open_bench(tmp_path) as bench:
        text = bench.desk.config.read_text()
        bench.desk.config.write_text(f'{text}\n[delivery]\ntimeout = "0.3s"\n')
        faults = (
            bench.desk.pagerduty_faults if system == "PagerDuty" else bench.desk.salesforce_faults
        )
        faults.add(Fault(FaultKind.LATENCY, seconds=0.9))
        line = (await bench.check()).only_todo()
        assert (line.code, line.what.split()[0]) == ("reach.timeout", system)


async def test_a_proxy_that_is_not_there_is_named_by_its_variable(tmp_path, monkeypatch):
    # Proxies are configured through the environment only.
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:geheim@127.0.0.1:9")
    async with open_bench(tmp_path) as bench:
        bench.edit(f'"{bench.desk.pagerduty_url}"', '"https://api.pagerduty.invalid"')
        line = (await bench.check()).only_todo()
        assert line.code == "reach.proxy"
        assert "HTTPS_PROXY" in line.remedy
        assert "geheim" not in line.remedy


def chained(*errors: BaseException) -> TransientError:
    """As ``wire.exchange`` raises it: each error is the cause of the one before."""
    outer = TransientError("x: not sent")
    last: BaseException = outer
    for error in errors:
        last.__cause__ = error
        last = error
    return outer


def verification(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("cause", "obstacle", "code"),
    [
        (socket.gaierror(-2, "Name or service not known"), Obstacle.NAME, "reach.name"),
        (ConnectionRefusedError(111, "refused"), Obstacle.REFUSED, "reach.refused"),
        (TimeoutError(), Obstacle.TIMEOUT, "reach.timeout"),
        (verification(20, "unable to get issuer"), Obstacle.UNTRUSTED, "reach.untrusted"),
        (verification(10, "has expired"), Obstacle.EXPIRED, "reach.expired"),
        (verification(62, "Hostname mismatch"), Obstacle.OTHER_HOST, "reach.other_host"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), Obstacle.TLS, "reach.tls"),
        (OSError(101, "Network is unreachable"), Obstacle.OTHER, "reach.other"),
    ],
)
def test_every_cause_has_its_line(cause, obstacle, code):
    error = chained(httpx.ConnectError("no"), cause)
    found = find_obstacle(error)
    assert found is not None
    assert found.obstacle is obstacle
    line = reach_line("PagerDuty", "http://localhost", "pagerduty.api_url", error)
    assert line is not None
    assert line.code == code


def test_a_refusal_of_the_proxy_itself_is_reported():
    found = find_obstacle(chained(httpx.ProxyError("407 Proxy Authentication Required")))
    assert found is not None
    assert (found.obstacle, found.said) == (Obstacle.PROXY, "407 Proxy Authentication Required")


def test_a_refusing_answer_is_no_obstacle():
    assert find_obstacle(chained(ValueError("not JSON"))) is None


@pytest.mark.parametrize(("minutes", "word"), [(5, "ahead"), (-5, "behind")])
async def test_a_wrong_clock_is_reported_for_both_sides(tmp_path, minutes, word):
    clock = ManualClock(datetime.now(UTC) - timedelta(minutes=minutes))
    async with open_bench(tmp_path, clock=clock) as bench:
        found = await bench.check()
        assert found.todo == ["clock.skew", "clock.skew"]
        assert all(word in line.remedy for line in found.lines if line.code == "clock.skew")


@pytest.mark.parametrize(("system", "key"), SIDES)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_side_that_fails_by_itself_is_not_blamed_on_a_setting(
    tmp_path, system, key, status
):
    async with open_bench(tmp_path) as bench:
        faults_of(bench, system).add(Fault(FaultKind.ERROR_BEFORE, count=9, status=status))
        line = (await bench.check()).only_todo()
        assert (line.code, line.what) == ("reach.failing", f"{system} at {url_of(bench, system)}")
        assert f"HTTP {status}" in line.remedy
        assert f"https://status.{system.lower()}.com" in line.remedy
        assert key not in line.remedy


async def test_too_many_calls_are_reported_as_such(tmp_path):
    async with open_bench(tmp_path) as bench:
        bench.desk.pagerduty_faults.add(Fault(FaultKind.ERROR_BEFORE, count=9, status=429))
        line = (await bench.check()).only_todo()
        assert line.code == "reach.limited"
        assert "in a minute" in line.remedy


@pytest.mark.parametrize(
    ("system", "status", "code"),
    [
        ("PagerDuty", 401, "pagerduty.key_refused"),
        ("PagerDuty", 403, "asking.forbidden"),
        ("PagerDuty", 404, "pagerduty.other_answer"),
        ("Salesforce", 401, "salesforce.login_refused"),
        ("Salesforce", 403, "salesforce.login_refused"),
        ("Salesforce", 404, "salesforce.login_refused"),
    ],
)
async def test_a_refusal_has_its_own_line(tmp_path, system, status, code):
    async with open_bench(tmp_path) as bench:
        faults_of(bench, system).add(Fault(FaultKind.ERROR_BEFORE, count=99, status=status))
        found = await bench.check()
        assert found.todo[0] == code
        assert "reach.failing" not in found.todo


def faults_of(bench, system):
    return bench.desk.pagerduty_faults if system == "PagerDuty" else bench.desk.salesforce_faults
