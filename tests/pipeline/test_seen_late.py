"""What is seen later than what followed from it: found by the simulation, told here as scenarios."""

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import INCIDENT, open_rig


async def test_a_comment_on_a_record_of_ours_that_comes_on_a_later_page_is_copied(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        incident_id = rig.pd.trigger("PNET001", "Switch flaps")["id"]
        others = [rig.open_record(f"n{n}") for n in range(3)]
        rig.desk.salesforce_faults.add(Fault(FaultKind.DROP_AFTER, count=1, method="PATCH"))
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        await daemon.deliver()
        (made,) = {row["Id"] for row in rig.sf.rows(INCIDENT)} - {*others}
        rig.advance(6)
        rig.change(made, shortDescription="It does flap")
        rig.comment(made, "Have a look at port 3")
        rig.sf.knobs.batch_size = 1
        await daemon.parts.salesforce_reader.poll()
        await daemon.step(3)
        assert len(rig.sf.rows(INCIDENT)) == 4
        assert [note for note in rig.notes_of(incident_id) if "port 3" in note]
