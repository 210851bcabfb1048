"""The test incident as its steps share it: what it is like, what its log says, what was found."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part besides us.

    Attributes:
        ours: ids of the users whom we write as.
        policy_id: another escalation policy to hand the incident to; ``""`` for none.
        tells_subscribers: whether a status update may be sent.
    """

    ours: frozenset[str]
    policy_id: str = ""
    tells_subscribers: bool = False


@dataclass(slots=True)
class Scene:
    """One run on one incident.

    Attributes:
        seen: of each step the shapes of the incident and of the new entries.
        id: the incident's; ``""`` before there is one.
        state: the incident as last read.
        log: its entries as far as they were read.
        other: somebody besides us to assign to; ``""`` for nobody.
        is_disturbed: a person acted on the incident: what does not fit then may be their doing.
    """

    incidents: TestIncidents
    cast: Cast
    findings: Findings
    seen: dict[str, Json] = field(default_factory=dict)
    id: str = ""
    state: Raw = field(default_factory=dict)
    log: list[Raw] = field(default_factory=list)
    other: str = ""
    is_disturbed: bool = False

    async def act(self, name: str, kind: str, **changes: object) -> list[Raw]:
        """Changes the incident; gives the entries that came of it."""
        await self.incidents.change(self.id, **changes)
        return await self.after(name, kind)

    async def after(self, name: str, kind: str) -> list[Raw]:
        """The entries that came of a change, once one of this type is there."""
        new = await self.incidents.wait_for(self.id, kind, self.log)
        await self.look(name, new)
        return new

    async def look(self, name: str, new: list[Raw]) -> None:
        """Reads the incident and keeps it and the new entries."""
        self.state = await self.incidents.read(self.id)
        self.keep(name, new)

    def keep(self, name: str, new: list[Raw]) -> None:
        """Keeps new entries, and the shapes of what is there."""
        self.log = [*new, *self.log]
        self.is_disturbed = self.is_disturbed or any(map(self._is_others, new))
        self.seen[name] = {
            "incident": incident_shape(self.state),
            "entries": [entry_shape(entry) for entry in new],
        }

    async def acknowledged_again(self) -> bool:
        """Whether the incident is acknowledged, after an attempt to."""
        if not self.is_acknowledged():
            await self.act("acknowledge again", "acknowledge", status="acknowledged")
        return self.is_acknowledged()

    def is_acknowledged(self) -> bool:
        """Whether the incident is acknowledged."""
        return self.state.get("status") == "acknowledged"

    def judge_ended(self, name: str, new: list[Raw], kind: str) -> None:
        """An act ended the acknowledgement: the incident says so, and no entry."""
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
        """Besides these types no entry came."""
        others = sorted({type_of(entry) for entry in new} - allowed - _QUIET)
        self.judge(name, "no other entry", texts(others), holds=not others)

    def judge(self, name: str, expected: str, seen: str, *, holds: bool) -> None:
        """A belief was tried; what does not fit says nothing where somebody else acted."""
        if self.is_disturbed and not holds:
            self.leave("somebody else acted on the test incident meanwhile: run it again", name)
            return
        self.findings.judge(PREFIX + name, expected, seen, holds=holds)

    def leave(self, reason: str, *names: str) -> None:
        """Beliefs could not be tried."""
        self.findings.leave([PREFIX + name for name in names], reason)

    def absent(self, kind: str, *names: str) -> None:
        """Beliefs could not be tried: an entry did not come."""
        seconds = self.incidents.wait_seconds
        self.leave(f"no {kind} entry became visible within {seconds:g} s", *names)

    def _is_others(self, entry: Raw) -> bool:
        kind, agent = agent_of(entry)
        is_act = type_of(entry) in _INTERFERING
        return is_act and kind == "user" and agent not in self.cast.ours


def first(entries: list[Raw]) -> Raw | None:
    """The first of them."""
    return entries[0] if entries else None
