"""Actions: how each kind is declared, what a rule decided, and what delivery is given to do."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pagerforce.model.event import CommentText
from pagerforce.model.ids import ActionId, EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import Incident, Person
from pagerforce.model.record import Record
from pagerforce.model.value import Fields, Json


class ParamKind(StrEnum):
    """What an argument of an action may be written as in a rule."""

    TEXT = "text"  # a Jinja2 template that renders to text
    VALUE = "value"  # a template, or a plain TOML value that keeps its type
    LIST = "list"  # a list of templates
    FIELDS = "fields"  # a table of field = value or { lookup = { ... } }
    LOOKUP = "lookup"  # a table of field = value
    CHOICE = "choice"  # one of a few words
    NAME = "name"  # a plain word that is not a template, e.g. a field's name


class Thing(StrEnum):
    """What an argument may name, by name or id, to be found in PagerDuty. The value is for people."""

    SERVICE = "service"
    ESCALATION_POLICY = "escalation policy"
    PRIORITY = "priority"
    WORKFLOW = "workflow"
    RESPONSE_PLAY = "response play"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Param:
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


@dataclass(frozen=True, slots=True)
class Gap:
    """What an incident has instead of what an action sets. ``name``: of the field, for people."""

    name: str
    now: Json
    wanted: Json


@dataclass(frozen=True, slots=True)
class IncidentState:
    """A state of an incident. ``gap``: how one is not in it, given the arguments; None: it is."""

    gap: Callable[[Incident, Mapping[str, Json]], Gap | None]


@dataclass(frozen=True, slots=True)
class FieldState:
    """A field of a record. ``param``: the argument that names it."""

    param: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What an action takes of its side's limits.

    Attributes:
        calls: API calls, those before and after the write included.
        calls_for_key: more of them where the record's object has an external id.
        entries: log entries that it leaves in PagerDuty.
    """

    calls: int = 1
    calls_for_key: int = 0
    entries: int = 0


class Errand(StrEnum):
    """What the daemon has done of its own accord, by the one action that says so."""

    NOTE = "note"  # on an incident: a comment's text, or a merge
    COMMENT = "comment"  # on a record: a note's text
    RESOLVE = "resolve"  # an incident ends with its record: on_delete = "resolve"


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """All there is to know of one kind of action but how it is delivered, which its handler knows.

    Attributes:
        do: the word in the configuration, e.g. ``pagerduty.add_note``.
        exactly_one_of: groups of parameters of which one, and only one, must be given.
        at_most_one_of: groups of parameters of which no two may be given.
        is_repeatable: False where nothing can be looked for after a lost answer, so that it is sent
            at most once (docs/guarantees.md, 2).
        is_page: delivered before anything else that waits.
        batch_size: how many of them, of different links, one request can carry.
        patience_seconds: how long, in a burst, one waits for others to share its request.
        is_grouped: those of one event on one record that follow each other are one write.
        sets: the state that it sets, where it can be compared with what there is; what is about a
            moment, such as a page or a text, sets none.
        undone_by: words of the actions that make it pointless while it waits.
        answered_by: types of the events that may be somebody's answer to it, by which a circle of
            rules is noticed. A field is answered by its next change.
        is_open_to_doubt: after a lost answer its trace is looked for among others', and may stay
            unknown.
        cost: what ``check --plan`` reckons with.
        errand: what it does without any rule.
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
    errand: Errand | None = None

    @property
    def sets_field(self) -> bool:
        """Whether it sets a field of a record."""
        return isinstance(self.sets, FieldState)

    def field_in(self, args: Mapping[str, Json]) -> str | None:
        """The field that it sets with these arguments; None where it sets none."""
        name = args.get(self.sets.param) if isinstance(self.sets, FieldState) else None
        return name if isinstance(name, str) else None


Specs = Mapping[str, ActionSpec]
"""The catalog of actions by their words."""


def spec_for(errand: Errand, specs: Iterable[ActionSpec]) -> ActionSpec:
    """The action by which an errand is done.

    Raises:
        LookupError: none says so.
    """
    for spec in specs:
        if spec.errand is errand:
            return spec
    raise LookupError(f"no action is declared for {errand}")


@dataclass(frozen=True, slots=True)
class ActionCall:
    """An action as it stands in a rule: what it is, and its arguments, not yet rendered."""

    spec: ActionSpec
    args: Mapping[str, Json] = field(default_factory=dict)

    @property
    def do(self) -> str:
        """Its word."""
        return self.spec.do


@dataclass(frozen=True, slots=True)
class Rendered:
    """An action's arguments with every template filled in."""

    args: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Deferred:
    """The arguments speak of the other side, to which nothing is linked yet: render on delivery."""


@dataclass(frozen=True, slots=True)
class Unrenderable:
    """A template met a name that is undefined, or a map met a value it does not hold."""

    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a matching rule wants done for one event. ``object`` is the rule's object."""

    ruleset: str
    rule: str
    index: int
    object: str
    call: ActionCall
    arguments: Rendered | Deferred | Unrenderable


@dataclass(frozen=True, slots=True)
class Rival:
    """Another action whose answers were lost as well.

    Attributes:
        call: its rendered arguments.
        tried_at: when the attempts began whose outcome is unknown, in this host's clock.
    """

    call: Mapping[str, Json]
    tried_at: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One delivery: what a handler needs to know, resolved and read from the store beforehand.

    Attributes:
        key: deterministic text, the same on every attempt; basis of incident keys and markers.
        calls: the rendered arguments; several only for consecutive ``salesforce.set_field`` of one
            event on one record, which go out as one write.
        ids: the action ids, as many as ``calls``.
        object: the rule's object. record_id: the record acted on (or linked, or that caused it).
        incident_id: the incident acted on (or linked, or that caused it).
        incident / record: snapshots of the present, for what arguments do not say.
        event_record: the record's fields as of the event (Salesforce events).
        is_uncertain: an earlier attempt may have taken effect: look before sending.
        first_attempt_at: when the first attempt began, in this host's clock; None on the first.
        known_ids: notes of the incident / comments of the record that other actions of ours made, so
            that a search after a lost answer never takes one of those for its own.
        seen_before: comments of the record, or records of the object, that polls had read as somebody's
            before the first attempt began.
        tried_elsewhere: other incidents on which an earlier attempt may have had effect; the link
            has moved since, by a merge.
        is_overtaken: the reason for it is gone by now: find what an earlier attempt may have made,
            make nothing new.
        event_place: the event's place within its second.
        tried_at: when the attempts began whose outcome is unknown, in this host's clock.
        rivals: other actions of this kind and object that may have made a row of which nothing is
            known yet.
        doubt_since: after a restore: what this does may have been done since then, by an action that
            nothing remembers; in PagerDuty's clock. None: its own attempts are all there is.
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
    tried_at: tuple[datetime, ...] = ()
    rivals: tuple[Rival, ...] = ()

    @property
    def earliest_doing_at(self) -> datetime:
        """Not before then can an earlier attempt have had effect, as far as the clocks agree."""
        if self.doubt_since is None:
            return self.event_at
        return min(self.event_at, self.doubt_since)
