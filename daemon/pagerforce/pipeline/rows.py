"""Pure: Salesforce rows and comments -> events with what the rules say."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pagerforce.diff.echo import (
    became,
    find_comment,
    find_made_record,
    holds,
    is_part,
    may_be_ours,
)
from pagerforce.diff.record import RecordChange, blank, compare, event_id, is_merge, merged
from pagerforce.model.event import CommentText, Event
from pagerforce.model.following import follows, shows
from pagerforce.model.ids import EventId, RecordId, Side
from pagerforce.model.link import Link, LinkState
from pagerforce.model.record import Comment, Record
from pagerforce.model.value import Fields, is_equal
from pagerforce.pipeline.entries import Hopes, NewLink
from pagerforce.pipeline.forgotten import OwnComments
from pagerforce.pipeline.ruling import Judge, Ruled, World
from pagerforce.store.restored import FORGOTTEN
from pagerforce.store.retention import is_too_old_for_news
from pagerforce.store.traces import Expected

NOTHING_FORGOTTEN = OwnComments()


@dataclass(slots=True)
class RowPlan:
    """What one batch of rows leads to; stored in one transaction.

    ``comments``: each with the id of the action of ours that made it, if any.
    ``activity``: records whose links became active or inactive.
    ``merges``: records that were merged away, each with whether it was taken for deleted before.
    """

    ruled: list[Ruled] = field(default_factory=list)
    records: dict[RecordId, Record] = field(default_factory=dict)
    rechecks: list[Record] = field(default_factory=list)
    comments: list[tuple[Comment, str | None]] = field(default_factory=list)
    new_links: list[NewLink] = field(default_factory=list)
    activity: dict[RecordId, bool] = field(default_factory=dict)
    merges: list[tuple[RecordId, bool]] = field(default_factory=list)
    consumed: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class NewsRules:
    """What counts as news.

    Attributes:
        start_at: per object and comment object, since when rows are news.
        quiet: per object, fields that make no event when they change.
        skew: how far Salesforce's clock is ahead of PagerDuty's.
        own_user: as whom we write; asked for after a restore only.
    """

    start_at: Mapping[str, datetime]
    quiet: Mapping[str, frozenset[str]] = field(default_factory=dict)
    skew: timedelta = timedelta(0)
    own_user: str | None = None


@dataclass(frozen=True, slots=True)
class RowContext:
    """What planning rows needs besides the rows.

    Attributes:
        busy: records that a write of ours was under way on since the poll began: what this poll
            read may show half of it, so they are read again later.
        own: which comments are our own doing though nothing remembers it.
    """

    world: World
    hopes: Hopes
    judge: Judge
    news: NewsRules
    busy: Collection[RecordId]
    now: datetime
    own: OwnComments = NOTHING_FORGOTTEN


def plan_records(rows: Sequence[Record], plan: RowPlan, context: RowContext) -> None:
    """Adds what these rows lead to. Links follow merges before anything is ruled on."""
    for row in rows:
        if row.id not in context.busy:
            _plan_merge(row, plan, context.world)
    for row in rows:
        if row.id in context.busy:
            plan.rechecks.append(row)
        else:
            _plan_record(row, plan, context)


def _plan_merge(row: Record, plan: RowPlan, world: World) -> None:
    before = world.records.get(row.id)
    if is_merge(before, row) and row.merged_into is not None:
        plan.merges.append((row.id, before is not None and before.is_deleted))
        world.move_links(row.id, row.merged_into)


def _plan_record(row: Record, plan: RowPlan, context: RowContext) -> None:
    world = context.world
    before = world.records.get(row.id)
    known = _with_own_writes(before, row, plan, context.hopes)
    news = context.news
    quiet = news.quiet.get(row.object, frozenset())
    change = compare(known, row, start_at=news.start_at[row.object], quiet=quiet)
    after = merged(before, row, change.changed if change else ())
    is_news = before is None or change is not None or after.fields != before.fields
    kept = after if after.caused_at is None else replace(after, caused_at=None, caused_by=None)
    if is_news or is_merge(before, row):
        plan.records[row.id] = world.records[row.id] = kept
    if change is None:
        return
    event = _record_event(after if _is_of_parent(before, row, change) else kept, change)
    if is_merge(before, row):
        event = replace(event, merged_into=row.merged_into)
    echo = _own_creation(row, plan, context) if before is None else None
    if echo is None and before is None and _may_turn_out_ours(row, context):
        del plan.records[row.id], world.records[row.id]
        plan.rechecks.append(row)
        return
    if echo is not None:
        plan.ruled.append(Ruled(event, (row.id,), echo_of=echo.action_id))
        if row.was_edited and not row.is_deleted:
            _plan_edit(row, echo, plan, context)
        return
    plan.ruled.append(context.judge.rule(event, world, context.now))
    if change.type in ("delete", "undelete") and event.merged_into is None:
        plan.activity[row.id] = change.type == "undelete"


def _is_of_parent(before: Record | None, row: Record, change: RecordChange) -> bool:
    """Whether only parents of a row have changed: its own stamp stands still."""
    is_still = before is not None and before.stamp == row.stamp and change.type == "update"
    return is_still and all("." in name for name in change.changed)


def _plan_edit(row: Record, made: Expected, plan: RowPlan, context: RowContext) -> None:
    """Somebody was at a record of ours before we saw it for the first time."""
    before = blank(row, _given_by(made, plan, context.hopes))
    edit = compare(before, row, start_at=context.news.start_at[row.object])
    if edit is not None:
        after = merged(before, row, edit.changed)
        plan.records[row.id] = context.world.records[row.id] = after
        event = _record_event(after, edit)
        plan.ruled.append(context.judge.rule(event, context.world, context.now))


def _given_by(made: Expected, plan: RowPlan, hopes: Hopes) -> Fields:
    """What the action that made a record gave it."""
    for item in hopes.open():
        if item.what.kind == "given" and item.action_id == made.action_id:
            hopes.consume(item)
            plan.consumed.append(item.seq)
            return item.what.values
    return {}


def _with_own_writes(
    before: Record | None, row: Record, plan: RowPlan, hopes: Hopes
) -> Record | None:
    """The snapshot with what writes of ours have made of it that it does not hold yet.

    That is all of a write whose answer was lost, and of one after which the record was not read what
    followed from it; the first row that comes after the latter settles it, whatever it shows.
    """
    mine = [x for x in hopes.open() if x.what.kind == "fields" and x.what.subject == row.id]
    if before is None or not mine:
        return before
    fields = dict(before.fields)
    for item in mine:
        what = item.what
        if holds(row, what.values) or became(row, what.values, before.fields, what.actor_id):
            ours = (name for name in row.fields if follows(name, what.values))
            fields |= {name: row.fields[name] for name in ours}
        elif item.is_done:
            fields |= dict.fromkeys(_never_seen(row, what.values))
        if item.is_done:
            hopes.consume(item)
            plan.consumed.append(item.seq)
    return replace(before, fields=fields)


def _never_seen(row: Record, written: Fields) -> Iterator[str]:
    """Names behind references of ours that somebody replaced at once; whatever stands there is news."""
    lost = [
        name
        for name, value in written.items()
        if name in row.fields and not is_equal(row.fields[name], value)
    ]
    return (path for path in row.fields if path not in written and shows(path, lost))


def _own_creation(row: Record, plan: RowPlan, context: RowContext) -> Expected | None:
    """The expectation of ours that a new row fulfils; the record is linked as soon as it is seen."""
    waiting = context.hopes.open()
    index = find_made_record(row, [item.what for item in waiting])
    if index is None:
        return None
    item = waiting[index]
    context.hopes.consume(item)
    plan.consumed.append(item.seq)
    cause = context.hopes.causes.get(item.action_id)
    if cause is not None and cause.incident_id is not None:
        link = NewLink(cause.incident_id, row.object, row.id, row.created_at)
        plan.new_links.append(link)
        context.world.add_link(
            Link(link.incident_id, row.object, row.id, LinkState.ACTIVE, link.at, link.at)
        )
    return item


def _may_turn_out_ours(row: Record, context: RowContext) -> bool:
    """Whether a new row of our user bears no trace while a record of ours is being created.

    The org may have left nothing of what we sent, or a person uses our account: the attempt, or the
    search after its lost answer, tells. Until then the row is read again and again.
    """
    return may_be_ours(row, [x.what for x in context.hopes.open() if x.is_under_way])


def _record_event(record: Record, change: RecordChange) -> Event:
    is_new = change.type == "create"
    at, actor = record.modified_at, record.modified_by
    if record.caused_at is not None and record.caused_at > at:
        at, actor = record.caused_at, record.caused_by or actor
    return Event(
        id=event_id(record, change),
        source=Side.SALESFORCE,
        type=change.type,
        at=record.created_at if is_new else at,
        actor=record.created_by if is_new else actor,
        object=record.object,
        record_id=record.id,
        record=record.fields,
        old_record=change.old,
        changed=change.changed,
    )


def plan_comments(
    comments: Sequence[Comment], seen: Collection[str], plan: RowPlan, context: RowContext
) -> None:
    """Adds what these comments lead to. Edits and deletions of seen ones are no events."""
    for comment in comments:
        if comment.id in seen or comment.is_deleted:
            continue
        is_old = is_too_old_for_news(comment.created_at, context.now)
        if is_old or comment.created_at < context.news.start_at[comment.object]:
            plan.comments.append((comment, None))
            continue
        echo = _own_comment(comment, plan, context)
        plan.comments.append((comment, echo.action_id if echo else None))
        event = _comment_event(comment, context.world.records.get(comment.parent_id))
        if echo is not None:
            plan.ruled.append(Ruled(event, (comment.parent_id,), echo_of=echo.action_id))
        elif context.own.is_forgotten(comment):
            plan.ruled.append(Ruled(event, (comment.parent_id,), echo_of=FORGOTTEN))
        else:
            plan.ruled.append(context.judge.rule(event, context.world, context.now))


def _own_comment(comment: Comment, plan: RowPlan, context: RowContext) -> Expected | None:
    waiting = context.hopes.open()
    index = find_comment(comment, [item.what for item in waiting])
    if index is None:
        return None
    if not is_part(comment, waiting[index].what):  # more of it is to come
        context.hopes.consume(waiting[index])
        plan.consumed.append(waiting[index].seq)
    return waiting[index]


def _comment_event(comment: Comment, record: Record | None) -> Event:
    author = comment.author
    name = author.name or author.email or author.id or "Salesforce"
    return Event(
        id=EventId(f"sf:{comment.id}"),
        source=Side.SALESFORCE,
        type="comment",
        at=comment.created_at,
        actor=author,
        note=comment.body,
        object=comment.parent_object,
        record_id=comment.parent_id,
        record=record.fields if record else {},
        old_record=record.fields if record else {},
        comment=CommentText(comment.body, name, comment.created_at, comment.id),
    )
