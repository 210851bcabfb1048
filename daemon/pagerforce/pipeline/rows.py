"""Pure: Salesforce rows and comments -> events with the rules' decisions."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pagerforce.diff.record import RecordChange, blank, compare, event_id, is_merge, merged
from pagerforce.model.event import CommentText, Event
from pagerforce.model.ids import EventId, RecordId, Side
from pagerforce.model.link import Link, LinkState
from pagerforce.model.news import is_too_old_for_news
from pagerforce.model.record import Comment, Record
from pagerforce.own_writes.snapshot import given_by, with_own_writes
from pagerforce.own_writes.waiting import Expected
from pagerforce.own_writes.whose import Known, Ours, Theirs, Undecided, whose
from pagerforce.pipeline.entries import NewLink
from pagerforce.pipeline.ruling import Judge, Ruled, World


class RowPlan(Struct):
    """The results of one batch of rows; stored in one transaction.

    ``comments``: each with the id of the action that created it, if any.
    ``activity``: records whose links became active or inactive.
    ``merges``: records that were merged away, each with whether it counted as deleted before.
    """

    ruled: list[Ruled] = msgspec.field(default_factory=list)
    records: dict[RecordId, Record] = msgspec.field(default_factory=dict)
    rechecks: list[Record] = msgspec.field(default_factory=list)
    comments: list[tuple[Comment, str | None]] = msgspec.field(default_factory=list)
    new_links: list[NewLink] = msgspec.field(default_factory=list)
    activity: dict[RecordId, bool] = msgspec.field(default_factory=dict)
    merges: list[tuple[RecordId, bool]] = msgspec.field(default_factory=list)


class NewsRules(Struct, frozen=True):
    """Which rows are new.

    Attributes:
        start_at: per object and comment object: older rows are ignored.
        quiet: per object, fields whose changes cause no event.
        skew: how far Salesforce's clock is ahead of PagerDuty's.
        own_user: the integration user; needed only after a restore.
    """

    start_at: Mapping[str, datetime]
    quiet: Mapping[str, frozenset[str]] = msgspec.field(default_factory=dict)
    skew: timedelta = timedelta(0)
    own_user: str | None = None


class RowContext(Struct, frozen=True):
    """What planning rows needs besides the rows.

    Attributes:
        busy: records with an own write under way since the poll began: this poll may have read only
            a part of it, so they are read again later.
    """

    world: World
    known: Known
    judge: Judge
    news: NewsRules
    busy: Collection[RecordId]
    now: datetime


def plan_records(rows: Sequence[Record], plan: RowPlan, context: RowContext) -> None:
    """Adds the results of these rows. Links follow merges before any rule is evaluated."""
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
    known = with_own_writes(before, row, context.known.waiting)
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
    doer = Theirs() if before is not None else whose(row, context.known)
    if isinstance(doer, Undecided):
        del plan.records[row.id], world.records[row.id]
        plan.rechecks.append(row)
        return
    if isinstance(doer, Ours):
        _plan_ours(row, event, doer.item, plan, context)
        return
    plan.ruled.append(context.judge.rule(event, world, context.now))
    if change.type in ("delete", "undelete") and event.merged_into is None:
        plan.activity[row.id] = change.type == "undelete"


def _is_of_parent(before: Record | None, row: Record, change: RecordChange) -> bool:
    """Whether only parents of a row have changed: its own stamp is the same."""
    is_still = before is not None and before.stamp == row.stamp and change.type == "update"
    return is_still and all("." in name for name in change.changed)


def _plan_ours(
    row: Record, event: Event, made: Expected, plan: RowPlan, context: RowContext
) -> None:
    """Links an own record as soon as it is seen; changes that somebody made before are an edit."""
    waiting, world = context.known.waiting, context.world
    waiting.use(made)
    cause = waiting.causes.get(made.action_id)
    if cause is not None and cause.incident_id is not None:
        link = NewLink(cause.incident_id, row.object, row.id, row.created_at)
        plan.new_links.append(link)
        world.add_link(
            Link(link.incident_id, row.object, row.id, LinkState.ACTIVE, link.at, link.at)
        )
    plan.ruled.append(Ruled(event, (row.id,), echo_of=made.action_id))
    if not row.was_edited or row.is_deleted:
        return
    before = blank(row, given_by(made, waiting))
    edit = compare(before, row, start_at=context.news.start_at[row.object])
    if edit is not None:
        after = merged(before, row, edit.changed)
        plan.records[row.id] = world.records[row.id] = after
        plan.ruled.append(context.judge.rule(_record_event(after, edit), world, context.now))


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
    """Adds the results of these comments. Edits and deletions of seen ones are no events."""
    for comment in comments:
        if comment.id in seen or comment.is_deleted:
            continue
        is_old = is_too_old_for_news(comment.created_at, context.now)
        if is_old or comment.created_at < context.news.start_at[comment.object]:
            plan.comments.append((comment, None))
            continue
        doer = whose(comment, context.known)
        if isinstance(doer, Ours) and doer.is_used:
            context.known.waiting.use(doer.item)
        made_by = doer.item.action_id if isinstance(doer, Ours) else None
        plan.comments.append((comment, made_by))
        event = _comment_event(comment, context.world.records.get(comment.parent_id))
        if isinstance(doer, Theirs | Undecided):
            plan.ruled.append(context.judge.rule(event, context.world, context.now))
        else:
            plan.ruled.append(Ruled(event, (comment.parent_id,), echo_of=doer.echo_of))


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
