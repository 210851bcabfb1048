"""Fills the worlds with the data of an outage. The same number gives the same data."""

from dataclasses import replace
from datetime import datetime, timedelta

from bench.stage import Worlds
from pagerforce.sandbox.pagerduty.journal import Entry
from pagerforce.sandbox.salesforce.ids import make_id
from pagerforce.sandbox.salesforce.remedyforce import INCIDENT, api_name
from pagerforce.sandbox.salesforce.store import Row

P = "BMCServiceDesk__"
FIELDS = (
    "Name",
    f"{P}shortDescription__c",
    f"{P}incidentDescription__c",
    f"{P}incidentResolution__c",
    f"{P}note__c",
    f"{P}state__c",
    f"{P}inactive__c",
    f"{P}FKStatus__c",
    f"{P}FKStatus__r.Name",
    f"{P}FKCategory__c",
    f"{P}FKCategory__r.Name",
    f"{P}FKPriority__c",
    f"{P}FKPriority__r.Name",
    f"{P}contactType__c",
    f"{P}openDateTime__c",
    f"{P}dueDateTime__c",
    f"{P}queueName__c",
    f"{P}UpdateCount__c",
    f"{P}Event_ID__c",
    "OwnerId",
)
"""Twenty fields of a record that the daemon is configured to read."""

_SERIAL = 50_000
_TOGETHER = 10  # entries of one incident follow each other, like escalations and people's acts
KINDS = ("notify", "annotate", "escalate", "assign", "unacknowledge", "notify", "annotate")


def record_ids(count: int) -> list[str]:
    """The Ids of the filled records, in their order."""
    return [make_id("a0R", _SERIAL + number) for number in range(count)]


def fill_records(worlds: Worlds, count: int) -> None:
    """Records from before the outage, a minute old."""
    made = worlds.salesforce.insert(
        INCIDENT,
        {
            api_name("shortDescription"): "Core switch down",
            api_name("incidentDescription"): "The core switch does not answer. " * 6,
            api_name("FKCategory"): worlds.salesforce.find_id(f"{P}Category__c", Name="Network"),
            api_name("FKPriority"): worlds.salesforce.find_id(f"{P}Priority__c", Name="3"),
            api_name("FKStatus"): worlds.salesforce.find_id(f"{P}Status__c", Name="NEW"),
        },
    )
    model = worlds.salesforce.store.find(made)
    if model is None:
        raise LookupError(made)
    now = worlds.salesforce.now() - timedelta(minutes=1)
    stamps = dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), now)
    rows = [
        Row(
            INCIDENT,
            row_id,
            {
                **model.values,
                **stamps,
                "Id": row_id,
                "Name": f"{number:08d}",
                api_name("shortDescription"): f"Core switch {number} down",
            },
        )
        for number, row_id in enumerate(record_ids(count))
    ]
    worlds.salesforce.store.put(rows, now)


def change_records(
    worlds: Worlds, count: int, begin: datetime, end: datetime, closed: int = 0
) -> None:
    """A newer version of each, spread evenly over the outage; ``closed`` of them are closed."""
    store = worlds.salesforce.store
    status = worlds.salesforce.find_id(f"{P}Status__c", Name="CLOSED")
    every = count // closed if closed else count + 1
    rows = []
    for number, row_id in enumerate(record_ids(count)):
        row = store.find(row_id)
        if row is None:
            raise LookupError(row_id)
        at = (begin + (end - begin) * (number / count)).replace(microsecond=0)
        values = {
            **row.values,
            "LastModifiedDate": at,
            "SystemModstamp": at,
            api_name("UpdateCount"): 1.0,
            api_name("note"): f"looked at again, for the {number}th time",
        }
        if number % every == every - 1:
            values[api_name("FKStatus")] = status
        rows.append(Row(INCIDENT, row_id, values))
    store.put(rows, begin)


def fill_incidents(worlds: Worlds, count: int, until: datetime | None = None) -> list[str]:
    """Opens incidents; returns their ids. One after the other up to ``until``; without it all at once."""
    clock, begin = worlds.clock, worlds.clock.now()
    made = []
    for number in range(count):
        if until is not None:
            clock.held = begin + (until - begin) * (number / count)
        made.append(worlds.pagerduty.trigger("PNET001", f"Core switch {number} down"))
    if until is not None:
        clock.held = until
    return [str(incident["id"]) for incident in made]


def fill_entries(
    worlds: Worlds,
    count: int,
    incidents: list[str],
    begin: datetime,
    end: datetime,
    acknowledged: int = 0,
) -> None:
    """Entries of all kinds, spread evenly over the outage; some are acknowledgements."""
    state = worlds.pagerduty.state
    models = _models(worlds)
    every = count // acknowledged if acknowledged else count + 1
    for number in range(count):
        at = (begin + (end - begin) * (number / count)).replace(microsecond=0)
        is_news = number % every == every - 1
        kind = "acknowledge" if is_news else KINDS[number % len(KINDS)]
        place = number // every if is_news else number // _TOGETHER
        incident_id = incidents[place % len(incidents)]
        entry = replace(
            models[kind],
            id=f"R{number:025d}",
            incident_id=incident_id,
            created_at=at,
            visible_at=at,
        )
        state.journal.append(entry)


def _models(worlds: Worlds) -> dict[str, Entry]:
    """An entry of each kind, as the account itself writes it, about an incident of its own."""
    pagerduty = worlds.pagerduty
    other = str(pagerduty.trigger("PNET001", "A model")["id"])
    pagerduty.notify(other, "PJANE01")
    pagerduty.annotate(other, "Looking into it, the line card may be broken", by="PJANE01")
    pagerduty.acknowledge(other, by="PJANE01")
    pagerduty.unacknowledge(other)
    pagerduty.escalate(other, by="PJANE01")
    pagerduty.reassign(other, ["PJANE01"], by="PSAMLE1")
    pagerduty.resolve(other, by="PJANE01")
    entries = [x for x in pagerduty.state.journal.entries.values() if x.incident_id == other]
    return {x.type.removesuffix("_log_entry"): x for x in entries}
