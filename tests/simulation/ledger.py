"""What really happened on both sides, and who did it: the truth that the daemon is held against.

It listens where the sandbox stores things, not to what the daemon says or thinks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import anyio

from pagerforce.sandbox.pagerduty.journal import Entry, Journal
from pagerforce.sandbox.pagerduty.world import PagerDutyWorld
from pagerforce.sandbox.salesforce.store import Row
from pagerforce.sandbox.salesforce.world import SalesforceWorld
from simulation.virtual import START

P = "BMCServiceDesk__"
INCIDENT, HISTORY, STATUS, PRIORITY = (
    f"{P}{name}__c" for name in ("Incident", "IncidentHistory", "Status", "Priority")
)
INTEGRATION = "PINTEG1"
_STAMPS = {"SystemModstamp", "LastModifiedDate", "LastModifiedById", "CreatedDate", "CreatedById"}


class Who(StrEnum):
    """Who did it: people and monitoring, or the daemon through an API."""

    PEOPLE = "people"
    DAEMON = "daemon"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A PagerDuty log entry. ``second``: of simulated time."""

    second: float
    who: Who
    entry: Entry

    @property
    def text(self) -> str:
        """What somebody wrote, of a note's entry."""
        return str(self.entry.channel.get("summary", ""))


@dataclass(frozen=True, slots=True)
class Truth:
    """How PagerDuty shows an incident right after a deed."""

    incident_id: str
    status: str
    assignees: tuple[str, ...]
    priority: str | None


@dataclass(frozen=True, slots=True)
class RowWrite:
    """A version of a Salesforce row. ``changed``: stored fields that are not as before."""

    second: float
    who: Who
    row: Row
    is_new: bool
    changed: Mapping[str, object]
    visible_at: datetime


@dataclass(slots=True)
class Ledger:
    """The two books, in the order in which things happened.

    Attributes:
        who: whose doing everything is that happens now.
        lateness: seconds after which an entry of the daemon's doing becomes visible.
        repeated: texts of the daemon's that somebody wrote again by hand, with its account.
        truths: by the last entry that a deed wrote about an incident.
        on_daemon: called after each thing that the daemon did.
    """

    pd: PagerDutyWorld
    sf: SalesforceWorld
    tell: Callable[[str], None]
    lateness: Callable[[], float] = lambda: 0.0
    on_daemon: Callable[[LogEntry | RowWrite], None] = lambda _: None
    who: Who = Who.PEOPLE
    entries: list[LogEntry] = field(default_factory=list)
    writes: list[RowWrite] = field(default_factory=list)
    daemon_did: int = 0
    repeated: set[str] = field(default_factory=set)
    truths: dict[str, Truth] = field(default_factory=dict)
    _noted: int = 0
    _blurred: set[str] = field(default_factory=set)

    def note_truths(self) -> None:
        """A deed is over: what the API shows of its incidents now is true as of their last entries.

        Not where two deeds of one second look like one assignment to all of them, and not before
        somebody assigns the incident again.
        """
        before, new = self.entries[: self._noted], self.entries[self._noted :]
        self._noted = len(self.entries)
        handed = {_handing_on(made.entry) for made in before}
        joined = {_handing_on(made.entry) for made in new} & handed - {None}
        blurred = {(key[0], key[1]) for key in joined if key is not None}
        for made in before:
            if (made.entry.incident_id, made.entry.created_at) in blurred:
                self.truths.pop(made.entry.id, None)
        self._blurred -= {str(made.entry.incident_id) for made in new if _handing_on(made.entry)}
        self._blurred |= {str(incident_id) for incident_id, _ in blurred}
        for incident_id, entry in {made.entry.incident_id: made.entry for made in new}.items():
            if str(incident_id) in self._blurred:
                continue
            incident = self.pd.state.incidents[str(incident_id)]
            people = tuple(sorted(item.user_id for item in incident.assignments))
            self.truths[entry.id] = Truth(
                incident.id, incident.status, people, incident.priority_id
            )

    def listen(self) -> None:
        """From now on every entry and every row is written down."""
        self.pd.state.journal = _Journal(self)
        store = self.sf.store
        put = store.put

        def stored(rows: Sequence[Row], visible_at: datetime) -> None:
            before = {row.id: store.newest(row.id) for row in rows}
            put(rows, visible_at)
            for row in rows:
                self._stored(row, before[row.id], visible_at)

        # Wrapped here and not offered by the sandbox: nobody else needs it.
        store.put = stored  # type: ignore[method-assign]

    @property
    def last_second(self) -> float:
        """When anything happened last."""
        return max([0.0, *(x[-1].second for x in (self.entries, self.writes) if x)])

    def seconds_hidden(self) -> float:
        """After so many seconds everything is visible, and the two seconds in which clocks differ are over."""
        seen = [made.entry.visible_at for made in self.entries]
        seen += [write.visible_at for write in self.writes]
        last = max(seen, default=START)
        return max((last - START).total_seconds() + 2 - _second(), 0.0)

    def made(self, entry: Entry) -> None:
        found = LogEntry(_second(), self.who, entry)
        self.entries.append(found)
        if self.who is Who.DAEMON:
            entry.visible_at = entry.created_at + timedelta(seconds=self.lateness())
            self.tell(f"  api: {entry.type} on {entry.incident_id}: {found.text or entry.summary}")
            self.daemon_did += 1
            self.on_daemon(found)

    def _stored(self, row: Row, before: Row | None, visible_at: datetime) -> None:
        old = before.values if before is not None else {}
        changed = {
            name: value
            for name, value in row.values.items()
            if name not in _STAMPS and old.get(name) != value
        }
        found = RowWrite(_second(), self.who, row, before is None, changed, visible_at)
        self.writes.append(found)
        if self.who is Who.DAEMON:
            self.tell(f"  api: {_shown(found)}")
            self.daemon_did += 1
            self.on_daemon(found)


class _Journal(Journal):
    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger

    def append(self, entry: Entry) -> Entry:
        super().append(entry)
        self._ledger.made(entry)
        return entry


def _shown(write: RowWrite) -> str:
    shown = {name.removeprefix(P): value for name, value in write.changed.items() if value}
    if write.is_new:
        shown = {k: v for k, v in shown.items() if k in ("note__c", "shortDescription__c")}
    word = "made" if write.is_new else "changed"
    return f"{word} {write.row.object.removeprefix(P)} {write.row.id}: {shown}"


def _second() -> float:
    return anyio.current_time()


def _handing_on(entry: Entry) -> tuple[str | None, datetime, str, str | None, object] | None:
    """What the entries of one assignment share; None for an entry of another kind."""
    if entry.type not in {"assign_log_entry", "escalate_log_entry"}:
        return None
    return (
        entry.incident_id,
        entry.created_at,
        entry.type,
        entry.agent_id,
        entry.channel.get("type"),
    )
