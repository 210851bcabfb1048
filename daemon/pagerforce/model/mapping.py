"""Service mappings with their lookups resolved: which field value belongs to which service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pagerforce.model.value import Scalar


@dataclass(frozen=True, slots=True)
class ResolvedMapping:
    """One row of the service mapping table: ``object.field = value`` and ``service`` belong together."""

    name: str
    object: str
    field: str
    value: Scalar
    service: str
    inbound: bool
    outbound: bool


class MappingTable(Protocol):
    """Where delivery gets the resolved service mappings from."""

    async def resolve(self) -> Sequence[ResolvedMapping]:
        """Every mapping that can be resolved, in the order of the configuration; cached.

        Raises:
            RemoteError: a lookup could not be asked for.
        """
        ...
