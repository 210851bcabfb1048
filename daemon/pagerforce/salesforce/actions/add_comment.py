"""``salesforce.add_comment``: adds a child row with human text, in parts if it is too long.

A comment has no unique key. After a lost answer, the integration user's comments on the record are
searched as described in ``search``, and only missing parts are created. Length is counted in the
field's own unit; a part that the org still refuses as too long is halved. Facts:
``salesforce.comments-without-key``, ``salesforce.comment-counted-in-bytes``.
"""

from collections.abc import Sequence

from msgspec import Struct

from pagerforce.config.schema import CommentSettings
from pagerforce.errors import MalformedError, RefusedError, RemoteError
from pagerforce.model.action import (
    ActionSpec,
    Cost,
    Param,
    Purpose,
    TargetKind,
    Task,
)
from pagerforce.model.expectation import CommentExpected, Expectation
from pagerforce.model.ids import RecordId, Side
from pagerforce.model.parts import halved, split_text
from pagerforce.model.value import Scalar, is_empty
from pagerforce.model.verdict import CommentMade, Delivered, Rejected, Skipped, Unknown, Verdict
from pagerforce.salesforce.actions.search import Comments, Row, Window, doubt, window_of
from pagerforce.salesforce.actions.tools import SalesforceTools, unit_of
from pagerforce.salesforce.actions.verdicts import to_verdict
from pagerforce.salesforce.answers import VendorRefusedError
from pagerforce.salesforce.decode import created_at, found_id
from pagerforce.salesforce.soql import Condition, Select, compare, configured, equals

_MOST_HALVINGS = 4  # of a part that the org refuses as too long
_REMEDY = "if one of them is the comment, `pagerforce failed discard` this"


class _Draft(Struct, frozen=True):
    """The comment to write: the text, its parts, and the values of every part."""

    settings: CommentSettings
    record_id: RecordId
    values: dict[str, Scalar]
    text: str
    bodies: tuple[str, ...]


ADD_COMMENT = ActionSpec(
    do="salesforce.add_comment",
    side=Side.SALESFORCE,
    target=TargetKind.RECORD,
    params=(Param("text", required=True, doc="the comment; continued in numbered parts"),),
    doc="Adds a comment as configured in [objects.comments].",
    batch_size=200,  # records of a collection
    patience_seconds=10.0,  # it notifies nobody
    is_open_to_doubt=True,
    cost=Cost(calls=1),
    purpose=Purpose.COMMENT,
)


class AddComment:
    """Delivers ``salesforce.add_comment``."""

    spec = ADD_COMMENT

    def __init__(self, tools: SalesforceTools) -> None:
        self._tools = tools

    async def expectations(self, task: Task) -> Sequence[Expectation]:
        """One comment per part, by its text.

        Raises:
            RemoteError: a lookup or the length of the field could not be requested.
        """
        if task.record_id is None:
            return ()
        try:
            draft = await self._draft(task, task.record_id)
        except RefusedError:
            return ()  # nothing will be sent; the attempt reports the reason
        user_id = await self._tools.client.user_id()
        return tuple(CommentExpected(draft.record_id, body, user_id) for body in draft.bodies)

    async def deliver(self, task: Task) -> Sequence[Verdict]:
        """Creates the missing parts, in their order."""
        if task.record_id is None:
            return [Skipped("no record is linked")]
        try:
            draft = await self._draft(task, task.record_id)
            found = await self._find(task, draft) if task.is_uncertain else None
        except RemoteError as error:
            return [to_verdict(error)]
        return [await self._make(draft, found)]

    async def deliver_batch(self, tasks: Sequence[Task]) -> Sequence[Sequence[Verdict]]:
        """Creates the comments of several records in one request.

        A comment in parts, or one that an earlier attempt may have created, is delivered by itself.
        """
        verdicts: dict[int, Verdict] = {}
        drafts: dict[str, list[tuple[int, _Draft]]] = {}
        for place, task in enumerate(tasks):
            if task.record_id is None or task.is_uncertain:
                (verdicts[place],) = await self.deliver(task)
                continue
            try:
                draft = await self._draft(task, task.record_id)
            except RemoteError as error:
                verdicts[place] = to_verdict(error)
                continue
            if len(draft.bodies) > 1:
                verdicts[place] = await self._make(draft)
            else:
                drafts.setdefault(draft.settings.object, []).append((place, draft))
        for name, mine in drafts.items():
            verdicts |= await self._make_many(name, mine)
        return [[verdicts[place]] for place in range(len(tasks))]

    async def _make_many(
        self, object_name: str, drafts: Sequence[tuple[int, _Draft]]
    ) -> dict[int, Verdict]:
        rows = [{**draft.values, draft.settings.body_field: draft.bodies[0]} for _, draft in drafts]
        try:
            results = await self._tools.client.create_many(object_name, rows)
        except RemoteError as error:
            return dict.fromkeys((place for place, _ in drafts), to_verdict(error))
        verdicts: dict[int, Verdict] = {}
        for (place, draft), result in zip(drafts, results, strict=True):
            if isinstance(result, VendorRefusedError) and _is_too_long(result, draft):
                verdicts[place] = await self._make(draft, bodies=halved(draft.bodies[0]))
            elif isinstance(result, RemoteError):
                self._tools.learn(object_name, result)
                verdicts[place] = to_verdict(result)
            else:
                made = CommentMade(object_name, result, draft.record_id)
                verdicts[place] = Delivered(f"{object_name}: 1 created, 0 found; {result}", (made,))
        return verdicts

    async def _draft(self, task: Task, record_id: RecordId) -> _Draft:
        settings = self._tools.find_object(task.object)
        comments = settings.comments if settings is not None else None
        if comments is None:
            raise RefusedError(f"{task.object} has no [objects.comments]: configure it")
        text = task.calls[0].get("text")
        if not isinstance(text, str) or is_empty(text):
            raise RefusedError("the text of the comment is empty; correct the rule")
        body = await self._tools.field_info(comments.object, comments.body_field)
        values: dict[str, Scalar] = {}
        for field, value in comments.fields.items():
            values[field] = await self._tools.prepare(comments.object, field, value)
        unit = unit_of(comments.object, body)
        try:
            bodies = split_text(text, body.length, unit)
        except ValueError as error:
            raise RefusedError(f"{comments.object}.{body.name}: {error}") from error
        values = {field: value for field, value in values.items() if not is_empty(value)}
        values[comments.parent_field] = record_id
        return _Draft(comments, record_id, values, text, bodies)

    async def _find(self, task: Task, draft: _Draft) -> Comments:
        """The comments that an earlier attempt may have created, deleted ones too."""
        settings, client = draft.settings, self._tools.client
        window = window_of(task, client.session.now())
        select = Select(
            settings.object,
            tuple(dict.fromkeys(["Id", settings.body_field, "CreatedDate"])),
            await self._made_by_us(draft, window),
            order_by=("CreatedDate", "Id"),
        )
        rows = []
        for row in await client.query_to_end(select.text(), deleted=True):
            record_id, body = found_id(row), row.get(settings.body_field, 0)
            if body is not None and not isinstance(body, str):
                # It may be the wanted comment: no conclusion is better than a duplicate.
                raise MalformedError(f"{settings.object} {record_id}: its body is not a text")
            if record_id not in task.known_ids and body is not None:
                is_close = window.is_close(created_at(row)) and record_id not in task.seen_before
                rows.append(Row(record_id, {"body": body}, is_close=is_close))
        comments = Comments.of(rows, draft.text, draft.bodies)
        await self._leave_out_others(draft, window, comments)
        return comments

    async def _made_by_us(self, draft: _Draft, window: Window) -> tuple[Condition, ...]:
        return (
            equals(draft.settings.parent_field, draft.record_id),
            equals("CreatedById", await self._tools.client.user_id()),
            compare("CreatedDate", ">=", window.since),
        )

    async def _leave_out_others(self, draft: _Draft, window: Window, comments: Comments) -> None:
        """Drops other kinds of rows that the org creates as the integration user, as histories."""
        where = configured(draft.settings.where)
        if not where or not comments.strangers():
            return
        conditions = (*await self._made_by_us(draft, window), *where)
        select = Select(draft.settings.object, ("Id",), conditions)
        kin = await self._tools.client.query_to_end(select.text(), deleted=True)
        ids = {found_id(row) for row in kin}
        comments.rows = [row for row in comments.rows if row.id in ids]

    async def _make(
        self, draft: _Draft, found: Comments | None = None, bodies: Sequence[str] = ()
    ) -> Verdict:
        """Creates the missing parts. ``bodies``: other parts than the draft's."""
        there: list[RecordId] = []
        new = 0
        waiting = [(body, _MOST_HALVINGS) for body in bodies or draft.bodies]
        while waiting:
            body, halvings = waiting.pop(0)
            earlier = found.take(body) if found is not None else None
            if earlier is not None:
                there.append(earlier)
                continue
            strangers = found.strangers() if found is not None else []
            if strangers:
                ids = [row.id for row in strangers]
                return doubt(f"rows of {draft.settings.object}", ids, remedy=_REMEDY)
            try:
                there.append(await self._create(draft, body))
            except VendorRefusedError as error:
                parts = halved(body) if _is_too_long(error, draft) and halvings else (body,)
                if len(parts) == 1:
                    return _interrupted(error, len(there), len(there) + 1 + len(waiting))
                waiting = [*((part, halvings - 1) for part in parts), *waiting]
            except RemoteError as error:
                return _interrupted(error, len(there), len(there) + 1 + len(waiting))
            else:
                new += 1
        name = draft.settings.object
        effects = tuple(CommentMade(name, made, draft.record_id) for made in there)
        detail = f"{name}: {new} created, {len(there) - new} found; {', '.join(there)}"
        return Delivered(detail, effects)

    async def _create(self, draft: _Draft, body: str) -> RecordId:
        settings = draft.settings
        values = {**draft.values, settings.body_field: body}
        try:
            return await self._tools.client.create(settings.object, values)
        except VendorRefusedError as error:
            self._tools.learn(settings.object, error)
            raise


def _is_too_long(error: VendorRefusedError, draft: _Draft) -> bool:
    names = error.fields
    return error.code == "STRING_TOO_LONG" and (not names or draft.settings.body_field in names)


def _interrupted(error: RemoteError, done: int, total: int) -> Verdict:
    """The verdict if a part failed; the next attempt must search for the written parts."""
    verdict = to_verdict(error)
    if done == 0:
        return verdict
    if isinstance(verdict, Rejected):
        return Rejected(
            f"{done} of {total} parts are written, the next was refused: {verdict.reason}"
        )
    reason = f"{done} of {total} parts are written: {error}"
    return Unknown(reason, is_answered=bool(error.code))
