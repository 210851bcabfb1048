"""An action on its way: decided, stored, attempted, settled."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from pagerforce.model.ids import ActionId
from pagerforce.model.value import Json

DOUBT = "doubt"
"""Verdict of an attempt that searched for the effect of an earlier one without a clear result."""


class ActionState(StrEnum):
    """The state of an action in the outbox."""

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    SKIPPED = "skipped"
    DEAD_LETTER = "dead_letter"
    SHADOWED = "shadowed"
    DISCARDED = "discarded"


class BuiltIn(StrEnum):
    """The origin of an action without a rule: stored and shown in the place of its ruleset."""

    COMMENTS = "(comments)"  # [objects.comments]
    MERGE = "(merge)"  # the note that reports a merge
    ON_DELETE = "(on_delete)"  # on_delete = "resolve"


class NewAction(Struct, frozen=True):
    """An action that is not stored yet.

    ``ruleset``: of its rule, or a ``BuiltIn``. ``args`` None: rendered on delivery. ``target`` None:
    resolved then.
    """

    id: ActionId
    ruleset: str
    rule: str
    position: int
    do: str
    object: str
    written: Mapping[str, Json]
    args: Mapping[str, Json] | None
    is_page: bool
    state: ActionState = ActionState.PENDING
    reason: str | None = None
    target: str | None = None


_TRIES_TOGETHER = 2


class Action(Struct, frozen=True):
    """A stored action."""

    id: ActionId
    seq: int
    part: int
    event_seq: int
    ruleset: str
    rule: str
    position: int
    do: str
    object: str
    written: Mapping[str, Json]
    args: Mapping[str, Json] | None
    lane: str
    is_page: bool
    target: str | None
    state: ActionState
    reason: str | None
    attempts: int
    is_uncertain: bool
    first_attempt_at: datetime | None
    incident_id: str | None
    record_id: str | None
    created_at: datetime
    depth: int
    doubt_since: datetime | None = None
    retried_at: datetime | None = None

    @property
    def is_copy(self) -> bool:
        """Whether it copies a comment or note, as ``[objects.comments]`` says."""
        return self.ruleset == BuiltIn.COMMENTS

    @property
    def goes_alone(self) -> bool:
        """Whether it shares no request: it failed twice, or an attempt may have had effect."""
        return self.attempts >= _TRIES_TOGETHER or self.is_uncertain


class Origin(Struct, frozen=True):
    """The cause of actions.

    Attributes:
        depth: length of the chain of pagerforce's own actions that led to them.
        doubt_since: they may have been carried out already, at this time or later
            (store/restored.py).
    """

    depth: int = 1
    doubt_since: datetime | None = None


FRESH = Origin()


class Settlement(Struct, frozen=True):
    """The result of an attempt. ``next_at`` is set if the action stays in the outbox.

    ``requests``: the requests of the attempt, each as (system, operation, answer). ``is_answered``: its
    effect is unknown, but it had ended.
    """

    state: ActionState
    verdict: str
    reason: str
    next_at: datetime | None = None
    is_uncertain: bool = False
    incident_id: str | None = None
    record_id: str | None = None
    requests: Sequence[Sequence[str]] = ()
    is_answered: bool = False


class Done(Struct, frozen=True):
    """A delivered action, as far as its consequences matter.

    ``event_at``: time of its event, in the clock of the event's side.
    """

    id: str
    do: str
    ruleset: str
    rule: str
    args: Mapping[str, Json]
    record_id: str | None
    incident_id: str | None
    finished_at: datetime
    depth: int
    event_at: datetime
