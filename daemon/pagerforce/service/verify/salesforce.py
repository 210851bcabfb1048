"""The test with the record: each step acts, reads Salesforce raw and judges beliefs."""

from collections.abc import Awaitable, Callable, Mapping

import anyio
import msgspec
from msgspec import Struct

from pagerforce.config.objects import CommentSettings
from pagerforce.errors import RefusedError, RemoteError
from pagerforce.model.ids import RecordId, is_same_record_id
from pagerforce.model.sameness import normal_text
from pagerforce.model.value import Json, Scalar, parse_instant
from pagerforce.salesforce.actions.tools import lookup_of
from pagerforce.salesforce.decode import value_at
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.salesforce.soql import Select, equals
from pagerforce.service.verify.entries import has_fraction
from pagerforce.service.verify.findings import Findings, refusal, texts, word
from pagerforce.service.verify.records import MARK, STAMPS, TestRecords
from pagerforce.service.verify.scene import Say

_S = "salesforce."
_SECOND = 1.1
"""Stamps have whole seconds: this time must pass between two changes to distinguish them."""

_COMMENT = f"{MARK} first line <&> ä €\n\n  second line, 'quoted' \"twice\" \\ and {{{{ braces }}}}"


class RecordStory(Struct):
    """One run on one record.

    Attributes:
        values: the values of the record, besides the mark.
        seen: the row after each step.
    """

    records: TestRecords
    values: Mapping[str, Scalar]
    comments: CommentSettings | None
    lookups: LookupResolver
    findings: Findings
    say: Say
    seen: dict[str, Json] = msgspec.field(default_factory=dict)
    _id: RecordId | None = None
    _row: Mapping[str, object] = msgspec.field(default_factory=dict)

    async def play(self) -> None:
        """Runs the steps in order; ends early if there is no record."""
        for name, (step, beliefs) in self._steps().items():
            await self.say(name)
            names = [_S + item for item in beliefs]
            try:
                await step()
            except RemoteError as error:
                self.findings.leave(names, f"{name}: {refusal(error)}")
                if self._id is None:
                    self._leave_all(f"there is no test record ({name}: {refusal(error)})")
                    return

    def _steps(self) -> Mapping[str, tuple[Callable[[], Awaitable[None]], tuple[str, ...]]]:
        return {
            "create": (self._create, ("created-by-is-us", "whole-second-stamps")),
            "update": (
                self._update,
                ("system-modstamp-moves-on-update", "last-modified-by-is-us"),
            ),
            "comment": (self._comment, ("comment-body-verbatim",)),
            "guarded write": (self._guard, ("if-unmodified-since-guards",)),
            "delete": (self._delete, ("deleted-rows-in-queryAll", "delete-moves-system-modstamp")),
        }

    @property
    def _record(self) -> RecordId:
        if self._id is None:
            raise RefusedError("there is no test record")
        return self._id

    def _leave_all(self, reason: str) -> None:
        for _, beliefs in self._steps().values():
            self._leave(reason, *beliefs)

    async def _create(self) -> None:
        try:
            self._id = await self.records.create(self.values)
        except RefusedError as error:
            # the vendor's words may help the operator; the report does not contain them
            await self.say(f"Salesforce refused the record: {error}; --set FIELD=VALUE may help")
            raise
        await self._look("create")
        creator = str(self._row.get("CreatedById"))
        self._judge(
            "created-by-is-us",
            self.records.user_id,
            word(creator),
            holds=is_same_record_id(creator, self.records.user_id),
        )
        odd = [name for name in STAMPS if has_fraction(self._row.get(name))]
        self._judge("whole-second-stamps", "no fraction", texts(odd), holds=not odd)

    async def _update(self) -> None:
        before = self._row.get("SystemModstamp")
        await anyio.sleep(_SECOND)
        await self._write(f"{MARK} changed once")
        await self._look("update")
        after = self._row.get("SystemModstamp")
        self._judge(
            "system-modstamp-moves-on-update",
            f"later than {word(before)}",
            word(after),
            holds=str(after) > str(before),
        )
        changer = str(self._row.get("LastModifiedById"))
        self._judge(
            "last-modified-by-is-us",
            self.records.user_id,
            word(changer),
            holds=is_same_record_id(changer, self.records.user_id),
        )

    async def _comment(self) -> None:
        comments = self.comments
        if comments is None:
            self._leave("the object has no [objects.comments]", "comment-body-verbatim")
            return
        values: dict[str, Scalar] = {}
        for name, value in comments.fields.items():
            wanted = lookup_of(value)
            if wanted is not None:
                values[name] = await self.lookups.resolve(comments.object, name, wanted)
            elif isinstance(value, str | int | float | bool):
                values[name] = value
        values |= {comments.parent_field: self._record, comments.body_field: _COMMENT}
        comment_id = await self.records.client.create(comments.object, values)
        select = Select(comments.object, ("Id", comments.body_field), (equals("Id", comment_id),))
        rows = await self.records.client.query_to_end(select.text())
        body = value_at(rows[0], comments.body_field)[1] if rows else None
        is_same = isinstance(body, str) and normal_text(body) == normal_text(_COMMENT)
        said = "the same text" if is_same else _difference(body)
        self._judge("comment-body-verbatim", "the same text", said, holds=is_same)

    async def _guard(self) -> None:
        """Changes the record, then writes with an old time as if that change were unknown."""
        await self._look("before the guarded write")
        try:
            old = parse_instant(str(self._row.get("LastModifiedDate")))
        except ValueError:
            self._leave("LastModifiedDate could not be read", "if-unmodified-since-guards")
            return
        await anyio.sleep(_SECOND)
        await self._write(f"{MARK} changed twice")
        is_written = await self.records.client.update(
            self.records.object_name,
            self._record,
            {self.records.text_field: f"{MARK} changed by a stale write"},
            unmodified_since=old,
        )
        said = "written" if is_written else "HTTP 412"
        self._judge("if-unmodified-since-guards", "HTTP 412", said, holds=not is_written)

    async def _delete(self) -> None:
        await self._look("before the delete")
        before = self._row.get("SystemModstamp")
        await anyio.sleep(_SECOND)
        try:
            await self.records.client.delete(self.records.object_name, self._record)
        except RefusedError as error:
            reason = f"the integration user may not delete it: {refusal(error)}"
            self._leave(reason, "deleted-rows-in-queryAll", "delete-moves-system-modstamp")
            return
        await self._look("delete", deleted=True)
        is_there = self._row.get("IsDeleted") is True
        said = f"IsDeleted {self._row.get('IsDeleted')}" if self._row else "no row"
        self._judge("deleted-rows-in-queryAll", "IsDeleted True", said, holds=is_there)
        if not is_there:
            self._leave("the deleted row is not shown", "delete-moves-system-modstamp")
            return
        after = self._row.get("SystemModstamp")
        self._judge(
            "delete-moves-system-modstamp",
            f"later than {word(before)}",
            word(after),
            holds=str(after) > str(before),
        )

    async def _write(self, text: str) -> None:
        values: dict[str, Scalar] = {self.records.text_field: text}
        await self.records.client.update(self.records.object_name, self._record, values)

    async def _look(self, name: str, *, deleted: bool = False) -> None:
        self._row = await self.records.read(self._record, deleted=deleted)
        keys = ("Id", "CreatedById", "LastModifiedById", *STAMPS)
        self.seen[name] = {key: word(self._row.get(key)) for key in keys}

    def _judge(self, name: str, expected: str, seen: str, *, holds: bool) -> None:
        self.findings.judge(_S + name, expected, seen, holds=holds)

    def _leave(self, reason: str, *names: str) -> None:
        self.findings.leave([_S + name for name in names], reason)


def _difference(body: object) -> str:
    """Says how a returned text differs, without the text."""
    if not isinstance(body, str):
        return "no text"
    wanted, found = normal_text(_COMMENT), normal_text(body)
    pairs = enumerate(zip(wanted, found, strict=False))
    place = next((at for at, (a, b) in pairs if a != b), min(len(wanted), len(found)))
    return f"{len(found)} characters instead of {len(wanted)}, different from character {place}"
