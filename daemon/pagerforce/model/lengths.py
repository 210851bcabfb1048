"""How long a text is to the systems we write to, and how it is cut where it is too long. Pure.

Length is counted in UTF-16 units, as both vendors' languages do: a count in characters would be too
short for some text and this one is never too long.
"""

ELLIPSIS = "…"

MOST_TEXT = 131_072
"""Characters of one text of either vendor; the longest field of Salesforce holds as many."""

MOST_NAME = 1024
"""Characters of a title, a name, an address or a key."""

MOST_ID = 100
"""Characters of an id or of the name of a field."""

MOST_ITEMS = 1000
"""Members of a list or an object within one row."""


def length_of(text: str) -> int:
    """The length of a text in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def fitting(text: str, room: int) -> int:
    """How many characters from the start of the text take at most ``room`` UTF-16 units."""
    if len(text) * 2 <= room:
        return len(text)
    if text.isascii():
        return min(len(text), max(room, 0))
    used = 0
    for place, letter in enumerate(text):
        used += 2 if letter > "\uffff" else 1
        if used > room:
            return place
    return len(text)


def cut(text: str, limit: int, end: str = ELLIPSIS) -> str:
    """The text as it is where it fits, else its beginning and ``end``, together within ``limit``."""
    if length_of(text) <= limit:
        return text
    kept = fitting(text, limit - length_of(end))
    return text[:kept].rstrip() + end[: fitting(end, limit)]
