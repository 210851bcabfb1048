"""What must be true at every moment: checked whenever the daemon writes to a side or to its database."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import anyio
import httpx

from pagerforce.model.ids import Side
from simulation.ledger import HISTORY, INCIDENT, Ledger, LogEntry, P, RowWrite, Who
from simulation.listening import Ask
from simulation.promises import BrokenPromise, Promise

_PART = re.compile(r"\(\d+/\d+\)")
_TOKEN = re.compile(r"\bd\d+\.", re.IGNORECASE)
_INCIDENT_PATH = re.compile(r"/incidents/(\w+)$")
_FORBIDDEN = ("internal_error", "no_heartbeat")
_EARLIER = """
SELECT other.id FROM action JOIN event ON event.seq = action.event_seq
JOIN event AS cause ON cause.record_id = event.record_id OR cause.incident_id = event.incident_id
JOIN action AS other ON other.event_seq = cause.seq
WHERE action.id = ? AND other.state IN ('pending', 'in_flight')
  AND (other.seq, other.part) < (action.seq, action.part)
  AND NOT (other.event_seq = action.event_seq AND other."do" = 'salesforce.set_field'
    AND action."do" = 'salesforce.set_field')
"""
"""Earlier unfinished actions about the same incident or record; lanes, which may join during an attempt,
do not matter here. Fields of one event are one write: a field that already has its value is settled
first."""


def token_in(text: object) -> str | None:
    """The token of the deed that a text comes from; the last one, as copies put words before it."""
    found = _TOKEN.findall(str(text or ""))
    return found[-1].lower() if found else None


def is_repeated(text: str, repeated: Iterable[str]) -> bool:
    """Whether a copy, whole or in parts, has words that somebody repeated with the daemon's account.

    That these are copied once, and not twice, is checked by ``Copies``.
    """
    return token_in(text) in {token_in(item) for item in repeated}


def _now() -> float:
    return anyio.current_time()


@dataclass(slots=True)
class Watch:
    """Raises ``BrokenPromise`` where the promise is broken.

    Attributes:
        raced: incidents that a write of the daemon reopened, because it crossed a resolve.
        known_at: since when the daemon has stored a record. What somebody did to one that the daemon
            created, before it saw it for the first time, is included without an event.
    """

    ledger: Ledger
    pages: dict[str, str] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)
    texts: Counter[tuple[str, str]] = field(default_factory=Counter)
    looked_at: dict[str, float] = field(default_factory=dict)
    raced: dict[str, float] = field(default_factory=dict)
    known_at: dict[str, float] = field(default_factory=dict)
    _delivered: list[str] = field(default_factory=list)
    _seen: list[str] = field(default_factory=list)

    # What the daemon writes to a side --------------------------------------------------------

    def daemon_did(self, thing: LogEntry | RowWrite) -> None:
        if isinstance(thing, LogEntry):
            self._entry(thing)
        elif thing.is_new:
            self._row(thing)

    def _entry(self, made: LogEntry) -> None:
        incident_id = made.entry.incident_id or ""
        if made.entry.type == "trigger_log_entry":
            title = self.ledger.pd.state.incidents[incident_id].title
            record = title.partition(":")[0]
            if record in self.pages:
                text = f"{record} has {self.pages[record]} and now {incident_id}"
                raise BrokenPromise(Promise.NO_SECOND_INCIDENT, text)
            self.pages[record] = incident_id
        elif made.entry.type == "annotate_log_entry":
            self._copied(incident_id, made.text, Promise.NO_SECOND_NOTE)
            self._is_no_echo(made.text, from_side=Side.PAGERDUTY)

    def _row(self, made: RowWrite) -> None:
        values = made.row.values
        if made.row.object == INCIDENT:
            # Each incident has a title of its own, whatever a flow makes of its record's.
            key = str(token_in(values[f"{P}shortDescription__c"]))
            if key in self.records:
                text = f"{key} has {self.records[key]} and now {made.row.id}"
                raise BrokenPromise(Promise.NO_SECOND_RECORD, text)
            self.records[key] = made.row.id
        elif made.row.object == HISTORY:
            text = str(values[f"{P}note__c"])
            self._copied(str(values[f"{P}FKIncident__c"]), text, Promise.NO_SECOND_COMMENT)
            self._is_no_echo(text, from_side=Side.SALESFORCE)

    def _copied(self, parent: str, text: str, promise: Promise) -> None:
        if not any(map(str.isdigit, _PART.sub("", text))):
            return  # a part without a number of its deed, such as an author: several texts have it
        self.texts[parent, text] += 1
        if self.texts[parent, text] > 1:
            raise BrokenPromise(promise, f"{text!r} stands on {parent} again")

    def _is_no_echo(self, text: str, *, from_side: Side) -> None:
        """A copy that is copied back to the side of its author."""
        if is_repeated(text, self.ledger.repeated):
            return
        token = token_in(text)
        wrote = {Side.PAGERDUTY: self._is_note, Side.SALESFORCE: self._is_comment}[from_side]
        if token is not None and wrote(token):
            raise BrokenPromise(Promise.NO_ECHO, f"{text!r} came back to {from_side}")

    def _is_note(self, token: str) -> bool:
        return any(
            item.who is Who.PEOPLE
            and item.entry.type == "annotate_log_entry"
            and item.text.startswith(token)
            for item in self.ledger.entries
        )

    def _is_comment(self, token: str) -> bool:
        return any(
            item.who is Who.PEOPLE
            and item.row.object == HISTORY
            and str(item.row.values[f"{P}note__c"]).startswith(token)
            for item in self.ledger.writes
        )

    # What the daemon asks a side for ----------------------------------------------------------

    def request(self, side: Side, request: httpx.Request) -> Callable[[], None]:
        """Called right before a side handles a request; its return value is called right after."""
        found = _INCIDENT_PATH.search(request.url.path)
        incident = self.ledger.pd.state.incidents.get(found[1]) if found else None
        if side is Side.SALESFORCE or incident is None:
            return lambda: None
        if request.method == "GET":
            self.looked_at[incident.id] = _now()
            return lambda: None
        was_open = incident.is_open

        def after() -> None:
            if not was_open and incident.is_open:
                self._reopened(incident.id)

        return after

    def _reopened(self, incident_id: str) -> None:
        """Allowed only if somebody resolved it after the daemon's last read: there is no ETag."""
        resolved = [
            item.second
            for item in self.ledger.entries
            if item.entry.incident_id == incident_id and item.entry.type == "resolve_log_entry"
        ]
        if resolved[-1] <= self.looked_at.get(incident_id, 0.0):
            raise BrokenPromise(Promise.NO_REOPEN, f"{incident_id} was open no more")
        self.raced[incident_id] = _now()
        self.ledger.tell(f"  watch: {incident_id} was reopened by a write that crossed a resolve")

    # What the daemon writes to its database -------------------------------------------------

    def statement(self, sql: str, values: Sequence[object], ask: Ask) -> None:
        """White-box on purpose: the only place where the order of deliveries can be seen."""
        if sql.startswith("UPDATE action SET state = ?, reason") and values[0] == "delivered":
            self._delivered.append(str(values[-1]))
        elif sql.startswith("INSERT INTO record "):
            self._seen.append(str(values[0]))
        elif sql == "ROLLBACK":
            self.died()
        elif sql == "COMMIT":
            for record_id in self._seen:
                self.known_at.setdefault(record_id, _now())
            self._seen.clear()
            delivered, self._delivered = self._delivered, []
            for action_id in delivered:
                earlier = [row[0] for row in ask(_EARLIER, (action_id,))]
                if earlier:
                    text = f"{action_id} was delivered before {', '.join(earlier)}"
                    raise BrokenPromise(Promise.IN_ORDER, text)

    def died(self) -> None:
        """Uncommitted data never existed."""
        self._delivered.clear()
        self._seen.clear()

    def logged(self, name: str, shown: str) -> None:
        """An internal error that the daemon contained is a failure too."""
        if name in _FORBIDDEN or "internal error" in shown:
            raise BrokenPromise(Promise.CONTAINED, f"{name} {shown}")
