"""The state that the steps of the test incident share: the incident, its log, the findings."""

from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from pagerforce.model.value import Json
from pagerforce.service.verify.entries import (
    Raw,
    agent_of,
    entry_shape,
    incident_shape,
    of_type,
    type_of,
)
from pagerforce.service.verify.findings import Findings, items, texts, word
from pagerforce.service.verify.incidents import TestIncidents

PREFIX = "pagerduty."
_QUIET = frozenset({"notify"})
_INTERFERING = frozenset(
    {"acknowledge", "unacknowledge", "resolve", "escalate", "delegate", "snooze"}
)
Say = Callable[[str], Awaitable[None]]


class Cast(Struct, frozen=True):
    """The users and the policy that take part.

    Attributes:
        ours: ids of the users in whose names pagerforce writes.
        policy_id: another escalation policy to delegate to; ``""`` for none.
        tells_subscribers: whether a status update may be sent.
    """

    ours: frozenset[str]
    policy_id: str = ""
    tells_subscribers: bool = False


class Scene(Struct):
    """One run on one incident.

    Attributes:
        seen: the incident and the new entries after each step.
        id: the incident's; ``""`` before there is one.
        state: the incident as last read.
        log: its entries as far as they were read.
        other: another person to assign to; ``""`` for nobody.
        is_disturbed: another person acted on the incident, which may explain a difference.
    """

    incidents: TestIncidents
    cast: Cast
    findings: Findings
    seen: dict[str, Json] = msgspec.field(default_factory=dict)
    id: str = ""
    state: Raw = msgspec.field(default_factory=dict)
    log: list[Raw] = msgspec.field(default_factory=list)
    other: str = ""
    is_disturbed: bool = False

    async def act(self, name: str, kind: str, **changes: object) -> list[Raw]:
        """Changes the incident; returns the resulting entries."""
        await self.incidents.change(self.id, **changes)
        return await self.after(name, kind)

    async def after(self, name: str, kind: str) -> list[Raw]:
        """Waits for an entry of this type; returns the entries that resulted from a change."""
        new = await self.incidents.wait_for(self.id, kind, self.log)
        await self.look(name, new)
        return new

    async def look(self, name: str, new: list[Raw]) -> None:
        """Reads the incident; stores it and the new entries."""
        self.state = await self.incidents.read(self.id)
        self.keep(name, new)

    def keep(self, name: str, new: list[Raw]) -> None:
        """Stores new entries, and what the report shows of them and of the incident."""
        self.log = [*new, *self.log]
        self.is_disturbed = self.is_disturbed or any(map(self._is_others, new))
        self.seen[name] = {
            "incident": incident_shape(self.state),
            "entries": [entry_shape(entry) for entry in new],
        }

    async def acknowledged_again(self) -> bool:
        """Acknowledges the incident if needed; returns whether it is acknowledged."""
        if not self.is_acknowledged():
            await self.act("acknowledge again", "acknowledge", status="acknowledged")
        return self.is_acknowledged()

    def is_acknowledged(self) -> bool:
        """Whether the incident is acknowledged."""
        return self.state.get("status") == "acknowledged"

    def judge_ended(self, name: str, new: list[Raw], kind: str) -> None:
        """Judges that a step ended the acknowledgement, visible on the incident but in no entry."""
        if not of_type(new, kind):
            self.absent(kind, name)
            return
        status = word(self.state.get("status"))
        count = len(items(self.state.get("acknowledgements")))
        said = len(of_type(new, "unacknowledge"))
        self.judge(
            name,
            "triggered, 0 acknowledgements, 0 unacknowledge entries",
            f"{status}, {count} acknowledgements, {said} unacknowledge entries",
            holds=(status, count, said) == ("triggered", 0, 0),
        )

    def judge_silent(self, name: str, new: list[Raw], allowed: set[str]) -> None:
        """Judges that there is no entry besides these types."""
        others = sorted({type_of(entry) for entry in new} - allowed - _QUIET)
        self.judge(name, "no other entry", texts(others), holds=not others)

    def judge(self, name: str, expected: str, seen: str, *, holds: bool) -> None:
        """Notes a tested belief; a difference does not count if somebody else acted."""
        if self.is_disturbed and not holds:
            self.leave("somebody else acted on the test incident meanwhile: run it again", name)
            return
        self.findings.judge(PREFIX + name, expected, seen, holds=holds)

    def leave(self, reason: str, *names: str) -> None:
        """Notes that beliefs could not be tested."""
        self.findings.leave([PREFIX + name for name in names], reason)

    def absent(self, kind: str, *names: str) -> None:
        """Notes that beliefs could not be tested because an entry did not arrive."""
        seconds = self.incidents.wait_seconds
        self.leave(f"no {kind} entry became visible within {seconds:g} s", *names)

    def _is_others(self, entry: Raw) -> bool:
        kind, agent = agent_of(entry)
        is_act = type_of(entry) in _INTERFERING
        return is_act and kind == "user" and agent not in self.cast.ours


def first(entries: list[Raw]) -> Raw | None:
    """Returns the first entry."""
    return entries[0] if entries else None
