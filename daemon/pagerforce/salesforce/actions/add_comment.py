"""``salesforce.add_comment``: adds a child row with human text, in parts where it is too long.

A comment has no key to make it unique, so after a lost answer the comments that we made under the
record are read and compared, and only what is missing is made. Facts: salesforce.md sections 8, 9.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pagerforce.config.schema import CommentSettings
from pagerforce.errors import MalformedError, RefusedError, RemoteError
from pagerforce.model.action import ActionSpec, Task
from pagerforce.model.ids import RecordId
from pagerforce.model.parts import split_text
from pagerforce.model.value import Scalar, is_empty
from pagerforce.model.verdict import (
    CommentMade,
    Delivered,
    Expectation,
    Rejected,
    Skipped,
    Unknown,
    Verdict,
)
from pagerforce.salesforce.actions.desk import Desk
from pagerforce.salesforce.actions.specs import ADD_COMMENT
from pagerforce.salesforce.actions.verdicts import to_verdict
from pagerforce.salesforce.decode import found_id
from pagerforce.salesforce.soql import Select, compare, equals
from pagerforce.salesforce.values import normal_text

_SEARCH_MARGIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is to be written: the bodies, and the values that every part carries."""

    settings: CommentSettings
    record_id: RecordId
    values: dict[str, Scalar]
    bodies: tuple[str, ...]


class AddComment:
    """Delivers ``salesforce.add_comment``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def spec(self) -> ActionSpec:
        """Its declaration."""
        return ADD_COMMENT

    async def expectations(self, task: Task) -> Sequence[Expectation]:
        """One comment per part, by its text.

        Raises:
            RemoteError: a lookup or the length of the field could not be asked for.
        """
        if task.record_id is None:
            return ()
        try:
            draft = await self._draft(task, task.record_id)
        except RefusedError:
            return ()  # nothing will be sent: the attempt says why
        user_id = await self._desk.client.user_id()
        return tuple(
            Expectation("comment", draft.record_id, {"body": body}, user_id)
            for body in draft.bodies
        )

    async def deliver(self, task: Task) -> Sequence[Verdict]:
        """Makes the parts that are not there yet, in their order."""
        if task.record_id is None:
            return [Skipped("no record is linked")]
        try:
            draft = await self._draft(task, task.record_id)
            found = await self._find(task, draft) if task.is_uncertain else {}
        except RemoteError as error:
            return [to_verdict(error)]
        return [await self._make(draft, found)]

    async def deliver_batch(self, tasks: Sequence[Task]) -> Sequence[Sequence[Verdict]]:
        """Makes the comments of several records in one request.

        A comment in parts, or one that an earlier attempt may have made, is delivered by itself.
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
                verdicts[place] = await self._make(draft, {})
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
            results = await self._desk.client.create_many(object_name, rows)
        except RemoteError as error:
            return dict.fromkeys((place for place, _ in drafts), to_verdict(error))
        verdicts: dict[int, Verdict] = {}
        for (place, draft), result in zip(drafts, results, strict=True):
            if isinstance(result, RemoteError):
                verdicts[place] = to_verdict(result)
            else:
                made = CommentMade(object_name, result, draft.record_id)
                verdicts[place] = Delivered(f"{object_name}: 1 made, 0 found; {result}", (made,))
        return verdicts

    async def _draft(self, task: Task, record_id: RecordId) -> _Draft:
        settings = self._desk.find_object(task.object)
        comments = settings.comments if settings is not None else None
        if comments is None:
            raise RefusedError(f"{task.object} has no [objects.comments]: configure it")
        text = task.calls[0].get("text")
        if not isinstance(text, str) or is_empty(text):
            raise RefusedError("the text of the comment is empty; correct the rule")
        body = await self._desk.field_info(comments.object, comments.body_field)
        values: dict[str, Scalar] = {}
        for field, value in comments.fields.items():
            values[field] = await self._desk.prepare(comments.object, field, value)
        try:
            bodies = split_text(text, body.length)
        except ValueError as error:
            raise RefusedError(f"{comments.object}.{body.name}: {error}") from error
        values = {field: value for field, value in values.items() if not is_empty(value)}
        values[comments.parent_field] = record_id
        return _Draft(comments, record_id, values, bodies)

    async def _find(self, task: Task, draft: _Draft) -> dict[int, RecordId]:
        """Parts that an earlier attempt made: place -> Id."""
        settings = draft.settings
        select = Select(
            settings.object,
            ("Id", settings.body_field),
            (
                equals(settings.parent_field, draft.record_id),
                equals("CreatedById", await self._desk.client.user_id()),
                compare("CreatedDate", ">=", task.earliest_doing_at - _SEARCH_MARGIN),
            ),
            order_by=("CreatedDate", "Id"),
        )
        found: dict[int, RecordId] = {}
        for row in await self._desk.client.query_to_end(select.text()):
            record_id, body = found_id(row), row.get(settings.body_field, 0)
            if body is not None and not isinstance(body, str):
                # It may be the one that is looked for: to conclude nothing is better than a double.
                raise MalformedError(f"{settings.object} {record_id}: its text is no text")
            if record_id in task.known_ids or body is None:
                continue
            for place, wanted in enumerate(draft.bodies):
                if place not in found and normal_text(wanted) == normal_text(body):
                    found[place] = record_id
                    break
        return found

    async def _make(self, draft: _Draft, found: dict[int, RecordId]) -> Verdict:
        made = dict(found)
        settings = draft.settings
        for place, body in enumerate(draft.bodies):
            if place in made:
                continue
            try:
                made[place] = await self._desk.client.create(
                    settings.object, {**draft.values, settings.body_field: body}
                )
            except RemoteError as error:
                return _interrupted(error, len(made), len(draft.bodies))
        effects = tuple(
            CommentMade(settings.object, made[place], draft.record_id) for place in sorted(made)
        )
        new = len(made) - len(found)
        detail = f"{settings.object}: {new} made, {len(found)} found; {', '.join(made.values())}"
        return Delivered(detail, effects)


def _interrupted(error: RemoteError, done: int, total: int) -> Verdict:
    """The verdict where a part failed; parts that are there must be looked for next time."""
    verdict = to_verdict(error)
    if done == 0:
        return verdict
    if isinstance(verdict, Rejected):
        return Rejected(
            f"{done} of {total} parts are written, the next was refused: {verdict.reason}"
        )
    return Unknown(f"{done} of {total} parts are written: {error}")
