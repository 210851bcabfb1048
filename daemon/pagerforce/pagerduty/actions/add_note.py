"""``pagerduty.add_note``. Facts: pagerduty.md section 6.

A note has no key of ours, so that after a lost answer it is looked for by its text, its author and
its time before it is sent again.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from pagerforce.errors import UnknownOutcomeError
from pagerforce.model.action import Task
from pagerforce.model.value import Json
from pagerforce.model.verdict import Delivered, Expectation, NoteMade, Skipped, Verdict
from pagerforce.pagerduty.actions.desk import Writer, incident_id_of, verbatim
from pagerforce.pagerduty.actions.handler import Handler
from pagerforce.pagerduty.decode import Note, decode_note, decode_rows

_CLOCK_MARGIN = timedelta(hours=1)
"""How far apart the clocks of the two sides may be."""


class AddNote(Handler):
    """Adds a note to an incident, resolved or not."""

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:
        writer = await self._desk.writer_of(task)
        values = {"text": verbatim(args.get("text"))}
        return (Expectation("annotate", incident_id_of(task), values, writer.user_id),)

    async def _attempt(self, task: Task, args: Mapping[str, Json]) -> Verdict:
        content = verbatim(args.get("text"))
        incident_id = incident_id_of(task)
        if not content:
            return Skipped("the text of the note is empty")
        writer = await self._desk.writer_of(task)
        if task.is_uncertain:
            found = await self._look_up(task, content, writer)
            if found is not None:
                made = NoteMade(incident_id, found)
                return Delivered(f"found note {found} after a lost answer", (made,))
        raw = await self._desk.client.send_note(incident_id, content, writer.email)
        note_id = decode_note(raw).id
        if note_id is None:
            raise UnknownOutcomeError("notes.create: the note in the answer has no id")
        return Delivered(f"added note {note_id}", (NoteMade(incident_id, note_id),))

    async def _look_up(self, task: Task, content: str, writer: Writer) -> str | None:
        """The id of the note that an earlier attempt made; the oldest that can be it."""
        rows = await self._desk.client.fetch_notes(incident_id_of(task))
        notes, _ = decode_rows(rows, decode_note, "note")
        for note in notes:
            if note.id not in task.known_ids and _can_be_ours(note, task, content, writer):
                return note.id
        return None


def _can_be_ours(note: Note, task: Task, content: str, writer: Writer) -> bool:
    if note.id is None or note.content.split() != content.split():
        return False
    if note.created_at is not None and note.created_at < task.earliest_doing_at - _CLOCK_MARGIN:
        return False
    is_certain = writer.user_id is not None and note.user.id is not None
    return note.is_by_bot or not is_certain or note.user.id == writer.user_id
