"""Which service an incident goes to where its action names none. Pure.

The record's category comes first, as it carries a service id of its own; then the outbound service
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
    """The service id that the record's category carries, if any."""
    path = _service_id_path(config, task.object)
    carried = _first_value(_sources(task), path) if path else None
    return carried.strip() if isinstance(carried, str) and carried.strip() else None


def choose_service(task: Task, config: Config, mappings: Sequence[ResolvedMapping]) -> str:
    """The id of the service for the task's record, where its category carries none.

    The record as of the event decides, where it says anything; else the record as last seen.

    Raises:
        RefusedError: nothing leads to a service; the text says what to configure.
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
    """Whether a field holds a mapping's value, compared as the operator ``equals`` compares."""
    if isinstance(left, str) and isinstance(right, str):
        if _looks_like_id(left) and _looks_like_id(right):
            return is_same_record_id(left, right)
        return left.strip().casefold() == right.strip().casefold()
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def _looks_like_id(text: str) -> bool:
    """Whether it is an Id rather than a word that happens to be as long: Ids hold digits."""
    return is_record_id(text) and any(letter.isdigit() for letter in text)


def _service_id_path(config: Config, object_name: str) -> str:
    """Where records of this object carry a service id; Salesforce's names know no case."""
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
    """A field by name; Salesforce's names know no case."""
    if path in fields:
        return fields[path]
    wanted = path.lower()
    return next((value for name, value in fields.items() if name.lower() == wanted), None)
