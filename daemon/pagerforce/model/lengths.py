"""The length of a text in the systems that pagerforce writes to, and how texts are cut. Pure.

Each field counts in its own unit (``salesforce.comment-counted-in-bytes``). If the unit is not
known, it is UTF-16 units, as in the languages of both vendors: a count in characters would be too
small for some texts, and this one never is.
"""

import unicodedata
from enum import Enum

ELLIPSIS = "…"

MOST_TEXT = 131_072
"""Characters of one text of either vendor; the longest field of Salesforce holds as many."""

MOST_NAME = 1024
"""Characters of a title, a name, an address or a key."""

MOST_ID = 100
"""Characters of an id or of the name of a field."""

MOST_ITEMS = 1000
"""Members of a list or an object within one row."""

_ENTITIES = {"&": 5, "<": 4, ">": 4, '"': 6, "'": 5}
_ZERO_WIDTH_JOINER = "\u200d"
_MOST_JOINED = 64  # letters of one character; more is no writing system


class Unit(Enum):
    """What a field's length counts."""

    UTF16 = "UTF-16 units"
    ENCODED = "UTF-16 units of the text as HTML"
    ENCODED_BYTES = "UTF-8 bytes of the text as HTML"

    def of(self, text: str) -> int:
        """The length of a text."""
        if self is Unit.UTF16:
            return length_of(text)
        return sum(map(self._weight, text))

    def _weight(self, letter: str) -> int:
        if self is not Unit.UTF16 and letter in _ENTITIES:
            return _ENTITIES[letter]
        if self is Unit.ENCODED_BYTES:
            return len(letter.encode("utf-8", "surrogatepass"))
        return 2 if letter > "\uffff" else 1

    def fitting(self, text: str, room: int) -> int:
        """How many characters from the start of the text take at most ``room``."""
        if self is Unit.UTF16:
            return fitting(text, room)
        used = 0
        for place, letter in enumerate(text):
            used += self._weight(letter)
            if used > room:
                return place
        return len(text)


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


def before_joined(text: str, end: int) -> int:
    """The last place up to ``end`` that does not cut what people see as one character.

    Such characters are: accents, emoji with a skin tone, families joined by a zero-width joiner,
    flags, syllables of Hangul letters, a line feed after its carriage return. ``end`` itself if no
    such place is near.
    """
    for place in range(end, max(0, end - _MOST_JOINED), -1):
        if not _is_joined(text, place):
            return place
    return end


def _is_joined(text: str, place: int) -> bool:
    """Whether the letters before and after a place are one character."""
    if not 0 < place < len(text):
        return False
    before, letter = text[place - 1], text[place]
    if _ZERO_WIDTH_JOINER in (letter, before):
        return True
    if unicodedata.category(letter) in ("Mn", "Me", "Mc") or "\U0001f3fb" <= letter <= "\U0001f3ff":
        return True
    if before == "\r" and letter == "\n":
        return True
    if _is_flag_letter(before) and _is_flag_letter(letter):
        return _flag_letters_before(text, place) % 2 == 1
    return "\u1160" <= letter <= "\u11ff" and "\u1100" <= before <= "\u11ff"


def _is_flag_letter(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"


def _flag_letters_before(text: str, place: int) -> int:
    start = place
    while start > 0 and place - start < _MOST_JOINED and _is_flag_letter(text[start - 1]):
        start -= 1
    return place - start


def cut(text: str, limit: int, end: str = ELLIPSIS, unit: Unit = Unit.UTF16) -> str:
    """The text itself if it fits, else its beginning and ``end``, together within ``limit``."""
    if unit.of(text) <= limit:
        return text
    kept = before_joined(text, unit.fitting(text, limit - unit.of(end)))
    return text[:kept].rstrip() + end[: unit.fitting(end, limit)]
