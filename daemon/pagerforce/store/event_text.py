"""Events as the journal stores them: the state after each, and of the state before only what differs.

An event has the whole record or incident right after it and right before it, and the two are nearly
equal. Events of earlier versions, with both states in full, stay readable.
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from pagerforce.model.event import Event
from pagerforce.model.incident import Incident
from pagerforce.model.value import Scalar
from pagerforce.store.codec import to_plain

# The keys of the short form; a text has either these or the states before in full.
_OLD_VALUES = "old_values"  # of a record: the fields with another value before
_NEW_FIELDS = "new_fields"  # of a record: the fields that were not known before
_OLD_INCIDENT = "old_incident_values"  # of an incident: likewise; null: it had none

_NAMES = Incident.__struct_fields__
_VALUES = attrgetter(*_NAMES)
_NOTHING = object()


def shorten(event: Event) -> dict[str, object]:
    """An event as data for ``to_text``, with the differences in place of the state before."""
    data = to_plain(event)
    if event.record is not None and event.old_record:
        del data["old_record"]
        data |= _record_before(event.record, event.old_record)
    if event.incident is not None and event.old_incident is not None:
        del data["old_incident"]
        data[_OLD_INCIDENT] = _incident_before(event.incident, event.old_incident)
    return data


def expand(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of an event with both states in full, as ``log --json`` shows it.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: it is damaged.
    """
    full = dict(data.items())
    if _OLD_VALUES in full:
        unknown = frozenset(full.pop(_NEW_FIELDS, ()))
        before = {name: value for name, value in full["record"].items() if name not in unknown}
        full["old_record"] = before | full.pop(_OLD_VALUES)
    if _OLD_INCIDENT in full:
        old = full["incident"] | full.pop(_OLD_INCIDENT)
        full["old_incident"] = {name: value for name, value in old.items() if value is not None}
    return full


def _record_before(
    after: Mapping[str, Scalar], before: Mapping[str, Scalar]
) -> dict[str, dict[str, Scalar] | list[str]]:
    values = {
        name: value for name, value in before.items() if not _same(after.get(name, _NOTHING), value)
    }
    found: dict[str, dict[str, Scalar] | list[str]] = {_OLD_VALUES: values}
    unknown = [name for name in after if name not in before]
    if unknown:
        found[_NEW_FIELDS] = unknown
    return found


def _incident_before(after: Incident, before: Incident) -> dict[str, object]:
    if after is before:
        return {}
    pairs = zip(_NAMES, _VALUES(after), _VALUES(before), strict=True)
    return {name: old for name, new, old in pairs if not _same(new, old)}


def _same(new: object, old: object) -> bool:
    """Whether both have the same text in JSON; 1, 1.0 and true are equal in Python."""
    kind = type(new)
    if new is old or (kind is str and new == old):
        return True  # the most frequent cases first
    if kind is not type(old) or new != old:
        return False
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        return all(_same(value, old[name]) for name, value in new.items())
    return True
