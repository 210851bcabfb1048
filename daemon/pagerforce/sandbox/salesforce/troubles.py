"""Refusals of one operation on one object, alone, in a composite or in a collection.

An HTTP fault ends a whole request; most refusals of an org end one row or one query of it.
"""

from dataclasses import dataclass, field, replace

from pagerforce.sandbox.salesforce.refusals import REFUSALS

WRITES = ("create", "update", "delete")
OPERATIONS = (*WRITES, "query", "describe")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One active kind of refusal.

    Attributes:
        name: of :data:`.refusals.REFUSALS`; one that is an answer of the API.
        operation: one of :data:`OPERATIONS`, ``write`` for all writes, ``any`` for all.
        object: only for this object; ``""`` for any.
        count: for this many operations; None: until it is cleared.

    Raises:
        ValueError: no such name or operation exists.
    """

    name: str
    operation: str = "write"
    object: str = ""
    count: int | None = 1

    def __post_init__(self) -> None:
        refusal = REFUSALS.get(self.name)
        if refusal is None or refusal.as_error() is None:
            names = ", ".join(name for name, item in REFUSALS.items() if item.as_error())
            raise ValueError(f"no refusal {self.name!r} of an operation; known: {names}")
        known = (*OPERATIONS, "write", "any")
        if self.operation not in known:
            raise ValueError(f"operation must be one of {', '.join(known)}")
        if self.count is not None and self.count < 1:
            raise ValueError("count must be at least 1, or null")

    def fits(self, operation: str, object_name: str) -> bool:
        """Whether an operation gets it."""
        if self.object and self.object.lower() != object_name.lower():
            return False
        if self.operation == "write":
            return operation in WRITES
        return self.operation in ("any", operation)


@dataclass(slots=True)
class Troubles:
    """The active refusals, in the order of activation."""

    on: list[Trouble] = field(default_factory=list)

    def add(self, trouble: Trouble) -> None:
        """Activates one."""
        self.on.append(trouble)

    def clear(self) -> None:
        """Ends all of them."""
        self.on.clear()

    def meet(self, operation: str, object_name: str) -> None:
        """Applies the first fitting refusal to an operation, and uses it up.

        Raises:
            ApiError: the refusal.
        """
        for place, trouble in enumerate(self.on):
            if not trouble.fits(operation, object_name):
                continue
            if trouble.count == 1:
                del self.on[place]
            elif trouble.count is not None:
                self.on[place] = replace(trouble, count=trouble.count - 1)
            error = REFUSALS[trouble.name].as_error()
            if error is not None:
                raise error
