"""Splits a text that is longer than its field into numbered parts, losing nothing. Pure."""

from pagerforce.model.lengths import fitting, length_of

_ROUNDS = 6  # a text of 10 ** 6 parts would need so many digits; no field is that small


def split_text(text: str, limit: int) -> tuple[str, ...]:
    """The text as it is where it fits, else parts that begin with ``(1/3) ``.

    The parts without their numbers, joined, are the text. A part ends before a blank where one is
    near, because Salesforce cuts blanks off the end of a text.

    Args:
        text: what to store.
        limit: of the field, in characters; 0 or less: not known, so nothing is split.
    """
    if limit <= 0 or length_of(text) <= limit:
        return (text,)
    digits = 1
    for _ in range(_ROUNDS):
        room = limit - len("(/) ") - 2 * digits
        if room < 1:
            break
        chunks = _cut(text, room)
        if len(str(len(chunks))) <= digits:
            return tuple(
                f"({number}/{len(chunks)}) {chunk}" for number, chunk in enumerate(chunks, start=1)
            )
        digits += 1
    raise ValueError(f"a field of {limit} characters is too short for numbered parts")


def _cut(text: str, room: int) -> list[str]:
    chunks = []
    rest = text
    while rest:
        end = max(1, fitting(rest, room))  # so that every cut gets on
        if end < len(rest):
            end = _before_blank(rest, end)
        chunks.append(rest[:end])
        rest = rest[end:]
    return chunks


def _before_blank(text: str, end: int) -> int:
    """A place near ``end`` that has a blank after it and none before it; else ``end`` itself."""
    for place in range(end, end // 2, -1):
        if text[place].isspace() and not text[place - 1].isspace():
            return place
    return end
