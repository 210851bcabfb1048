"""Pure: one event in its context -> the traces of its rules and the actions to take."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pagerforce.model.action import Decision, Deferred, Purpose, Rendered, Unrenderable
from pagerforce.model.event import Event
from pagerforce.model.ids import ActionId, IncidentId, RecordId, Side
from pagerforce.model.incident import Incident
from pagerforce.model.link import Link, LinkState
from pagerforce.model.outbox import ActionState, BuiltIn, NewAction
from pagerforce.model.record import Record
from pagerforce.model.value import Fields, Json, Scalar
from pagerforce.pipeline.settings import PipelineSettings
from pagerforce.rules.evaluate import NONE_OFF, Facts, RuleBook, RuleTrace
from pagerforce.rules.syntax import conditions_of
from pagerforce.rules.template import TemplateProblem, context_of, render_text


@dataclass(slots=True)
class World:
    """What the store knows about the incidents and records of one batch.

    ``waiting``: incidents and records with actions in the outbox: a link may soon be created.
    ``moved``: links that merges moved away from incidents and records, in their current state.
    """

    incidents: dict[IncidentId, Incident] = field(default_factory=dict)
    records: dict[RecordId, Record] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    moved: dict[str, list[Link]] = field(default_factory=dict)
    _by_member: dict[str, list[Link]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for link in self.links:
            self._note(link)

    def add_link(self, link: Link) -> bool:
        """Adds a link that was just created; False if the two are linked already."""
        known = self._by_member.get(link.incident_id, ())
        if any(other.record_id == link.record_id for other in known):
            return False
        self.links.append(link)
        self._note(link)
        return True

    def move_links(self, source: RecordId, master: RecordId) -> None:
        """Moves links to the record that survives a merge."""
        found = self._by_member.pop(source, [])
        self.links = [link for link in self.links if link.record_id != source]
        for link in found:
            mine = self._by_member[link.incident_id]
            mine[:] = [other for other in mine if other.record_id != source]
        moved = [replace(link, record_id=master) for link in found]
        for link in moved:
            self.add_link(link)
        self.moved[source] = moved

    def _note(self, link: Link) -> None:
        for member in (link.incident_id, link.record_id):
            self._by_member.setdefault(member, []).append(link)

    def links_of(self, event: Event) -> list[Link]:
        """Active and paused links of an event's subject, oldest first."""
        subject = event.incident_id if event.source is Side.PAGERDUTY else event.record_id
        found = self._by_member.get(subject) if subject else None
        found = found or self._moved_before(event)
        return [link for link in found if link.state is not LinkState.INACTIVE]

    def _moved_before(self, event: Event) -> list[Link]:
        """The former links of a merged incident, for events up to its merge, or merged record."""
        if event.source is Side.SALESFORCE:
            record = self.records.get(event.record_id) if event.record_id else None
            is_merged = record is not None and record.merged_into is not None
            return self.moved.get(record.id, []) if record and is_merged else []
        incident = self.incidents.get(event.incident_id) if event.incident_id else None
        if incident is None or not incident.was_merged_after(event.at):
            return []
        return self.moved.get(incident.id, [])


class Ruled(Struct, frozen=True):
    """An event with the results of its rules, ready to be stored.

    ``members``: the incidents and records whose order it keeps. ``matched``: (ruleset, rule) pairs.
    ``errors``: internal errors in single rules or settings; the others still ran.
    """

    event: Event
    members: tuple[str, ...]
    traces: Sequence[Mapping[str, Json]] = ()
    actions: Sequence[NewAction] = ()
    matched: Sequence[tuple[str, str]] = ()
    echo_of: str | None = None
    context: Mapping[str, object] = msgspec.field(default_factory=dict)
    errors: Sequence[Exception] = ()


class Judge(Struct, frozen=True):
    """Applies rules, comment settings and delete settings to events. Pure.

    ``off``: (ruleset, rule) -> why it is switched off.
    """

    book: RuleBook
    maps: Mapping[str, Mapping[str, Scalar]]
    settings: PipelineSettings
    off: Mapping[tuple[str, str], str] = msgspec.field(default_factory=lambda: NONE_OFF)

    def rule(self, event: Event, world: World, now: datetime) -> Ruled:
        """The result of one event."""
        links = world.links_of(event)
        facts = _facts(event, world, links)
        evaluation = self.book.evaluate(facts, now, off=self.off)
        errors = list(evaluation.errors)
        actions = []
        for decide in (
            *(partial(self._decided, event, decision) for decision in evaluation.decisions),
            partial(self._comments, event, facts, world, links),
            partial(self._deletion, event),
            partial(self._merging, event, world, links),
            partial(self._record_merging, event, world, links),
        ):
            try:
                actions += decide()
            except Exception as error:  # noqa: BLE001 (a failing one must not stop the others)
                errors.append(error)
        return Ruled(
            event,
            _members(event, links),
            traces=[show_trace(item) for item in evaluation.traces],
            actions=actions,
            matched=[(t.ruleset, t.rule) for t in evaluation.traces if t.matched],
            context=_context(facts),
            errors=errors,
        )

    def _decided(self, event: Event, decision: Decision) -> list[NewAction]:
        args: Mapping[str, Json] | None = None
        state, reason = ActionState.PENDING, None
        match decision.arguments:
            case Rendered(args=rendered):
                args = rendered
            case Unrenderable(reason=why):
                state = ActionState.DEAD_LETTER
                reason = f"{why}; correct the rule, then retry"
            case Deferred():
                pass
        action = NewAction(
            id=_action_id(event.id, decision.ruleset, decision.rule, decision.index),
            ruleset=decision.ruleset,
            rule=decision.rule,
            position=decision.index,
            do=decision.call.do,
            object=decision.object,
            written=decision.call.args,
            args=args,
            is_page=self.settings.specs[decision.call.do].is_page,
            state=state,
            reason=reason,
        )
        if self._is_merge_unasked(event, decision):
            reason = f"the record was merged, not deleted: its links move to {event.merged_into}"
            return [replace(action, state=ActionState.SKIPPED, reason=reason)]
        return [self._shadowed(action)]

    def _is_merge_unasked(self, event: Event, decision: Decision) -> bool:
        """Whether a rule for deletions matched a merge without testing for one.

        It would resolve an incident while people still work with the surviving record.
        """
        if event.type != "delete" or event.merged_into is None:
            return False
        name = decision.ruleset, decision.rule
        mine = (rule for rule in self.book.rules if (rule.ruleset, rule.name) == name)
        fields = {c.field for rule in mine for c in conditions_of(rule.condition)}
        return not any(field.endswith(".MasterRecordId") for field in fields)

    def _shadowed(self, action: NewAction) -> NewAction:
        if not self.settings.is_shadow or action.state is not ActionState.PENDING:
            return action
        reason = "shadow mode: decided, not carried out"
        return replace(action, state=ActionState.SHADOWED, reason=reason)

    def _comments(
        self, event: Event, facts: Facts, world: World, links: Sequence[Link]
    ) -> list[NewAction]:
        """Copies comments to notes and notes to comments, as set in ``[objects.comments]``."""
        if event.comment is None or event.type not in ("comment", "annotate"):
            return []
        subject = event.record_id or event.incident_id
        found = []
        for name, rules in self.settings.objects.items():
            if rules.comments is None or event.object not in (None, name):
                continue
            is_wanted = subject in world.waiting or any(link.object == name for link in links)
            template = (
                rules.comments.note_template
                if event.source is Side.SALESFORCE
                else rules.comments.comment_template
            )
            if template and is_wanted:
                found.append(self._copy(event, facts, name, template))
        return found

    def _copy(self, event: Event, facts: Facts, name: str, template: str) -> NewAction:
        is_note = event.source is Side.SALESFORCE
        purpose = Purpose.NOTE if is_note else Purpose.COMMENT
        args: Mapping[str, Json] | None = None
        state, reason = ActionState.PENDING, None
        try:
            record = facts.records.get(name) if event.record is None else event.record
            context = context_of(
                event, record, facts.incident or event.incident, linked=name in facts.linked
            )
            args = {"text": render_text(template, context, self.maps)}
        except TemplateProblem as problem:
            state = ActionState.DEAD_LETTER
            reason = f"{problem.reason}; correct the template in [objects.comments], then retry"
        written = {"text": template}
        action = self._built_in(event, BuiltIn.COMMENTS, name, purpose, args, written=written)
        return self._shadowed(replace(action, state=state, reason=reason))

    def _merging(self, event: Event, world: World, links: Sequence[Link]) -> list[NewAction]:
        """A note on the surviving incident reports that links have moved to it."""
        survivor = event.incident.merged_into if event.incident else None
        if event.type != "merge" or survivor is None or event.incident is None or not links:
            return []
        found = (world.records.get(link.record_id) for link in links)
        names = sorted(str(item.fields.get("Name") or item.id) for item in found if item)
        number = f"#{event.incident.number}" if event.incident.number else event.incident.id
        text = f"Incident {number} was merged into this one; linked here now: {', '.join(names)}"
        name, args = links[0].object, {"text": text}
        action = self._built_in(event, BuiltIn.MERGE, name, Purpose.NOTE, args)
        return [self._shadowed(replace(action, target=survivor))]

    def _record_merging(self, event: Event, world: World, links: Sequence[Link]) -> list[NewAction]:
        """A note on each incident whose link has moved to the surviving record."""
        if event.source is not Side.SALESFORCE or event.merged_into is None:
            return []
        name = str((event.record or {}).get("Name") or event.record_id)
        master = world.records.get(event.merged_into)
        other = str((master.fields.get("Name") if master else None) or event.merged_into)
        args = {"text": f"{name} was merged into {other}; linked here now: {other}"}
        note = self._built_in(event, BuiltIn.MERGE, str(event.object), Purpose.NOTE, args)
        incidents = dict.fromkeys(link.incident_id for link in links)
        return [
            self._shadowed(
                replace(
                    note,
                    id=_action_id(event.id, BuiltIn.MERGE, incident_id, index),
                    position=index,
                    target=incident_id,
                )
            )
            for index, incident_id in enumerate(incidents)
        ]

    def _deletion(self, event: Event) -> list[NewAction]:
        rules = self.settings.objects.get(event.object or "")
        if event.type != "delete" or event.merged_into is not None:
            return []  # a merged record continues as another one
        if rules is None or not rules.should_resolve_on_delete:
            return []
        action = self._built_in(event, BuiltIn.ON_DELETE, rules.name, Purpose.RESOLVE, {})
        return [self._shadowed(action)]

    def _built_in(
        self,
        event: Event,
        origin: BuiltIn,
        object_name: str,
        purpose: Purpose,
        args: Mapping[str, Json] | None,
        *,
        written: Mapping[str, Json] | None = None,
    ) -> NewAction:
        """An action that no rule decides."""
        return NewAction(
            id=_action_id(event.id, origin, object_name, 0),
            ruleset=origin.value,
            rule=object_name,
            position=0,
            do=self.settings.word_for(purpose),
            object=object_name,
            written=written or {},
            args=args,
            is_page=False,
        )


def _facts(event: Event, world: World, links: Sequence[Link]) -> Facts:
    """The data for rules besides the event: the other side's last known state."""
    linked = frozenset(link.object for link in links)
    if event.source is Side.SALESFORCE:
        incidents = [
            world.incidents[link.incident_id]
            for link in links
            if link.incident_id in world.incidents
        ]
        # Conditions can use only one incident: of several, the open one.
        incident = next((item for item in incidents if item.is_open), next(iter(incidents), None))
        return Facts(
            event,
            frozenset({event.object}) if links and event.object else frozenset(),
            {},
            incident,
        )
    records: dict[str, Fields] = {}
    for link in links:
        record = world.records.get(link.record_id)
        if record is not None:
            records.setdefault(link.object, record.fields)
    return Facts(event, linked, records, event.incident)


def _context(facts: Facts) -> dict[str, object]:
    """The data for rules besides the event, as it is stored in the journal."""
    context: dict[str, object] = {}
    if facts.linked:
        context["linked"] = sorted(facts.linked)
    if facts.records:
        context["records"] = facts.records
    if facts.incident is not None and facts.event.source is Side.SALESFORCE:
        context["incident"] = facts.incident
    return context


def _members(event: Event, links: Sequence[Link]) -> tuple[str, ...]:
    own = [item for item in (event.incident_id, event.record_id) if item]
    others = [item for link in links for item in (link.incident_id, link.record_id)]
    return tuple(dict.fromkeys([*own, *others]))


def _action_id(event_id: str, ruleset: str, rule: str, index: int) -> ActionId:
    """The id of an action: the same decision on the same event always has the same id."""
    text = "\x1f".join((event_id, ruleset, rule, str(index)))
    return ActionId("a" + hashlib.sha256(text.encode()).hexdigest()[:19])


def show_trace(trace: RuleTrace) -> Mapping[str, Json]:
    """A rule's trace in the form that the command ``log`` shows."""
    return {
        "ruleset": trace.ruleset,
        "rule": trace.rule,
        "matched": trace.matched,
        "reason": trace.reason,
        "conditions": [
            {
                "field": item.field,
                "op": item.op,
                "expected": item.expected,
                "actual": item.actual,
                "result": item.result,
            }
            for item in trace.conditions
        ],
    }
