"""Actions: how each kind is declared, what a rule decided, and what its handler receives."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec import Struct

from pagerforce.model.event import CommentText
from pagerforce.model.ids import ActionId, EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import Incident, Person
from pagerforce.model.record import Record
from pagerforce.model.value import Fields, Json


class ParamKind(StrEnum):
    """How an argument of an action may be written in a rule."""

    TEXT = "text"  # a Jinja2 template that renders to text
    VALUE = "value"  # a template, or a plain TOML value that keeps its type
    LIST = "list"  # a list of templates
    FIELDS = "fields"  # a table of field = value or { lookup = { ... } }
    LOOKUP = "lookup"  # a table of field = value
    CHOICE = "choice"  # one of a few words
    NAME = "name"  # a plain word that is not a template, e.g. a field's name


class Thing(StrEnum):
    """What an argument may identify in PagerDuty, by name or id. The value is for people."""

    SERVICE = "service"
    ESCALATION_POLICY = "escalation policy"
    PRIORITY = "priority"
    WORKFLOW = "workflow"
    RESPONSE_PLAY = "response play"
    USER = "user"


class Param(Struct, frozen=True):
    """One argument of an action."""

    name: str
    kind: ParamKind = ParamKind.TEXT
    required: bool = False
    choices: tuple[str, ...] = ()
    default: Json = None
    doc: str = ""
    names: Thing | None = None


OVERTAKEN = "the record has changed meanwhile: the rule's conditions no longer hold"


class TargetKind(StrEnum):
    """What an action acts on (docs/reference/rules.md, "Actions")."""

    INCIDENT = "incident"  # a linked incident (open ones only), or the incident itself
    INCIDENT_ANY = "incident_any"  # as above, resolved ones too
    NEW_INCIDENT = "new_incident"
    RECORD = "record"  # a linked record of the rule's object, or the record itself
    NEW_RECORD = "new_record"  # of the argument ``object``, with the argument ``fields``


class Gap(Struct, frozen=True):
    """A value of an incident that differs from what an action sets. ``name``: for people."""

    name: str
    now: Json
    wanted: Json


class IncidentState(Struct, frozen=True):
    """A state of an incident. ``gap``: the difference to it, given the arguments; None: none."""

    gap: Callable[[Incident, Mapping[str, Json]], Gap | None]


class FieldState(Struct, frozen=True):
    """A field of a record. ``param``: the argument that names it."""

    param: str


class Cost(Struct, frozen=True):
    """What an action uses of the limits of its side.

    Attributes:
        calls: API calls, including those before and after the write.
        calls_for_key: additional calls if the record's object has an external id.
        entries: log entries that it leaves in PagerDuty.
    """

    calls: int = 1
    calls_for_key: int = 0
    entries: int = 0


class Purpose(StrEnum):
    """What the daemon does without a rule; exactly one action declares each."""

    NOTE = "note"  # on an incident: a comment's text, or a merge
    COMMENT = "comment"  # on a record: a note's text
    RESOLVE = "resolve"  # an incident ends with its record: on_delete = "resolve"


class ActionSpec(Struct, frozen=True):
    """The properties of one kind of action, except its delivery, which its handler knows.

    Attributes:
        do: the word in the configuration, e.g. ``pagerduty.add_note``.
        exactly_one_of: groups of parameters; exactly one of each group must be given.
        at_most_one_of: groups of parameters; at most one of each group may be given.
        is_repeatable: False if a lost answer leaves nothing to search for; it is then sent at most
            once (docs/guarantees.md, 2).
        is_page: delivered before all other waiting actions.
        batch_size: how many actions of different links one request can carry.
        patience_seconds: how long, in a burst, an action waits for others to share its request.
        is_grouped: consecutive actions of one event on one record become one write.
        sets: the state that it sets, if that can be compared with the current state; a page or a
            text sets none.
        undone_by: words of the actions that make it pointless while it waits.
        answered_by: types of events that may be somebody's answer to it; they show a loop of
            rules. A field is answered by its next change.
        is_open_to_doubt: after a lost answer the search for its trace may find nothing certain.
        cost: the calls and entries that ``check --plan`` counts.
        purpose: what it does without a rule.
    """

    do: str
    side: Side
    target: TargetKind
    params: tuple[Param, ...]
    doc: str
    exactly_one_of: tuple[tuple[str, ...], ...] = ()
    at_most_one_of: tuple[tuple[str, ...], ...] = ()
    is_repeatable: bool = True
    is_page: bool = False
    batch_size: int = 1
    patience_seconds: float = 5.0
    is_grouped: bool = False
    sets: IncidentState | FieldState | None = None
    undone_by: frozenset[str] = frozenset()
    answered_by: frozenset[str] = frozenset()
    is_open_to_doubt: bool = False
    cost: Cost = Cost()
    purpose: Purpose | None = None

    @property
    def sets_field(self) -> bool:
        """Whether it sets a field of a record."""
        return isinstance(self.sets, FieldState)

    def field_in(self, args: Mapping[str, Json]) -> str | None:
        """The field that it sets with these arguments; None if it sets none."""
        name = args.get(self.sets.param) if isinstance(self.sets, FieldState) else None
        return name if isinstance(name, str) else None


Specs = Mapping[str, ActionSpec]
"""The catalog of actions by their words."""


def spec_for(purpose: Purpose, specs: Iterable[ActionSpec]) -> ActionSpec:
    """The action that declares this purpose.

    Raises:
        LookupError: no action declares it.
    """
    for spec in specs:
        if spec.purpose is purpose:
            return spec
    raise LookupError(f"no action is declared for {purpose}")


class ActionCall(Struct, frozen=True):
    """An action as written in a rule: its kind, and its arguments before rendering."""

    spec: ActionSpec
    args: Mapping[str, Json] = msgspec.field(default_factory=dict)

    @property
    def do(self) -> str:
        """Its word."""
        return self.spec.do


class Rendered(Struct, frozen=True):
    """An action's arguments after every template was rendered."""

    args: Mapping[str, Json]


class Deferred(Struct, frozen=True):
    """The arguments need the other side, and nothing is linked there yet: render on delivery."""


class Unrenderable(Struct, frozen=True):
    """A template uses an undefined name, or a map has no entry for a value."""

    reason: str


class Decision(Struct, frozen=True):
    """What a matching rule decided for one event. ``object`` is the rule's object."""

    ruleset: str
    rule: str
    index: int
    object: str
    call: ActionCall
    arguments: Rendered | Deferred | Unrenderable


class Tried(Struct, frozen=True):
    """An attempt with an unknown outcome, in this host's clock.

    Attributes:
        ended: if the API answered it.
        ahead: how far the side's clock was ahead of this host's then; None: not known.
    """

    began: datetime
    ended: datetime | None = None
    ahead: timedelta | None = None


class Rival(Struct, frozen=True):
    """Another action whose answers were lost too.

    Attributes:
        call: its rendered arguments.
        tried: the attempts with an unknown outcome.
    """

    call: Mapping[str, Json]
    tried: tuple[Tried, ...]


class Task(Struct, frozen=True):
    """One delivery: everything a handler needs, resolved and read from the store beforehand.

    Attributes:
        key: deterministic text, the same on every attempt; basis of incident keys and markers.
        calls: the rendered arguments; several only for consecutive ``salesforce.set_field``
            actions of one event on one record, which become one write.
        ids: the action ids, as many as ``calls``.
        object: the rule's object. record_id: the record of the action, the link or the event.
        incident_id: the incident of the action, the link or the event.
        incident / record: current snapshots, for values that the arguments do not give.
        event_record: the record's fields as of the event (Salesforce events).
        is_uncertain: an earlier attempt may have taken effect: search before sending.
        first_attempt_at: start of the first attempt, in this host's clock; None on the first.
        known_ids: notes of the incident or comments of the record that other actions created; a
            search after a lost answer ignores them.
        seen_before: comments of the record, or records of the object, that polls had read as other
            people's before the first attempt.
        tried_elsewhere: other incidents that an earlier attempt may have changed; a merge has
            moved the link since.
        is_overtaken: the reason for the action is gone: search for what an earlier attempt may
            have created, but create nothing new.
        event_place: the event's place within its second.
        tried: the attempts with an unknown outcome.
        rivals: other actions of this kind and object that may have created a row that is not
            known yet.
        doubt_since: after a restore: an action that the restored database does not contain may
            have done this since then; PagerDuty's clock. None: only its own attempts count.
    """

    key: str
    ids: tuple[ActionId, ...]
    do: str
    calls: tuple[Mapping[str, Json], ...]
    event_id: EventId
    event_source: Side
    event_type: str
    event_at: datetime
    actor: Person
    object: str
    incident_id: IncidentId | None
    record_id: RecordId | None
    incident: Incident | None
    record: Record | None
    event_record: Fields | None
    comment: CommentText | None
    attempt: int
    is_uncertain: bool
    first_attempt_at: datetime | None
    now: datetime
    known_ids: frozenset[str] = frozenset()
    seen_before: frozenset[str] = frozenset()
    tried_elsewhere: tuple[IncidentId, ...] = ()
    is_overtaken: bool = False
    doubt_since: datetime | None = None
    event_place: int = 0
    tried: tuple[Tried, ...] = ()
    rivals: tuple[Rival, ...] = ()

    @property
    def earliest_doing_at(self) -> datetime:
        """The earliest time an earlier attempt can have taken effect, as far as clocks agree."""
        if self.doubt_since is None:
            return self.event_at
        return min(self.event_at, self.doubt_since)
