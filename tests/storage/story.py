"""A short life with every kind of write: an incident, a record, fields, notes, comments."""

from rig import INCIDENT, JANE, P

ACTS = 5


class Story:
    """What people do, one act at a time, and the expected final state of both sides."""

    def __init__(self, rig):
        self.rig = rig
        self.record = ""

    @property
    def incident(self):
        return next(x["id"] for x in self.rig.incidents() if "Core switch" in x["title"])

    def act(self, number):
        rig = self.rig
        if number == 0:
            self.record = rig.open_record()
            rig.raise_to_1(self.record)
        elif number == 1:
            rig.pd.trigger("PDBA001", "Replication lag")
            rig.comment(self.record, "second floor too")
        elif number == 2:
            rig.pd.acknowledge(self.incident, by=JANE)
            rig.pd.annotate(self.incident, "on my way", by=JANE)
        elif number == 3:
            rig.comment(self.record, "thanks")
        else:
            rig.pd.resolve(self.incident, by=JANE)

    def is_over(self):
        try:
            check(self.rig)
        except AssertionError:
            return False
        return True


def check(rig):
    """Everything exists, and nothing twice."""
    incidents = {x["title"].split(": ")[-1]: x for x in rig.incidents()}
    records = {x[f"{P}shortDescription__c"]: x["Id"] for x in rig.sf.rows(INCIDENT)}
    assert len(rig.incidents()) == len(rig.sf.rows(INCIDENT)) == 2
    assert set(incidents) == set(records) == {"Core switch down", "Replication lag"}
    page, record = incidents["Core switch down"]["id"], records["Core switch down"]
    assert rig.pd.incident(page)["status"] == "resolved"
    assert rig.status_of(record) == "CLOSED"
    assert sorted(rig.notes_of(page)) == sorted(
        ["on my way", "[Raj Patel] second floor too", "[Raj Patel] thanks"]
    )
    assert sorted(rig.comments_of(record)) == sorted(
        ["second floor too", "thanks", "[PagerDuty - Jane Doe] on my way"]
    )


async def check_state(daemon):
    """The daemon's own state fits: both are linked, nothing waits, nothing failed."""
    assert len(await daemon.links()) == 2
    assert await daemon.dead_letters() == []
    outcomes = await daemon.outcomes()
    assert not [key for key in outcomes if key.endswith(("pending", "in_flight"))], outcomes
    assert outcomes["pagerduty.create_incident delivered"] == 1
