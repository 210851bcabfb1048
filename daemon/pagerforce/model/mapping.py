"""Service mappings with resolved lookups: which field value belongs to which service."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from pagerforce.model.value import Scalar


class ResolvedMapping(Struct, frozen=True):
    """One row of the service mapping table: ``object.field = value`` belongs to ``service``."""

    name: str
    object: str
    field: str
    value: Scalar
    service: str
    inbound: bool
    outbound: bool


class MappingTable(Protocol):
    """Gives delivery the resolved service mappings."""

    async def resolve(self) -> Sequence[ResolvedMapping]:
        """Every mapping that can be resolved, in the order of the configuration; cached.

        Raises:
            RemoteError: a lookup failed.
        """
        ...
