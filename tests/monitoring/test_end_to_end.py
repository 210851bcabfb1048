"""PagerDuty fails; the real Prometheus and Alertmanager notify somebody, and again when it is over."""

import json
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.server import serve
from process import open_stage
from prometheus_rig import (
    hurry_alerts,
    open_alertmanager,
    open_prometheus,
    until_true,
    write_targets,
)

pytestmark = pytest.mark.monitoring


@asynccontextmanager
async def open_receiver():
    """A webhook's URL, and the alerts that it received."""
    alerts = []

    async def take(request):
        alerts.extend(json.loads(await request.body())["alerts"])
        return Response(status_code=204)

    async with serve(Starlette(routes=[Route("/", take, methods=["POST"])])) as url:
        yield f"{url}/", alerts


def told(alerts, name, status):
    """The first such alert."""

    async def look():
        return next(
            (x for x in alerts if x["labels"]["alertname"] == name and x["status"] == status), None
        )

    return look


async def test_a_failing_side_is_notified_and_so_is_its_recovery(tools, tmp_path):
    targets = tmp_path / "targets.json"
    hurry_alerts(tmp_path)
    async with (
        open_receiver() as (url, alerts),
        open_alertmanager(tmp_path, receiver=url) as alertmanager,
        open_stage(tmp_path / "stage") as stage,
        stage.daemon() as running,
    ):
        await running.ready(60)
        write_targets(targets, stage.url.removeprefix("http://"))
        address = alertmanager.url.removeprefix("http://")
        async with open_prometheus(tmp_path, targets=targets, alertmanager=address) as prometheus:

            async def is_scraped():
                return await prometheus.query('pagerforce_source_up{source="pagerduty"} == 1')

            await until_true(is_scraped, "a scrape of a healthy daemon")
            assert alerts == []
            stage.desk.pagerduty_faults.add(
                Fault(FaultKind.ERROR_BEFORE, count=1_000_000, status=503)
            )
            fired = await until_true(
                told(alerts, "PagerforceSourceDown", "firing"), "the alert", 60
            )
            assert fired["labels"]["source"] == "pagerduty"
            assert fired["labels"]["severity"] == "critical"
            instance = stage.url.removeprefix("http://")
            assert fired["annotations"]["runbook_url"] == (
                f"http://{instance}/runbook#pagerforcesourcedown"
            )
            page = await running.get("/runbook")
            assert 'id="pagerforcesourcedown"' in page.text
            front = await running.get("/")
            assert "down, read" in front.text
            stage.desk.pagerduty_faults.clear()
            await until_true(told(alerts, "PagerforceSourceDown", "resolved"), "its end", 60)
            # The other side was never reported as down.
            down = {
                x["labels"].get("source")
                for x in alerts
                if x["labels"]["alertname"] == "PagerforceSourceDown"
            }
            assert down == {"pagerduty"}


async def test_a_daemon_that_is_gone_is_notified(tools, tmp_path):
    targets = tmp_path / "targets.json"
    hurry_alerts(tmp_path)
    async with (
        open_receiver() as (url, alerts),
        open_alertmanager(tmp_path, receiver=url) as alertmanager,
        open_stage(tmp_path / "stage") as stage,
    ):
        write_targets(targets, stage.url.removeprefix("http://"))
        address = alertmanager.url.removeprefix("http://")
        async with open_prometheus(tmp_path, targets=targets, alertmanager=address) as prometheus:
            async with stage.daemon() as running:
                await running.ready(60)

                async def is_up():
                    return await prometheus.query('up{job="pagerforce"} == 1')

                await until_true(is_up, "a scrape")
            await until_true(told(alerts, "PagerforceDown", "firing"), "the alert", 60)
