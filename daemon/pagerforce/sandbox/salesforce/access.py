"""The rights of the API's user: hidden fields, denied rights, records that are not shared.

People who act through the world's methods have every right; these knobs restrict the API alone.
Facts: ``salesforce.unreadable-is-invalid``, ``salesforce.unshared-is-not-found``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pagerforce.sandbox.salesforce.errors import ApiError
from pagerforce.sandbox.salesforce.schema import Schema
from pagerforce.sandbox.salesforce.store import Row, RowSource

RIGHTS = ("read", "create", "edit", "delete")


@dataclass(slots=True)
class Access:
    """Revoked rights.

    Attributes:
        hidden: ``(object, field)`` pairs that field-level security hides.
        denied: ``(object, right)`` pairs, rights as in :data:`RIGHTS`.
        unshared: Ids of rows the user may not see.
    """

    hidden: set[tuple[str, str]] = field(default_factory=set)
    denied: set[tuple[str, str]] = field(default_factory=set)
    unshared: set[str] = field(default_factory=set)

    def schema(self, full: Schema) -> Schema:
        """The schema as the API's user sees it."""
        unreadable = {name for name, right in self.denied if right == "read"}
        return full.without(self.hidden, unreadable) if self.hidden or unreadable else full

    def allows(self, object_name: str, right: str) -> bool:
        """Whether the user has a right on an object."""
        return (object_name.lower(), right) not in self.denied

    def check(self, object_name: str, right: str) -> None:
        """Refuses a write without the user's right to it.

        Raises:
            ApiError: INSUFFICIENT_ACCESS_OR_READONLY.
        """
        if not self.allows(object_name, right):
            raise ApiError(
                "INSUFFICIENT_ACCESS_OR_READONLY",
                "insufficient access rights on object id",
                status=403,
            )

    def deny(self, object_name: str, right: str) -> None:
        """Revokes a right.

        Raises:
            ValueError: no such right exists.
        """
        if right not in RIGHTS:
            raise ValueError(f"right must be one of {', '.join(RIGHTS)}")
        self.denied.add((object_name.lower(), right))

    def restore(self) -> None:
        """Restores every right."""
        self.hidden.clear()
        self.denied.clear()
        self.unshared.clear()


@dataclass(frozen=True, slots=True)
class SharedRows:
    """A row source without the rows that are not shared."""

    source: RowSource
    unshared: set[str]

    def find(self, row_id: str) -> Row | None:
        """The row, if it is shared."""
        return None if row_id in self.unshared else self.source.find(row_id)

    def scan(self, object_name: str) -> Iterator[Row]:
        """The shared rows of an object."""
        return (row for row in self.source.scan(object_name) if row.id not in self.unshared)

    def in_order(
        self, object_name: str, field_name: str, least: str | None = None
    ) -> Iterator[Row] | None:
        """The shared rows in an order that the source keeps."""
        rows = self.source.in_order(object_name, field_name, least)
        return None if rows is None else (row for row in rows if row.id not in self.unshared)
