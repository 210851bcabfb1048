"""A created incident with a lost answer, on an account where alerts hide its key: which incident is whose."""

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import INCIDENT, JANE, open_rig


async def lost_page(rig, daemon):
    """An alert's incident, the record, and what an attempt to create its incident left."""
    alert = rig.pd.trigger("PNET001", "Switch flaps")["id"]
    record_id = rig.open_record()
    await daemon.step()
    lost = Fault(FaultKind.DROP_AFTER, method="POST", path=r"/incidents$")
    rig.desk.pagerduty_faults.add(lost)
    rig.raise_to_1(record_id)
    rig.advance(2)
    await daemon.parts.salesforce_reader.poll()
    await daemon.deliver()
    return alert, record_id, rig.incidents()[-1]["id"]


async def triggers_of(daemon, incident_id):
    log = await daemon.log()
    return [x for x in log if x["event"] == "trigger" and x["incident"] == incident_id]


async def test_its_trigger_is_recognised_although_no_key_is_visible(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        alert, record_id, page = await lost_page(rig, daemon)
        rig.pd.merge(page, [alert], by=JANE)
        assert rig.pd.incident(page)["incident_key"] is None
        rig.advance(2)
        await daemon.poll()  # before the next attempt searches for it
        (trigger,) = await triggers_of(daemon, page)
        (action,) = [x for x in await daemon.actions() if x["action"].endswith("create_incident")]
        assert trigger["echo_of"] == action["action_id"]
        assert (page, record_id, "active") in await daemon.links()
        await daemon.step(3, seconds=70)
        assert len(rig.incidents()) == 2, "nobody is paged again"
        assert len(rig.sf.rows(INCIDENT)) == 2, "the record, and the one for the alert"


async def test_another_incident_of_the_integrations_account_is_a_persons(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        alert, record_id, page = await lost_page(rig, daemon)
        rig.advance(1)
        other = rig.pd.create("PNET001", "Something quite different", by="PINTEG1")["id"]
        rig.pd.merge(other, [alert], by=JANE)
        assert rig.pd.incident(other)["incident_key"] is None
        rig.advance(2)
        await daemon.poll()
        (trigger,) = await triggers_of(daemon, other)
        assert trigger["echo_of"] is None
        assert trigger["rules"], "it is evaluated"
        await daemon.step(3, seconds=70)
        linked = {(incident, record) for incident, record, _ in await daemon.links()}
        assert (page, record_id) in linked
        assert (other, record_id) not in linked
        assert len(rig.incidents()) == 3, "nobody is paged again"
