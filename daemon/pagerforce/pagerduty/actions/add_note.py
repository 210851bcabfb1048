"""``pagerduty.add_note``. Fact: ``pagerduty.notes-without-key``.

A note has no key of pagerforce. After a lost answer it is searched for by its text, its author and
its time before it is sent again. No maximum length is documented: a note is sent whole, or in
numbered parts if PagerDuty refuses it as too long.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from pagerforce.errors import MalformedError, RefusedError, RemoteError, UnknownOutcomeError
from pagerforce.model.action import (
    ActionSpec,
    Cost,
    Param,
    Purpose,
    TargetKind,
    Task,
)
from pagerforce.model.durations import SIDES_APART
from pagerforce.model.expectation import EntryExpected, Expectation
from pagerforce.model.ids import IncidentId, Side
from pagerforce.model.parts import split_text
from pagerforce.model.value import Json
from pagerforce.model.verdict import Delivered, NoteMade, Rejected, Skipped, Unknown, Verdict
from pagerforce.pagerduty.actions.advice import is_too_long
from pagerforce.pagerduty.actions.handler import Handler
from pagerforce.pagerduty.actions.tools import Writer, incident_id_of, verbatim
from pagerforce.pagerduty.decode import Note, decode_note, decode_rows
from pagerforce.pagerduty.rate import RateClass

PART_CHARS = 1_000
"""The length of a part in UTF-16 units: below 1,024, the only documented maximum of a text in
PagerDuty (an alert's summary)."""


ADD_NOTE = ActionSpec(
    do="pagerduty.add_note",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT_ANY,
    params=(Param("text", required=True, doc="the note"),),
    doc="adds a note, to resolved incidents too",
    cost=Cost(calls=1, entries=1),
    purpose=Purpose.NOTE,
)


class AddNote(Handler):
    """Adds a note to an incident, resolved or not."""

    spec = ADD_NOTE
    rate_class = RateClass.NOTE

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:
        writer = await self._tools.writer_of(task)
        content = verbatim(args.get("text"))
        texts = dict.fromkeys((content, *split_text(content, PART_CHARS)))
        return [
            EntryExpected("annotate", incident_id, writer.user_id, text=text)
            for incident_id in (incident_id_of(task), *task.tried_elsewhere)
            for text in texts
        ]

    async def _attempt(self, task: Task, args: Mapping[str, Json]) -> Verdict:
        content = verbatim(args.get("text"))
        if not content:
            return Skipped("the text of the note is empty")
        writer = await self._tools.writer_of(task)
        parts = split_text(content, PART_CHARS)
        incident_id, found = await self._find(task, (content, *parts), writer)
        if content in found:
            made = NoteMade(incident_id, found[content])
            return Delivered(f"found note {made.id} after a lost answer", (made,))
        if not found:
            try:
                note_id = await self._send(incident_id, content, writer)
            except RefusedError as error:
                if len(parts) == 1 or not is_too_long(error):
                    raise
            else:
                return Delivered(f"added note {note_id}", (NoteMade(incident_id, note_id),))
        return await self._send_parts(replace(task, incident_id=incident_id), parts, found, writer)

    async def _send(self, incident_id: IncidentId, content: str, writer: Writer) -> str:
        raw = await self._tools.client.send_note(incident_id, content, writer.email)
        note_id = decode_note(raw).id
        if note_id is None:
            raise UnknownOutcomeError("notes.create: the note in the answer has no id")
        return note_id

    async def _send_parts(
        self, task: Task, parts: Sequence[str], found: Mapping[str, str], writer: Writer
    ) -> Verdict:
        """Adds the missing parts in their order."""
        incident_id = incident_id_of(task)
        made = dict(found)
        for part in parts:
            if part in made:
                continue
            try:
                made[part] = await self._send(incident_id, part, writer)
            except RemoteError as error:
                return self._interrupted(task, error, len(made), len(parts))
        effects = tuple(NoteMade(incident_id, made[part]) for part in parts)
        detail = f"too long for one note: {len(parts)} parts, {len(found)} of them found"
        return Delivered(detail, effects)

    def _interrupted(self, task: Task, error: RemoteError, done: int, total: int) -> Verdict:
        """The verdict if a part failed; the next attempt must search for the written parts."""
        verdict = self._judge(task, error)
        if done == 0:
            return verdict
        written = f"{done} of {total} parts are written"
        if isinstance(verdict, Rejected) and task.is_uncertain:
            return Rejected(f"{written}, the next was refused: {verdict.reason}")
        # Refused on the first attempt: only an unknown outcome keeps the expectations that
        # recognise the written parts in a poll.
        return Unknown(f"{written}: {error}")

    async def _find(
        self, task: Task, texts: Sequence[str], writer: Writer
    ) -> tuple[IncidentId, dict[str, str]]:
        """The incident that the notes belong to, and the notes that an earlier attempt created."""
        here = incident_id_of(task)
        if task.is_uncertain:
            for incident_id in (here, *task.tried_elsewhere):
                found = await self._look_up(task, incident_id, texts, writer)
                if found:
                    return incident_id, found
        return here, {}

    async def _look_up(
        self, task: Task, incident_id: IncidentId, texts: Sequence[str], writer: Writer
    ) -> dict[str, str]:
        """For each text, the id of the oldest note that an earlier attempt may have created."""
        rows = await self._tools.client.fetch_notes(incident_id)
        notes, flaws = decode_rows(rows, decode_note, "note")
        if flaws or any(note.id is None or not note.content for note in notes):
            # It may be the wanted note: no conclusion is better than a duplicate.
            raise MalformedError("notes.list: a note of the answer cannot be understood")
        found: dict[str, str] = {}
        for note in notes:
            if note.id is None or note.id in task.known_ids:
                continue
            for text in texts:
                if text not in found and _can_be_ours(note, task, text, writer):
                    found[text] = note.id
                    break
        return found


def _can_be_ours(note: Note, task: Task, content: str, writer: Writer) -> bool:
    if note.content.split() != content.split():
        return False
    if note.created_at is not None and note.created_at < task.earliest_doing_at - SIDES_APART:
        return False
    is_certain = writer.user_id is not None and note.user.id is not None
    return note.is_by_bot or not is_certain or note.user.id == writer.user_id
