"""Splits a text that is longer than its field into numbered parts, without loss. Pure."""

import re

from pagerforce.model.lengths import Unit, before_joined
from pagerforce.model.sameness import Likeness, likeness

_ROUNDS = 6  # a text of 10 ** 6 parts would need so many digits; no field is that small
_NUMBER = re.compile(r"\(\d{1,6}/\d{1,6}\) ")


def split_text(text: str, limit: int, unit: Unit = Unit.UTF16) -> tuple[str, ...]:
    """The text itself if it fits, else parts that begin with ``(1/3) ``.

    The parts without their numbers, joined, are the text. A part ends before a blank if one is
    near, because Salesforce removes blanks at the end of a text. A part never ends inside a
    character.

    Args:
        text: what to store.
        limit: of the field; 0 or less: not known, so nothing is split.
        unit: what the limit counts.
    """
    if limit <= 0 or unit.of(text) <= limit:
        return (text,)
    digits = 1
    for _ in range(_ROUNDS):
        room = limit - len("(/) ") - 2 * digits
        if room < 1:
            break
        chunks = _cut(text, room, unit)
        if len(str(len(chunks))) <= digits:
            return tuple(
                f"({number}/{len(chunks)}) {chunk}" for number, chunk in enumerate(chunks, start=1)
            )
        digits += 1
    raise ValueError(f"a field of {limit} {unit.value} is too short for numbered parts")


def halved(part: str) -> tuple[str, ...]:
    """The halves of a part that the org refuses as too long; the part itself if it has none.

    A whole text becomes parts 1 and 2 of 2; both halves of a numbered part keep its number.
    """
    number = number_of(part)
    text = part.removeprefix(number)
    if len(text) < 2:
        return (part,)
    end = _cut_at(text, (len(text) + 1) // 2)
    if not 0 < end < len(text):
        return (part,)
    first, second = (number, number) if number else ("(1/2) ", "(2/2) ")
    return f"{first}{text[:end]}", f"{second}{text[end:]}"


def number_of(part: str) -> str:
    """The number at the start of a part, ``(2/3) ``; empty if it has none."""
    found = _NUMBER.match(part)
    return found.group() if found else ""


def is_piece(stored: str, text: str) -> bool:
    """Whether a stored text, perhaps after a prefix, is a numbered part of a text."""
    found = _NUMBER.search(stored)
    piece = stored[found.end() :] if found else ""
    return likeness(piece, text, may_be_cut=False) is not Likeness.NONE


def _cut(text: str, room: int, unit: Unit) -> list[str]:
    chunks = []
    rest = text
    while rest:
        end = max(1, unit.fitting(rest, room))  # every cut makes progress
        if end < len(rest):
            end = _cut_at(rest, end)
        chunks.append(rest[:end])
        rest = rest[end:]
    return chunks


def _cut_at(text: str, end: int) -> int:
    """A place near ``end`` with a blank after it and none before it; else between characters."""
    for place in range(end, end // 2, -1):
        if text[place].isspace() and not text[place - 1].isspace() and text[place - 1] != "\r":
            return place
    return before_joined(text, end)
