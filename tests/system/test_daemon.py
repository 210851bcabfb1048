"""The real process: start, signals, exit codes, output, and its end."""

import json
import signal
import socket

import anyio

from pagerforce.sandbox.faults import Fault, FaultKind
from process import command, open_stage, until

INCIDENT = "BMCServiceDesk__Incident__c"


def page(stage):
    """Creates a record that makes the rules create an incident; returns its Id."""
    sf = stage.desk.salesforce
    values = {
        "BMCServiceDesk__shortDescription__c": "Core switch down",
        "BMCServiceDesk__FKCategory__c": sf.find_id("BMCServiceDesk__Category__c", Name="Network"),
        "BMCServiceDesk__FKPriority__c": sf.find_id("BMCServiceDesk__Priority__c", Name="1"),
    }
    return sf.insert(INCIDENT, values)


async def test_it_does_its_job_and_stops_within_ten_seconds(tmp_path):
    async with open_stage(tmp_path) as stage:
        async with stage.daemon() as running:
            await running.ready()
            page(stage)
            await until(lambda: len(stage.desk.pagerduty.incidents()) == 1, "a page")
            assert await running.sample("ready") == 1
            assert await running.sample("source_up", source="pagerduty") == 1
            assert await running.stop() < 10
            assert running.process.returncode == 0
        async with stage.daemon() as running:
            await running.ready()
            await anyio.sleep(0.8)
            assert len(stage.desk.pagerduty.incidents()) == 1
            assert await running.sample("links") == 1


async def test_over_tls_with_a_private_ca(tmp_path):
    async with open_stage(tmp_path, tls=True) as stage, stage.daemon() as running:
        await running.ready()
        page(stage)
        await until(lambda: len(stage.desk.pagerduty.incidents()) == 1, "a page")


async def test_an_unreachable_side_does_not_end_it(tmp_path):
    async with open_stage(tmp_path) as stage:
        stage.desk.pagerduty_faults.add(Fault(FaultKind.ERROR_BEFORE, count=1000, status=401))
        async with stage.daemon() as running:
            with anyio.fail_after(10):
                while (response := await running.get("/-/ready")) is None:
                    await anyio.sleep(0.1)
                while await running.sample("source_up", source="salesforce") != 1:
                    await anyio.sleep(0.1)
            assert response.status_code == 503
            healthy = await running.get("/-/healthy")
            assert healthy is not None
            assert healthy.status_code == 200
            assert await running.sample("source_up", source="pagerduty") == 0
            assert await running.sample("ready") == 0
            stage.desk.pagerduty_faults.clear()
            await running.ready()
            assert await running.sample("source_up", source="pagerduty") == 1


async def test_configuration_errors_end_it_with_2(tmp_path):
    async with open_stage(tmp_path) as stage:
        stage.edit("poll_interval", "pol_interval")
        code, out, err = await command("run", config=stage.desk.config)
        assert code == 2
        assert "config.toml: pagerduty.pol_interval" in err
        assert "Traceback" not in out + err


async def test_the_wrong_org_ends_it_with_2(tmp_path):
    async with open_stage(tmp_path) as stage:
        stage.edit("00D000000000001EAA", "00D000000000009EAA")
        code, _, err = await command("run", config=stage.desk.config)
        assert code == 2
        assert "00D000000000009" in err
        assert "Traceback" not in err


async def test_a_field_the_org_does_not_have_ends_it_with_2(tmp_path):
    rules = """
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "r"
[[rulesets.rules]]
name = "typo"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "record.BMCServiceDesk__stat__c", op = "equals", value = true }]
actions = [{ do = "pagerduty.resolve" }]
"""
    async with open_stage(tmp_path, rules=rules) as stage:
        code, _, err = await command("run", config=stage.desk.config)
        assert code == 2
        assert "BMCServiceDesk__stat__c" in err


async def test_sighup_loads_good_rules_and_refuses_bad_ones(tmp_path):
    async with open_stage(tmp_path) as stage, stage.daemon() as running:
        await running.ready()
        rules = stage.desk.folder / "rules.d" / "rules.toml"
        good = rules.read_text()
        rules.write_text(good.replace('op = "equals"', 'op = "equels"'))
        running.process.send_signal(signal.SIGHUP)
        await until(lambda: "reload_refused" in running.log.read_text(), "a refusal")
        page(stage)
        await until(lambda: len(stage.desk.pagerduty.incidents()) == 1, "the old rules at work")
        rules.write_text(good.replace('urgency = "high"', 'urgency = "low"'))
        running.process.send_signal(signal.SIGHUP)
        await until(lambda: '"reloaded"' in running.log.read_text(), "a reload")
        page(stage)
        await until(lambda: len(stage.desk.pagerduty.incidents()) == 2, "the new rules at work")
        assert [item["urgency"] for item in stage.desk.pagerduty.incidents()] == ["high", "low"]


async def test_systemd_is_notified(tmp_path):
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        receiver.setblocking(False)
        async with open_stage(tmp_path) as stage:
            async with stage.daemon(NOTIFY_SOCKET=address, WATCHDOG_USEC="10000000") as running:
                await running.ready()
                await anyio.sleep(0.5)
                await running.stop()
        said = b""
        while True:
            try:
                said += receiver.recv(4096) + b"\n"
            except BlockingIOError:
                break
    lines = said.decode().splitlines()
    assert "READY=1" in lines
    assert "WATCHDOG=1" in lines
    assert "STOPPING=1" in lines
    assert any(line.startswith("STATUS=") for line in lines)


async def test_neither_secrets_nor_customers_text_are_logged(tmp_path):
    async with open_stage(tmp_path) as stage:
        stage.edit("[daemon]", '[daemon]\nlog_level = "debug"')
        async with stage.daemon() as running:
            await running.ready()
            page(stage)
            await until(lambda: len(stage.desk.pagerduty.incidents()) == 1, "a page")
            await anyio.sleep(0.5)
            text = running.log.read_text()
            metrics = await running.get("/metrics")
    assert "sandbox-account-key" not in text
    assert "PRIVATE KEY" not in text
    assert "Core switch down" not in text
    assert metrics is not None
    assert "Core switch down" not in metrics.text


async def test_reading_commands_while_it_runs(tmp_path):
    async with open_stage(tmp_path) as stage, stage.daemon() as running:
        await running.ready()
        record_id = page(stage)
        await until(lambda: len(stage.desk.pagerduty.incidents()) == 1, "a page")
        with anyio.fail_after(10):
            while await running.sample("links") != 1:
                await anyio.sleep(0.1)
        (incident,) = stage.desk.pagerduty.incidents()
        code, out, _ = await command("links", "list", "--json", config=stage.desk.config)
        (link,) = json.loads(out)
        assert code == 0
        assert set(link) == {"incident", "object", "record", "state", "created_at"}
        assert (link["incident"], link["record"], link["state"]) == (
            incident["id"],
            record_id,
            "active",
        )
        code, out, _ = await command("status", "--json", config=stage.desk.config)
        status = json.loads(out)
        assert code == 0
        assert (status["ready"], status["mode"], status["dead_letters"]) == (True, "live", 0)
        assert status["links"] == {"total": 1, "paused": []}
        assert set(status) == {
            "version", "schema", "ready", "mode", "sources", "outbox", "dead_letters", "links", "api",
        }  # fmt: skip
        code, out, _ = await command(
            "log", "--json", "--record", record_id, config=stage.desk.config
        )
        entries = [json.loads(line) for line in out.splitlines()]
        assert code == 0
        assert entries[0]["event"] == "create"
        (rule,) = [rule for rule in entries[0]["rules"] if rule["matched"]]
        assert (rule["ruleset"], rule["rule"]) == (
            "Remedyforce to PagerDuty",
            "Page for priority 1",
        )
        assert rule["conditions"][0]["actual"] == "1"
        (action,) = entries[0]["actions"]
        assert (action["action"], action["outcome"]) == ("pagerduty.create_incident", "delivered")
        code, out, _ = await command("failed", "list", "--json", config=stage.desk.config)
        assert (code, json.loads(out)) == (0, [])
        code, out, _ = await command("check", config=stage.desk.config)
        assert code == 0, out
        assert "FAIL" not in out


async def test_every_promised_metric_is_there_from_the_start(tmp_path):
    names = [
        "ready",
        "build_info",
        "source_up",
        "poll_duration_seconds_count",
        "cursor_lag_seconds",
        "last_success_timestamp_seconds",
        "events_total",
        "rule_matches_total",
        "actions_total",
        "sync_latency_seconds_count",
        "outbox_depth",
        "outbox_oldest_seconds",
        "dead_letters",
        "links",
        "links_paused",
        "api_requests_total",
        "api_budget_remaining",
        "database_size_bytes",
    ]
    async with open_stage(tmp_path) as stage, stage.daemon() as running:
        await running.ready()
        for name in names:
            assert await running.sample(name) is not None, name
        assert await running.sample("events_total", source="pagerduty", type="other") == 0
        assert (
            await running.sample(
                "actions_total", action="pagerduty.run_workflow", outcome="dead_letter"
            )
            == 0
        )
        assert await running.sample("rule_matches_total", rule="Page for priority 1") == 0
