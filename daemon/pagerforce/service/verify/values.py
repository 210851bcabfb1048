"""The values of a test record: those that the configuration gives new records of its object."""

from collections.abc import Iterator, Mapping

from pagerforce.config.load import Loaded
from pagerforce.config.objects import Lookup
from pagerforce.errors import RefusedError
from pagerforce.model.value import Scalar
from pagerforce.rules.inspection import is_template
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.service.writes import new_rows

Given = tuple[str, object, Mapping[str, object] | None]
"""A field, its value, and the lookup that finds it instead."""


async def configured_values(
    loaded: Loaded, object_name: str, service_id: str, lookups: LookupResolver
) -> dict[str, Scalar]:
    """Returns values and lookups of the first rule that creates such records, and of the mapping.

    Templates are left out: there is no event to fill them in. Lookups without a result are left out
    too.

    Raises:
        RemoteError: the request for a lookup failed.
    """
    values: dict[str, Scalar] = {}
    for field, value, wanted in _given(loaded, object_name, service_id):
        if wanted is not None:
            plain = {key: item for key, item in wanted.items() if _is_plain(item)}
            if len(plain) == len(wanted):
                try:
                    values[field] = await lookups.resolve(object_name, field, plain)  # type: ignore[arg-type]
                except RefusedError:
                    continue
        elif isinstance(value, str | int | float | bool) and _is_plain(value):
            values[field] = value
    return values


def _given(loaded: Loaded, object_name: str, service_id: str) -> Iterator[Given]:
    first = next((row for row in new_rows(loaded) if row.object == object_name), None)
    for write in first.given if first is not None else ():
        yield write.field, write.value, write.lookup
    for item in loaded.config.service_mappings:
        if item.object == object_name and item.service == service_id and item.inbound:
            value = item.value
            fields = value.fields if isinstance(value, Lookup) else None
            yield item.field, value, fields


def _is_plain(value: object) -> bool:
    return not (isinstance(value, str) and is_template(value))
