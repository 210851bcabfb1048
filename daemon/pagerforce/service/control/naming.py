"""Finds the incident or record that an operator names: by id, or by a unique number or Name."""

from pagerforce.errors import NotFoundError
from pagerforce.model.ids import is_same_record_id
from pagerforce.store import links
from pagerforce.store.database import Transaction

_MAX_DIGITS = 18


async def incident_called(tx: Transaction, text: str) -> str:
    """Returns the id of the linked incident with this id or number; the text itself if none has it.

    Raises:
        NotFoundError: several have this number.
    """
    return text if await _is_id(tx, text) else _only(text, await _incidents(tx, text))


async def record_called(tx: Transaction, text: str) -> str:
    """Returns the Id of the linked record with this Id or Name; the text itself if none has it.

    Raises:
        NotFoundError: several have this Name.
    """
    return text if await _is_id(tx, text) else _only(text, await _records(tx, text))


async def anything_called(tx: Transaction, text: str) -> str:
    """Returns the id of the linked incident or record; the text itself if there is none.

    Raises:
        NotFoundError: several have this number or Name.
    """
    if await _is_id(tx, text):
        return text
    return _only(text, await _incidents(tx, text) | await _records(tx, text))


async def _is_id(tx: Transaction, text: str) -> bool:
    """Whether the text is an id; ids come before numbers and Names."""
    return any(
        link.incident_id == text or is_same_record_id(link.record_id, text)
        for link in await links.find_links(tx, text)
    )


async def _incidents(tx: Transaction, text: str) -> dict[str, str]:
    # 00012 is not an incident's number, but may be a record's Name
    if not (text.isascii() and text.isdigit()) or text.startswith("0") or len(text) > _MAX_DIGITS:
        return {}
    return dict.fromkeys(await links.find_incidents_by_number(tx, int(text)), "incident")


async def _records(tx: Transaction, text: str) -> dict[str, str]:
    return dict(await links.find_records_by_name(tx, text))


def _only(text: str, found: dict[str, str]) -> str:
    if len(found) > 1:
        listed = ", ".join(f"{key} ({kind})" for key, kind in found.items())
        raise NotFoundError(f"several have the number or name {text}: {listed}; give an id instead")
    return next(iter(found), text)
