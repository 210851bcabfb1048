"""Inbound service: the values of a new record that represent the incident's PagerDuty service.

``service_id_path`` has priority over the service mappings: the record gets the category with the
service's id. A field that the rule itself sets is left to the rule.
"""

from collections.abc import Mapping

from pagerforce.errors import RefusedError
from pagerforce.model.ids import RecordId
from pagerforce.model.incident import Incident
from pagerforce.model.value import Scalar
from pagerforce.salesforce.actions.tools import SalesforceTools
from pagerforce.salesforce.lookup import NothingFoundError


async def inbound_values(
    tools: SalesforceTools, object_name: str, incident: Incident | None, given: Mapping[str, Scalar]
) -> dict[str, Scalar]:
    """The values that the incident's service adds to a new record.

    Raises:
        RefusedError: several categories have the service's id, or a mapping's lookup is not
            unique; the message names it.
        RemoteError: Salesforce could not be reached.
    """
    service = incident.service if incident is not None else None
    if service is None or not service.id:
        return {}
    settings = tools.find_object(object_name)
    path = settings.service_id_path if settings is not None else ""
    values: dict[str, Scalar] = {}
    relation, _, field = path.partition(".")
    # Only the record's own reference can be set; a longer path can be read, but not written.
    if field and "." not in field:
        reference = (await tools.schema.describe(object_name)).relationship(relation)
        is_ours = reference is not None and reference.name not in given
        is_there = await tools.schema.find_field(object_name, path) is not None
        if reference is not None and is_ours and is_there:
            found = await _category_of(tools, object_name, reference.name, field, service.id)
            if found is not None:
                return {reference.name: found}
    for mapping in await tools.mappings.resolve():
        is_same_object = mapping.object.lower() == object_name.lower()
        is_ours = is_same_object and mapping.service == service.id
        if is_ours and mapping.inbound and mapping.field not in given:
            values.setdefault(mapping.field, mapping.value)
    return values


async def _category_of(
    tools: SalesforceTools, object_name: str, reference: str, field: str, service_id: str
) -> RecordId | None:
    """The category with the service's id; None if there is none."""
    try:
        return await tools.lookups.resolve(object_name, reference, {field: service_id})
    except NothingFoundError:
        return None
    except RefusedError as error:
        raise RefusedError(f"category for PagerDuty service {service_id}: {error}") from error
