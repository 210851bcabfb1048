"""Service mappings with their lookups resolved. Implements ``model.mapping.MappingTable``."""

from collections.abc import Sequence

from pagerforce.config.schema import Config, Lookup, ServiceMapping
from pagerforce.errors import RefusedError
from pagerforce.model.mapping import ResolvedMapping
from pagerforce.model.value import Scalar
from pagerforce.observe.log import get_log
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.salesforce.schema import SchemaCache
from pagerforce.salesforce.values import to_payload

_LOG = get_log("salesforce")


class MappingResolver:
    """The service mapping table of a configuration.

    Args:
        config: the mappings as configured.
        schema: knows the types of the mapped fields, so that values are in canonical form.
        lookups: finds and caches the Ids of mappings with a lookup.
    """

    def __init__(self, config: Config, schema: SchemaCache, lookups: LookupResolver) -> None:
        self._mappings = config.service_mappings
        self._schema = schema
        self._lookups = lookups

    async def resolve(self) -> Sequence[ResolvedMapping]:
        """Every mapping whose lookup finds one row, in the order of the configuration.

        One renamed category must not stop the pages of all others. So a mapping that cannot be
        resolved is left out here; ``check`` and the log report it.

        Raises:
            RemoteError: a lookup could not be requested.
        """
        found = []
        for mapping in self._mappings:
            try:
                found.append(await self.resolve_one(mapping))
            except RefusedError as error:
                _LOG.warning("service_mapping_left_out", mapping=mapping.name, reason=str(error))
        return found

    async def resolve_one(self, mapping: ServiceMapping) -> ResolvedMapping:
        """One mapping.

        Raises:
            RefusedError: its lookup finds no row or several; the message names the mapping.
            RemoteError: the lookup could not be requested.
        """
        return ResolvedMapping(
            name=mapping.name,
            object=mapping.object,
            field=mapping.field,
            value=await self._value_of(mapping),
            service=mapping.service,
            inbound=mapping.inbound,
            outbound=mapping.outbound,
        )

    async def _value_of(self, mapping: ServiceMapping) -> Scalar:
        try:
            if isinstance(mapping.value, Lookup):
                fields = mapping.value.fields
                return await self._lookups.resolve(mapping.object, mapping.field, fields)
            info = (await self._schema.describe(mapping.object)).fields.get(mapping.field)
            return mapping.value if info is None else to_payload(info, mapping.value)
        except RefusedError as error:
            message = f'service mapping "{mapping.name}": {error}'
            raise RefusedError(message, status=error.status, code=error.code) from error
