"""Output for Prometheus and for people: names, labels, formats, pages, the textfile."""

import ast
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest
from anyio.lowlevel import checkpoint
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.testclient import TestClient

import pagerforce
from pagerforce.model.ids import Side
from pagerforce.observe.api_calls import NO_ANSWER, OPERATIONS
from pagerforce.observe.metrics import OUTCOMES, Metrics
from pagerforce.pagerduty import client as pagerduty_client
from pagerforce.salesforce.stream.line import OPERATION_NAME
from pagerforce.service.catalog import CATALOG
from pagerforce.service.expose import build_app, write_textfile
from pagerforce.wire.transport import NO_ANSWER_CODE

SOURCE = Path(pagerforce.__file__).parent
PROMISED = {
    "ready": set(),
    "build_info": {"version"},
    "source_up": {"source"},
    "poll_duration_seconds": {"source"},
    "cursor_lag_seconds": {"source"},
    "last_success_timestamp_seconds": {"source"},
    "events_total": {"source", "type"},
    "rule_matches_total": {"ruleset", "rule"},
    "actions_total": {"action", "outcome"},
    "sync_latency_seconds": {"source"},
    "outbox_depth": set(),
    "outbox_oldest_seconds": set(),
    "dead_letters": set(),
    "links": set(),
    "links_paused": set(),
    "api_requests_total": {"system", "operation", "code"},
    "api_budget_remaining": {"system"},
    "database_size_bytes": set(),
    "stream_up": set(),
}


@pytest.fixture
def metrics():
    made = Metrics("1.2.3", CATALOG)
    made.declare_rules([("set", "rule")])
    return made


@pytest.fixture
def browser(metrics):
    return TestClient(build_app(metrics.registry, checkpoint, list, lambda: ["salesforce"]))


def series_of(text):
    return {
        (sample.name, frozenset(sample.labels.items()))
        for family in parse_text(text)
        for sample in family.samples
    }


def test_every_promised_series_exists_before_anything_happened(browser):
    found = series_of(browser.get("/metrics").text)
    for name, labels in PROMISED.items():
        suffix = "_count" if name in {"poll_duration_seconds", "sync_latency_seconds"} else ""
        shapes = {
            frozenset(key for key, _ in pairs)
            for series, pairs in found
            if series == f"pagerforce_{name}{suffix}"
        }
        assert shapes == {frozenset(labels)}, name


def test_every_value_of_a_closed_label_exists_before_anything_happened(browser):
    found = series_of(browser.get("/metrics").text)

    def there(name, **labels):
        return (f"pagerforce_{name}", frozenset(labels.items())) in found

    for spec in CATALOG:
        for outcome in OUTCOMES:
            assert there("actions_total", action=spec.do, outcome=outcome)
    for side in Side:
        assert there("source_up", source=side.value)
        assert there("events_total", source=side.value, type="other")
        for operation, code in OPERATIONS[side].items():
            assert there("api_requests_total", system=side.value, operation=operation, code=code)
    assert there("rule_matches_total", ruleset="set", rule="rule")
    assert there("events_total", source="salesforce", type="undelete")


def test_openmetrics_is_given_to_who_asks_for_it_without_exemplars_or_creation_times(browser):
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    response = browser.get("/metrics", headers={"accept": accept})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")
    names = {family.name: family for family in parse_openmetrics(response.text)}
    assert names["pagerforce_events"].type == "counter"
    assert " # {" not in response.text
    assert "_created" not in response.text
    plain = browser.get("/metrics", headers={"accept": "text/plain"})
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert series_of(plain.text)


def test_the_buckets_fit_polling(browser):
    edges = {
        float(dict(pairs)["le"])
        for name, pairs in series_of(browser.get("/metrics").text)
        if name == "pagerforce_sync_latency_seconds_bucket"
    }
    assert {0.1, 30.0, 86400.0} <= edges
    assert min(edges) == 0.1


def samples_of(counter):
    (family,) = counter.collect()
    return family.samples


def test_what_a_server_answers_makes_no_new_series(metrics):
    before = len(samples_of(metrics.api_requests))
    for number in range(50):
        metrics.on_request(Side.PAGERDUTY, f"incidents/P{number}", str(600 + number))
        metrics.count_event(Side.PAGERDUTY, f"kind{number}")
    samples = samples_of(metrics.api_requests)
    assert len(samples) == before + 1
    (other,) = [x for x in samples if x.labels["operation"] == "other"]
    assert (other.labels["code"], other.value) == ("other", 50)
    (events,) = [
        x for x in samples_of(metrics.events)
        if x.labels == {"source": "pagerduty", "type": "other"}
    ]  # fmt: skip
    assert events.value == 50


def test_every_operation_of_the_clients_is_known():
    listings = [
        value
        for value in vars(pagerduty_client).values()
        if isinstance(value, pagerduty_client.Listing)
    ]
    named = {f"{listing.many}.{word}" for listing in listings for word in ("list", "get")}
    named |= operations_in("pagerduty/client.py", {"_get", "_get_page", "_write"}, 0)
    # Some listings are never read for a single row; the extra series costs nothing.
    assert named <= OPERATIONS[Side.PAGERDUTY].keys()
    sent = operations_in("salesforce/client.py", {"Call"}, 2)
    sent |= operations_in("salesforce/client.py", {"send_composite"}, 1)
    sent |= operations_in("salesforce/source.py", {"send_composite"}, 1)
    assert sent | {"login", "composite", OPERATION_NAME} == OPERATIONS[Side.SALESFORCE].keys()
    assert NO_ANSWER == NO_ANSWER_CODE


def operations_in(path, callers, place):
    """Constants given as the operation in the calls of these functions."""
    found = set()
    for node in ast.walk(ast.parse((SOURCE / path).read_text())):
        if isinstance(node, ast.Call) and len(node.args) > place:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            word = node.args[place]
            if name in callers and isinstance(word, ast.Constant):
                found.add(word.value)
    assert found, path
    return found


class Reader(HTMLParser):
    """Tags, links and text of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.links, self.ids, self.text = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.links += [value for key, value in attrs if key == "href"]
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_data(self, data):
        self.text += data


def read_page(browser, path):
    response = browser.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    reader = Reader()
    reader.feed(response.text)
    return reader


def test_the_front_page_says_what_this_is_how_it_is_and_where_to_go(browser, metrics):
    metrics.source_up.labels("pagerduty").set(1)
    metrics.cursor_lag.labels("pagerduty").set(4)
    metrics.last_success.labels("pagerduty").set(1_700_000_000)
    metrics.dead_letters.set(3)
    page = read_page(browser, "/")
    assert pagerforce.__version__ in page.text
    assert "up, read 4 s ago, at 2023-11-14 22:13:20 UTC" in page.text
    assert "Salesforcenot read yet" in page.text
    assert "waiting for: salesforce" in page.text
    assert "dead letters3" in page.text
    assert {"/metrics", "/-/healthy", "/-/ready", "/runbook"} <= set(page.links)
    for link in page.links:
        assert browser.get(link).status_code in {200, 503}, link
    assert "script" not in {tag for tag, _ in page.tags}
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in (
        page.tags
    )


def test_the_probes_say_why(metrics):
    browser = TestClient(
        build_app(metrics.registry, checkpoint, lambda: ["delivery"], lambda: ["salesforce"])
    )
    for path, why in (("/-/healthy", "delivery"), ("/-/ready", "salesforce")):
        response = browser.get(path)
        assert response.status_code == 503
        assert why in response.text
    assert "no heartbeat: delivery" in browser.get("/").text


def test_the_textfile_is_whole_readable_and_does_not_clash_with_node_exporter(metrics, tmp_path):
    path = tmp_path / "pagerforce.prom"
    path.write_text("old")
    write_textfile(metrics.registry, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [item.name for item in tmp_path.iterdir()] == ["pagerforce.prom"]
    families = list(parse_text(path.read_text()))
    assert all(family.name.startswith("pagerforce_") for family in families)
    assert all(sample.timestamp is None for family in families for sample in family.samples)
    names = {sample.name for family in families for sample in family.samples}
    assert "pagerforce_last_success_timestamp_seconds" in names


def test_a_textfile_that_cannot_be_written_leaves_the_old_one_and_no_temporary_file(
    metrics, tmp_path
):
    path = tmp_path / "pagerforce.prom"
    path.mkdir()  # a folder can not be replaced by a file
    with pytest.raises(IsADirectoryError):
        write_textfile(metrics.registry, path)
    assert [item.name for item in tmp_path.iterdir()] == ["pagerforce.prom"]


@pytest.mark.parametrize("path", ["/metrics", "/"])
def test_a_scrape_shows_the_current_gauges(metrics, path):
    async def look():
        metrics.dead_letters.set(7431)

    browser = TestClient(build_app(metrics.registry, look, list, list))
    assert "7431" in browser.get(path).text
