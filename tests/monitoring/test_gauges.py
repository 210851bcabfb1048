"""The gauges of a working daemon, over real HTTP, with a real store and real certificates."""

import math
from datetime import timedelta

import anyio
import pytest

from pagerforce.config.load import load_config
from pagerforce.config.secret import load_secrets
from pagerforce.config.starter import write_starter
from pagerforce.errors import TransientError
from pagerforce.model.ids import Side
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.service.catalog import CATALOG
from pagerforce.service.certificates import Certificates
from pagerforce.service.gauges import Gauges
from pagerforce.service.refresh import Refresher
from pagerforce.service.systemd import Notifier
from rig import INCIDENT, JANE, SKEW, START, open_rig

A_DAY = 25 * 3600.0


@pytest.fixture
async def rig(tmp_path):
    async with open_rig(tmp_path) as opened:
        yield opened


def certificates(rig):
    loaded = load_config(rig.desk.config, catalog=CATALOG, environ={})
    return Certificates.of(loaded, load_secrets(loaded.config, {}))


def gauges(rig, daemon):
    return Gauges.of(daemon.parts, rig.host, certificates(rig))


async def test_a_wrong_clock_of_this_host_is_seen_on_both_sides(rig):
    async with rig.daemon() as daemon:
        await gauges(rig, daemon).refresh()
        for side in ("pagerduty", "salesforce"):
            skew = daemon.sample("clock_skew_seconds", source=side)
            assert abs(skew + SKEW.total_seconds()) <= 1


async def test_the_pace_the_mode_the_start_and_the_share_come_from_the_configuration(rig):
    async with rig.daemon(is_shadow=True) as daemon:
        await gauges(rig, daemon).refresh()
        assert daemon.sample("shadow") == 1
        assert daemon.sample("poll_interval_seconds", source="pagerduty") == 5
        assert daemon.sample("api_daily_budget", system="salesforce") == 20_000
        assert daemon.sample("start_timestamp_seconds") == rig.host.now().timestamp()
        assert daemon.sample("api_calls_last_day", system="salesforce") > 0


async def test_a_look_between_two_refreshes_shows_what_is_stored_now(rig):
    async with rig.daemon() as daemon:
        both = (daemon.parts.pagerduty, daemon.parts.salesforce)
        metrics = daemon.parts.metrics
        refresher = Refresher(gauges(rig, daemon), metrics, rig.host, both, Notifier({}), None)
        await refresher.look()
        assert daemon.sample("links") == 0
        await rig.paged(daemon)
        assert daemon.sample("links") == 0
        await refresher.look()
        assert daemon.sample("links") == 1


async def test_the_queue_and_its_age_are_shown(rig):
    async with rig.daemon() as daemon:
        shown = gauges(rig, daemon)
        assert await shown.refresh() == 0
        rig.desk.pagerduty_faults.add(Fault(FaultKind.ERROR_BEFORE, count=1000, status=503))
        record = rig.open_record()
        rig.raise_to_1(record)
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        with pytest.raises(TransientError):
            await daemon.parts.pagerduty_reader.poll()
        await daemon.deliver()
        rig.advance(90)
        assert await shown.refresh() == 1
        assert daemon.sample("outbox_depth") == 1
        assert daemon.sample("outbox_oldest_seconds") == pytest.approx(90, abs=1)


async def test_what_only_the_daily_comparison_finds_is_counted(rig):
    async with rig.daemon() as daemon:
        records = [rig.open_record(f"ticket {number}") for number in range(4)]
        await daemon.step()
        assert daemon.sample("reconcile_found_total", source="salesforce") == 0
        rig.sf.delete(INCIDENT, records[0])
        rig.sf.purge(INCIDENT, records[0])
        await daemon.step(2, seconds=A_DAY)
        assert daemon.sample("reconcile_found_total", source="salesforce") == 1


async def test_the_winning_side_is_counted_if_both_sides_changed(rig):
    async with rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        for side in Side:
            assert daemon.sample("conflicts_total", winner=side.value) == 0
        rig.pd.acknowledge(incident_id, by=JANE)
        rig.advance(5)
        await daemon.poll()
        rig.set_status(record_id, "IN PROGRESS")
        await daemon.step()
        assert rig.status_of(record_id) == "IN PROGRESS"
        assert daemon.sample("conflicts_total", winner="salesforce") == 1
        assert daemon.sample("conflicts_total", winner="pagerduty") == 0


async def test_the_certificate_beside_the_key_is_known_if_it_belongs_to_it(rig, tmp_path):
    write_starter(tmp_path / "other", now=START)
    foreign = (tmp_path / "other" / "salesforce.crt").read_bytes()
    async with rig.daemon() as daemon:
        await gauges(rig, daemon).refresh()
        assert math.isnan(
            daemon.sample("certificate_expiry_timestamp_seconds", certificate="salesforce")
        )
        beside = tmp_path / "salesforce.crt"
        beside.write_bytes(foreign)
        assert certificates(rig).expiries() == {}
        key = tmp_path / "salesforce.key"
        key.write_bytes((tmp_path / "other" / "salesforce.key").read_bytes())
        await gauges(rig, daemon).refresh()
        expected = (START + timedelta(days=730)).timestamp()
        shown = daemon.sample("certificate_expiry_timestamp_seconds", certificate="salesforce")
        assert shown == expected
        beside.write_text("no certificate")
        assert certificates(rig).expiries() == {}


async def test_a_private_authority_is_known_by_its_last_certificate(rig, tmp_path):
    write_starter(tmp_path / "old", now=START - timedelta(days=1000))
    write_starter(tmp_path / "new", now=START)
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(
        b"".join((tmp_path / name / "salesforce.crt").read_bytes() for name in ("new", "old"))
    )
    text = rig.desk.config.read_text()
    rig.desk.config.write_text(text.replace("[daemon]", f'[daemon]\nca_file = "{bundle}"'))
    assert certificates(rig).expiries() == {"ca_file": START + timedelta(days=730)}


async def test_it_is_ready_as_soon_as_both_sides_are_read(rig, monkeypatch):
    monkeypatch.setattr("pagerforce.service.refresh._EVERY_SECONDS_UNTIL_READY", 1000.0)
    async with rig.daemon() as daemon, anyio.create_task_group() as group:
        both = (daemon.parts.pagerduty, daemon.parts.salesforce)
        metrics = daemon.parts.metrics
        refresher = Refresher(gauges(rig, daemon), metrics, rig.host, both, Notifier({}), None)
        beaten = anyio.Event()
        group.start_soon(refresher.run, beaten.set)
        await beaten.wait()
        assert refresher.unready() == ["pagerduty", "salesforce"]
        for loop in both:
            await loop._turn()
        with anyio.fail_after(60):
            while refresher.unready():
                await anyio.sleep(0.01)
        assert daemon.sample("ready") == 1
        refresher.stop()


async def test_an_empty_outbox_delays_nothing(rig, monkeypatch):
    monkeypatch.setattr("pagerforce.pipeline.deliver._EMPTY_SECONDS", 1000.0)
    async with rig.daemon() as daemon, anyio.create_task_group() as group:
        deliverer = daemon.parts.deliverer
        group.start_soon(deliverer.run, lambda: None)
        with anyio.fail_after(60):
            while not deliverer._is_empty:
                await anyio.sleep(0.01)
        rig.raise_to_1(rig.open_record())
        rig.advance(2)
        await daemon.poll()
        with anyio.fail_after(60):
            while (
                daemon.sample(
                    "actions_total", action="pagerduty.create_incident", outcome="delivered"
                )
                != 1
            ):
                await anyio.sleep(0.01)
        deliverer.stop()
