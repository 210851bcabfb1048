"""What templates see: read-only views of an event, an incident, a record and a comment.

A view has no public Python attribute, so that no field's name (``items``, ``count``, …) can ever
find a method instead of its value.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pagerforce.model.event import Event
from pagerforce.model.ids import Side
from pagerforce.model.incident import Incident, Person, Ref
from pagerforce.model.value import Fields, Json, format_instant, is_empty


class View:
    """Named values, some of them views; ``record.Name`` and ``record["Name"]`` are the same."""

    __slots__ = ("_path", "_values")

    def __init__(self, path: str, values: Mapping[str, object]) -> None:
        self._path = path
        self._values = values

    def __getitem__(self, name: str) -> object:
        value = self._values[name]
        return EMPTY if value is None else value

    def __bool__(self) -> bool:
        return any(not is_empty(value) for value in self._values.values())

    def __str__(self) -> str:
        raise NotAValueError(self._path)

    def __repr__(self) -> str:
        return self._path


def size_of(view: View) -> int:
    """The number of values that a truth test of a view reads."""
    return len(view._values)  # noqa: SLF001 - the only public names of a view are its parts


class NotAValueError(ValueError):
    """A template prints a value that has parts, e.g. ``{{ incident.service }}``."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} has parts; name one of them, e.g. {path}.name")


class EmptyText(str):
    """An empty value: blank text with empty parts (``record.X__r.Name`` without a parent)."""

    __slots__ = ()

    def __getitem__(self, key: object) -> str:  # names are keys here too
        return self if isinstance(key, str) else ""


EMPTY = EmptyText()


class NothingView(View):
    """A missing subject: all its parts are empty."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__(path, {})

    def __getitem__(self, name: str) -> object:
        # The customer chooses the names of custom fields: a method of text could hide one.
        return NothingView(f"{self._path}.{name}") if name == "custom_fields" else EMPTY

    def __str__(self) -> str:
        return ""


class PersonView(View):
    """A person; its text is the name, else the e-mail, else the id."""

    __slots__ = ()

    def __init__(self, path: str, person: Person) -> None:
        super().__init__(path, {"id": person.id, "name": person.name, "email": person.email})

    def __str__(self) -> str:
        return str(self["name"] or self["email"] or self["id"])


class RecordView(View):
    """A record's flat fields as a chain of attributes: ``record.Owner.Name``.

    Args:
        path: its name in the template, for messages.
        fields: flat, parents under their path.
        known: further names that exist but are empty here (for a record before its creation).
        below: for a parent: the names of the whole record, and the common prefix of its fields.
    """

    __slots__ = ("_names", "_prefix")

    def __init__(
        self,
        path: str,
        fields: Fields,
        known: Fields | None = None,
        below: "tuple[_Names, str] | None" = None,
    ) -> None:
        super().__init__(path, fields)
        self._names, self._prefix = below or (_Names(fields, known or {}), "")

    def __getitem__(self, name: str) -> object:
        wanted = self._prefix + name
        found = wanted if wanted in self._values else self._names.find(wanted)
        if found is None:
            return self._parent(name)
        value = self._values.get(found)
        return EMPTY if value is None else value

    def __bool__(self) -> bool:
        return any(
            not is_empty(value)
            for name, value in self._values.items()
            if name.startswith(self._prefix)
        )

    def _parent(self, name: str) -> "RecordView":
        prefix = f"{self._prefix}{name}."
        if not self._names.has_below(prefix):
            raise KeyError(name)
        return RecordView(f"{self._path}.{name}", self._fields, below=(self._names, prefix))

    @property
    def _fields(self) -> Fields:
        return self._values  # type: ignore[return-value]  # a record's values are scalars


class _Names:
    """The names of a record's fields and parents in lower case; built at first use."""

    __slots__ = ("_fields", "_folded", "_known", "_parents")

    def __init__(self, fields: Fields, known: Fields) -> None:
        self._fields = fields
        self._known = known
        self._folded: dict[str, str] | None = None
        self._parents: frozenset[str] = frozenset()

    def find(self, path: str) -> str | None:
        """The actual name of a field: API names do not differ by case."""
        return self._read().get(path.lower())

    def has_below(self, prefix: str) -> bool:
        """Whether there are fields below a parent; ``prefix`` ends with a dot."""
        self._read()
        return prefix.lower() in self._parents

    def _read(self) -> dict[str, str]:
        if self._folded is None:
            names = [*self._fields, *self._known]
            # If names differ only in case, the first one wins.
            self._folded = {name.lower(): name for name in reversed(names)}
            self._parents = frozenset(
                path[: place + 1]
                for path in self._folded
                for place, letter in enumerate(path)
                if letter == "."
            )
        return self._folded


def find_field(fields: Mapping[str, object], path: str) -> str | None:
    """The key of a field, in any case (``salesforce.names-without-case``)."""
    if path in fields:
        return path
    folded = path.lower()
    return next((name for name in fields if name.lower() == folded), None)


def context_of(
    event: Event,
    record: Fields | None = None,
    incident: Incident | None = None,
    *,
    linked: bool = False,
) -> dict[str, object]:
    """All names for a template.

    Args:
        event: the event; its own state of the incident or the record wins over the arguments.
        record: the linked record's fields (PagerDuty events); None: nothing is linked.
        incident: the linked incident (Salesforce events); None: nothing is linked.
        linked: whether the incident and the rule's object are linked.
    """
    # A deleted record is shown in its last state.
    own_record = event.record or event.old_record or record
    values: dict[str, object] = {
        "event": _event_view(event),
        "incident": _incident_view("incident", event.incident or incident),
        "record": NothingView("record") if own_record is None else RecordView("record", own_record),
        "old": View(
            "old",
            {
                "record": _old_record_view(event, own_record),
                "incident": _incident_view("old.incident", event.old_incident),
            },
        ),
        "linked": linked,
    }
    if event.comment is not None:
        comment = event.comment
        created_at = format_instant(comment.created_at)
        parts = {"body": comment.body, "author": comment.author, "created_at": created_at}
        values["comment"] = View("comment", parts)
    return values


def _old_record_view(event: Event, record: Fields | None) -> View:
    if event.source is Side.PAGERDUTY:
        return NothingView("old.record")  # an incident's event changes no record
    return RecordView("old.record", event.old_record, record)


def _event_view(event: Event) -> View:
    return View(
        "event",
        {
            "source": event.source.value,
            "type": event.type,
            "at": format_instant(event.at),
            "actor": PersonView("event.actor", event.actor),
            "note": event.note,
            "message": event.message,
            "subject": event.subject,
        },
    )


def _incident_view(path: str, incident: Incident | None) -> View:
    if incident is None:
        return NothingView(path)
    return View(
        path,
        {
            "id": incident.id,
            "number": incident.number,
            "title": incident.title,
            "status": None if incident.status is None else incident.status.value,
            "urgency": incident.urgency,
            "html_url": incident.html_url,
            "created_at": _instant(incident.created_at),
            "service": _ref_view(f"{path}.service", incident.service),
            "escalation_policy": _ref_view(f"{path}.escalation_policy", incident.escalation_policy),
            "priority": _ref_view(f"{path}.priority", incident.priority),
            "assignees": [PersonView(f"{path}.assignees", one) for one in incident.assignees],
            "resolve_reason": incident.resolve_reason,
            "custom_fields": View(f"{path}.custom_fields", incident.custom_fields),
        },
    )


def _ref_view(path: str, ref: Ref | None) -> View:
    if ref is None:
        return NothingView(path)
    return View(path, {"id": ref.id, "name": ref.name})


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else format_instant(moment)


def text_of(value: object) -> str:
    """The text of a value: empty values as "", booleans as in TOML, whole numbers without .0.

    Raises:
        NotAValueError: it has parts and no text of its own.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return ", ".join(text_of(item) for item in value)
    if isinstance(value, Mapping):
        raise NotAValueError("this table")
    return str(value)


def to_json(value: object) -> Json:
    """A value as a trace stores it."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, Person):
        return {"id": value.id, "name": value.name, "email": value.email}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [to_json(item) for item in value]
    return str(value)
