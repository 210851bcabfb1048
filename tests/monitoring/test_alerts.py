"""The shipped alerts: linked to their runbook headings, and tested with the real promtool."""

import re
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint
from starlette.testclient import TestClient

from pagerforce.observe.metrics import Metrics
from pagerforce.sandbox.running import free_port
from pagerforce.service.catalog import CATALOG
from pagerforce.service.expose import build_app
from pagerforce.service.pages import anchor_of
from process import open_stage
from prometheus_rig import SHIPPED, promtool, run_server

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
METRICS_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
ALERTS = (SHIPPED / "alerts.yml").read_text()


def test_each_alert_links_to_its_heading_in_the_runbook_that_the_daemon_serves():
    names = re.findall(r"- alert: (\w+)", ALERTS)
    links = re.findall(r"runbook_url: http://[^#\n]+/runbook#(\S+)", ALERTS)
    assert len(names) == len(links) > 15
    assert links == [name.lower() for name in names]
    headings = re.findall(r"^## (Pagerforce\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert headings == list(dict.fromkeys(names))
    browser = TestClient(build_app(Metrics("1", []).registry, checkpoint, list, list))
    page = browser.get("/runbook").text
    for heading in headings:
        assert f'<h2 id="{anchor_of(heading)}">' in page
    assert "<script" not in page


def test_each_heading_says_what_it_means_how_to_diagnose_and_how_to_fix_it():
    for part in RUNBOOK.read_text().split("\n## ")[1:]:
        name, _, text = part.partition("\n")
        if name.startswith("Pagerforce"):
            for word in ("**Means.**", "**Diagnose.**", "**Fix.**"):
                assert word in text, f"{name}: {word}"


def test_each_alert_and_rule_uses_series_that_exist():
    metrics = Metrics("1", CATALOG)
    known = {"pagerforce_build_info"}
    for family in metrics.registry.collect():
        known.add(family.name)
        known |= {sample.name for sample in family.samples}
    # Without rules there are no matches, and a histogram without a source has no samples.
    known |= {"pagerforce_rule_matches_total"}
    for path in (*SHIPPED.glob("*.yml"), SHIPPED / "grafana" / "pagerforce.json"):
        text = re.sub(r"(source|system):pagerforce_\w+:\w+", "", path.read_text())
        for name in re.findall(r"\bpagerforce_\w+", text):
            assert name in known, f"{path.name}: {name}"


def test_each_recording_that_is_used_exists():
    made = set(re.findall(r"record: (\S+)", (SHIPPED / "rules.yml").read_text()))
    asked = set()
    for path in (SHIPPED / "alerts.yml", SHIPPED / "grafana" / "pagerforce.json"):
        asked |= set(re.findall(r"(?:source|system):pagerforce_\w+:\w+", path.read_text()))
    assert asked <= made


def test_the_page_of_metrics_describes_each_series_and_its_labels():
    metrics = Metrics("1", CATALOG)
    metrics.declare_rules([("set", "rule")])
    metrics.declare_objects(["Case"])
    rows = re.findall(
        r"^\| `(pagerforce_\w+)` \| (\w+) \| (.*?) \|", METRICS_PAGE.read_text(), re.MULTILINE
    )
    described = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    found = {}
    for family in metrics.registry.collect():
        if family.name.startswith("pagerforce_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = {key for sample in family.samples for key in sample.labels} - {"le"}
            found[name] = (family.type, labels)
    assert described == found


@pytest.mark.monitoring
def test_promtool_accepts_the_rules_and_the_configuration(tools):
    for words in (
        ("check", "rules", str(SHIPPED / "alerts.yml"), str(SHIPPED / "rules.yml")),
        ("check", "config", str(SHIPPED / "prometheus.yml")),
    ):
        code, said = promtool(*words)
        assert code == 0, said


@pytest.mark.monitoring
@pytest.mark.parametrize("path", sorted((SHIPPED / "tests").glob("*.yml")), ids=lambda x: x.stem)
def test_each_alert_fires_when_it_should_and_else_is_quiet(tools, path):
    code, said = promtool("test", "rules", str(path))
    assert code == 0, said


def test_no_alert_is_left_untested():
    names = set(re.findall(r"- alert: (\w+)", ALERTS))
    for name in names:
        tested = 0
        for path in (SHIPPED / "tests").glob("*.yml"):
            text = path.read_text()
            fires = rf"alertname: {name}\n\s+eval_time: \S+\n\s+exp_alerts"
            is_quiet = f"{{ alertname: {name}, eval_time:" in text
            tested += bool(re.search(fires, text)) and is_quiet
        assert tested, name


@pytest.mark.monitoring
async def test_promtool_has_no_complaint_about_a_running_daemon(tools, tmp_path):
    async with open_stage(tmp_path) as stage, stage.daemon() as running:
        await running.ready(60)
        response = await running.get("/metrics")
    code, said = promtool("check", "metrics", stdin=response.text)
    assert (code, said) == (0, "")


@pytest.mark.monitoring
async def test_node_exporter_exposes_the_textfile(tools, tmp_path):
    folder = tmp_path / "textfiles"
    folder.mkdir()
    async with open_stage(tmp_path) as stage:
        listen = stage.url.removeprefix("http://")
        stage.edit(
            f'listen = "{listen}"', f'listen = ""\ntextfile = "{folder / "pagerforce.prom"}"'
        )
        async with stage.daemon():
            address = f"127.0.0.1:{free_port()}"
            words = [
                "prometheus-node-exporter",
                f"--web.listen-address={address}",
                "--collector.disable-defaults",
                "--collector.textfile",
                f"--collector.textfile.directory={folder}",
            ]
            url = f"http://{address}"
            log = tmp_path / "node_exporter.log"
            async with run_server(words, url, log, "/metrics") as exporter:
                text = await shown(exporter)
    assert "node_textfile_scrape_error 0" in text
    assert 'pagerforce_source_up{source="pagerduty"}' in text
    assert 'pagerforce_sync_latency_seconds_bucket{source="pagerduty",le="30"}' in text


async def shown(exporter):
    """What node_exporter exposes, once the daemon has written its first file."""
    with anyio.fail_after(60):
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                text = (await client.get(exporter.url + "/metrics")).text
                if "pagerforce_build_info" in text:
                    return text
                await anyio.sleep(0.2)
