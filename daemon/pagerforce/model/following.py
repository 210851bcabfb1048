"""Which fields of a record change by themselves after a write to others. Pure.

Such a change is part of the write and returns as its echo. Everything else that Salesforce or the
Remedyforce package changes in response (a computed priority, a roll-up) is a separate change,
evaluated like any other.

Facts: ``salesforce.remedyforce-name-copies``, ``salesforce.remedyforce-closing-by-status``,
``salesforce.rows-nest-parents``.
"""

from collections.abc import Collection

from pagerforce.model.known_fields import CHANGED_WITH


def follows(path: str, written: Collection[str]) -> bool:
    """Whether a field is one of those written, or takes its value from one of them."""
    return any(_follows_one(path, name) for name in written)


def shows(path: str, written: Collection[str]) -> bool:
    """Whether a field shows a value of the row that one of these references points to.

    It changes with every change of the reference, unlike a state that several statuses share.
    """
    return any(_shows_one(path, name) for name in written)


def _shows_one(path: str, name: str) -> bool:
    return path.startswith(f"{_relationship(name)}.") or path.lower() == _name_copy(name)


def _follows_one(path: str, name: str) -> bool:
    if path == name or _shows_one(path, name):
        return True
    return any(
        path == derived or path.startswith(f"{_relationship(derived)}.")
        for derived in CHANGED_WITH.get(name.lower(), ())
    )


def _relationship(name: str) -> str:
    """The first step of the parent paths through a reference field."""
    return f"{name.removesuffix('__c')}__r" if name.endswith("__c") else name.removesuffix("Id")


def _name_copy(name: str) -> str:
    """The package's formula that shows a reference's name, in lower case (``Impact_Id``, sic)."""
    prefix, mark, stem = name.removesuffix("__c").partition("__FK")
    return f"{prefix}__{stem}_id__c".lower() if mark else ""
