"""The facts about the two vendors that the code relies on. Pure data.

Each fact has a name that never changes. Code, tests, logs and ``pagerforce verify`` cite it by that
name, so that an observation in the field points to the wrong belief. ``docs/reference/beliefs.md``
shows the table.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from pagerforce.model.ids import Side


class Certainty(StrEnum):
    """The source of a belief.

    ``DOCUMENTED``: the vendor says so. ``RECORDED``: answers of a real account show it. ``BELIEVED``:
    neither; it follows from one of them, or people who use the API report it.
    """

    DOCUMENTED = "documented"
    RECORDED = "recorded"
    BELIEVED = "believed"


class Belief(Struct, frozen=True):
    """One fact about a vendor that code depends on.

    Attributes:
        name: the side and a few words, e.g. ``pagerduty.whole-seconds``.
        says: the fact, in one sentence.
        relied_on_by: modules below ``pagerforce`` that would be wrong without it.
        untried: why ``verify`` cannot test it; ``""`` if it does.
    """

    name: str
    says: str
    certainty: Certainty
    relied_on_by: tuple[str, ...]
    untried: str = ""

    @property
    def side(self) -> Side:
        """The vendor of the fact."""
        return Side(self.name.partition(".")[0])


_D, _R, _B = Certainty.DOCUMENTED, Certainty.RECORDED, Certainty.BELIEVED

_PAGERDUTY = (
    Belief(
        "pagerduty.incident-key-refused-while-open",
        "A second incident with the key of an open one on the same service is refused with 400.",
        _D,
        ("pagerduty.refusals", "pagerduty.actions.create_incident"),
    ),
    Belief(
        "pagerduty.incident-found-by-key",
        "The list of incidents, filtered by an incident's key, finds it and shows the key.",
        _D,
        ("pagerduty.actions.create_incident", "pagerduty.actions.lost_page"),
    ),
    Belief(
        "pagerduty.rest-trigger-summary",
        "The first entry of an incident created by REST says: triggered through the website.",
        _R,
        ("pagerduty.decode",),
    ),
    Belief(
        "pagerduty.own-entries-bear-writer",
        "The agent of an entry that pagerforce caused is the user whom pagerforce writes as.",
        _R,
        ("own_writes.matching", "pipeline.entries"),
    ),
    Belief(
        "pagerduty.whole-seconds",
        "The times of incidents and log entries have whole seconds.",
        _R,
        ("diff.fold", "pagerduty.source", "pipeline.entries"),
    ),
    Belief(
        "pagerduty.newest-first-within-second",
        "A list of log entries is newest first, also within one second.",
        _R,
        ("pagerduty.entries", "pipeline.entries"),
    ),
    Belief(
        "pagerduty.policy-assigns-by-service",
        "The people whom the policy calls at the trigger have assign entries by the service,"
        " channel auto.",
        _R,
        ("diff.acts",),
    ),
    Belief(
        "pagerduty.one-entry-per-target",
        "Each person to whom an incident is assigned at once has an assign entry of their own.",
        _R,
        ("diff.acts", "diff.fold"),
    ),
    Belief(
        "pagerduty.acknowledge-assigns-to-writer",
        "An acknowledge by REST assigns the incident to the user who writes it.",
        _B,
        ("pagerduty.actions.acknowledge",),
    ),
    Belief(
        "pagerduty.acknowledge-with-assignments-keeps-both",
        "An acknowledge by REST that is written together with assignments leaves the incident"
        " acknowledged and assigned to the given people.",
        _B,
        ("pagerduty.actions.acknowledge",),
    ),
    Belief(
        "pagerduty.service-assigns-beside-acknowledge",
        "An acknowledge that changes the assignee is accompanied, in the same second, by an assign"
        " entry of the service, channel auto.",
        _R,
        ("own_writes.whose", "diff.acts"),
    ),
    Belief(
        "pagerduty.service-assign-keeps-status",
        "An assign entry of the service, channel auto, changes no status.",
        _R,
        ("diff.fold",),
    ),
    Belief(
        "pagerduty.reassign-ends-acknowledgement",
        "A reassignment by a person makes an acknowledged incident triggered again; no entry says so.",
        _R,
        ("diff.fold", "pagerduty.actions.changes"),
    ),
    Belief(
        "pagerduty.escalate-ends-acknowledgement",
        "An escalation makes an acknowledged incident triggered again; no entry says so.",
        _R,
        ("diff.fold",),
    ),
    Belief(
        "pagerduty.delegate-ends-acknowledgement",
        "A move to another policy makes an acknowledged incident triggered again; no entry says so.",
        _R,
        ("diff.fold", "pagerduty.actions.changes"),
    ),
    Belief(
        "pagerduty.delegate-names-no-targets",
        "A delegate entry names nobody; assign entries of the service in the same second name the"
        " new assignees.",
        _R,
        ("diff.acts",),
    ),
    Belief(
        "pagerduty.priority-change-entry",
        "A change of priority leaves a priority_change_log_entry that names the new priority.",
        _B,
        ("pagerduty.decode", "diff.fold"),
    ),
    Belief(
        "pagerduty.urgency-change-entry",
        "A change of urgency leaves an urgency_change_log_entry.",
        _D,
        ("pagerduty.decode", "diff.fold"),
    ),
    Belief(
        "pagerduty.annotate-entry-bears-text",
        "The entry of a note has the note's text in the summary of its channel.",
        _R,
        ("pagerduty.decode",),
    ),
    Belief(
        "pagerduty.status-update-entry-bears-message",
        "The entry of a status update has its text in message.",
        _B,
        ("pagerduty.decode",),
    ),
    Belief(
        "pagerduty.title-leaves-no-entry",
        "A new title leaves no log entry.",
        _B,
        ("pagerduty.open_incidents", "pipeline.absentees"),
    ),
    Belief(
        "pagerduty.resolved-empties-assignments",
        "A resolved incident has neither assignments nor acknowledgements.",
        _D,
        ("diff.fold",),
    ),
    Belief(
        "pagerduty.resolve-entry-bears-note",
        "A resolve entry has the resolution that was given in note.",
        _D,
        ("pagerduty.decode",),
    ),
    Belief(
        "pagerduty.acknowledge-reopens",
        "To set a resolved incident to acknowledged opens it again.",
        _D,
        ("pagerduty.actions.acknowledge",),
    ),
    Belief(
        "pagerduty.reopen-leaves-no-entry",
        "Opening a resolved incident again leaves no log entry of its own.",
        _B,
        ("pagerduty.open_incidents", "diff.fold"),
    ),
    Belief(
        "pagerduty.timeout-escalates-triggered-only",
        "The escalation timer leaves an acknowledged incident alone; when the acknowledgement runs"
        " out, an unacknowledge entry comes first.",
        _D,
        ("diff.fold",),
        "it takes as long as the policy waits, half an hour as a rule",
    ),
    Belief(
        "pagerduty.merge-resolves-the-source",
        "A merge resolves the merged incident, which then names the surviving one in resolve_reason.",
        _R,
        ("pipeline.ruling", "pagerduty.decode"),
        "it takes a second incident, and so a second page",
    ),
    Belief(
        "pagerduty.entries-within-late-window",
        "A log entry becomes visible within late_window of its time.",
        _B,
        ("pipeline.poll", "pagerduty.source"),
        "one story cannot show a bound",
    ),
)

_SALESFORCE = (
    Belief(
        "salesforce.created-by-is-us",
        "A record that pagerforce creates has the integration user in CreatedById.",
        _D,
        ("salesforce.actions.add_comment", "salesforce.actions.create_record"),
    ),
    Belief(
        "salesforce.last-modified-by-is-us",
        "A record that pagerforce changes has the integration user in LastModifiedById.",
        _D,
        ("salesforce.actions.conflict", "own_writes.matching"),
    ),
    Belief(
        "salesforce.whole-second-stamps",
        "SystemModstamp, CreatedDate and LastModifiedDate have whole seconds.",
        _D,
        ("salesforce.source", "salesforce.soql"),
    ),
    Belief(
        "salesforce.system-modstamp-moves-on-update",
        "An update of a record moves its SystemModstamp.",
        _D,
        ("salesforce.source",),
    ),
    Belief(
        "salesforce.if-unmodified-since-guards",
        "A write with If-Unmodified-Since is refused with 412 if the record changed after that.",
        _D,
        ("salesforce.client", "salesforce.actions.set_field"),
    ),
    Belief(
        "salesforce.comment-body-verbatim",
        "A comment's text is returned as it was written, except for the form of its line ends and"
        " blanks around it.",
        _B,
        ("salesforce.actions.add_comment", "own_writes.matching"),
    ),
    Belief(
        "salesforce.deleted-rows-in-queryAll",
        "A deleted record is in the answers of queryAll, with IsDeleted true.",
        _D,
        ("salesforce.source",),
    ),
    Belief(
        "salesforce.delete-moves-system-modstamp",
        "A delete moves the record's SystemModstamp.",
        _B,
        ("salesforce.source",),
    ),
    Belief(
        "salesforce.rows-within-late-window",
        "A row is committed within late_window of its SystemModstamp.",
        _B,
        ("salesforce.source", "pipeline.rows"),
        "one story cannot show a bound",
    ),
    Belief(
        "salesforce.formulas-leave-the-stamp",
        "A formula or a parent's field that changes moves no SystemModstamp of the record.",
        _D,
        ("salesforce.source", "pipeline.drift"),
        "it would need another record of yours to be changed",
    ),
    Belief(
        "salesforce.change-event-channels",
        "The change events of an object are on a channel named after it, with its namespace:"
        " /data/CaseChangeEvent, /data/Ns__Name__ChangeEvent.",
        _R,
        ("salesforce.stream.channels",),
        "it needs an object that is chosen for Change Data Capture",
    ),
    Belief(
        "salesforce.stream-connect-is-held",
        "The server holds a connect for 110 s at most and then answers it without an event.",
        _R,
        ("salesforce.stream.conversation",),
        "it takes two minutes without any change",
    ),
    Belief(
        "salesforce.stream-client-ids-end",
        "A client id ends about every three hours with 403::Unknown client; its subscriptions"
        " end with it.",
        _R,
        ("salesforce.stream.patience", "salesforce.stream.conversation"),
        "it takes hours",
    ),
    Belief(
        "salesforce.change-events-within-seconds",
        "A change event arrives within 30 s of the commit.",
        _B,
        ("salesforce.stream.health",),
        "one story cannot show a bound",
    ),
    Belief(
        "salesforce.stream-is-no-call",
        "Requests to the streaming endpoint are not counted as API calls.",
        _B,
        ("salesforce.stream.line", "service.plan"),
        "other integrations move the org's count too",
    ),
    Belief(
        "salesforce.change-events-need-view-all",
        "Without View All Records the change events of an object are withheld without an error.",
        _D,
        ("service.checks.streaming",),
        "it would change the rights of the integration user",
    ),
)

BELIEFS: Mapping[str, Belief] = {item.name: item for item in (*_PAGERDUTY, *_SALESFORCE)}
"""The whole table, by name."""


def belief(name: str) -> Belief:
    """The belief of that name; ``KeyError`` if the table has none."""
    return BELIEFS[name]
