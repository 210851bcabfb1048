"""Chooses the service of an incident if its action names none. Pure.

The record's category comes first, because it has its own service id. Then come the outbound service
mappings, in the order of the configuration.
"""

from collections.abc import Iterable, Sequence

from pagerforce.config.schema import Config
from pagerforce.errors import RefusedError
from pagerforce.model.action import Task
from pagerforce.model.ids import is_record_id, is_same_record_id
from pagerforce.model.mapping import ResolvedMapping
from pagerforce.model.value import Fields, Scalar, is_empty


def carried_service(task: Task, config: Config) -> str | None:
    """The service id of the record's category, if any."""
    path = _service_id_path(config, task.object)
    carried = _first_value(_sources(task), path) if path else None
    return carried.strip() if isinstance(carried, str) and carried.strip() else None


def choose_service(task: Task, config: Config, mappings: Sequence[ResolvedMapping]) -> str:
    """The id of the service for the task's record if its category has none.

    The record at the time of the event decides if it has a value, else its last known state.

    Raises:
        RefusedError: no mapping applies; the text says what to configure.
    """
    sources = _sources(task)
    path = _service_id_path(config, task.object)
    for mapping in mappings:
        if mapping.outbound and mapping.object.lower() == task.object.lower():
            value = _first_value(sources, mapping.field)
            if not is_empty(value) and is_same(value, mapping.value):
                return mapping.service
    hints = ["give the action a service"]
    if path:
        hints.append(f"fill {path} of the record")
    hints.append(f"add an outbound service mapping for {task.object}")
    raise RefusedError(f"no service for this record: {', or '.join(hints)}; then retry it")


def is_same(left: Scalar, right: Scalar) -> bool:
    """Whether a field has a mapping's value; compares like the operator ``equals``."""
    if isinstance(left, str) and isinstance(right, str):
        if _looks_like_id(left) and _looks_like_id(right):
            return is_same_record_id(left, right)
        return left.strip().casefold() == right.strip().casefold()
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def _looks_like_id(text: str) -> bool:
    """Whether it is an Id and not a word of the same length: Ids contain digits."""
    return is_record_id(text) and any(letter.isdigit() for letter in text)


def _service_id_path(config: Config, object_name: str) -> str:
    """The path of the service id in records of this object; Salesforce's names ignore case."""
    for item in config.objects:
        if item.name.lower() == object_name.lower():
            return item.service_id_path
    return ""


def _sources(task: Task) -> tuple[Fields, ...]:
    known = (task.event_record, task.record.fields if task.record else None)
    return tuple(fields for fields in known if fields is not None)


def _first_value(sources: Iterable[Fields], path: str) -> Scalar:
    for fields in sources:
        value = _value(fields, path)
        if not is_empty(value):
            return value
    return None


def _value(fields: Fields, path: str) -> Scalar:
    """A field by name; Salesforce's names ignore case."""
    if path in fields:
        return fields[path]
    wanted = path.lower()
    return next((value for name, value in fields.items() if name.lower() == wanted), None)
