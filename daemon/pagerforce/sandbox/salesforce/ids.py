"""Record Ids: 15 case-sensitive characters, and the 18-character form with its checksum.

The suffix has one character per five characters of the Id; bit n of it is set if character n is an
upper-case letter. So ``a0C000000000001`` is ``a0C000000000001EAA``.
"""

import re

_SUFFIX_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[A-Z0-5]{3})?", re.ASCII)
_SHORT = 15
_SERIAL_WIDTH = 12


def with_suffix(short: str) -> str:
    """The 18-character form of a 15-character Id."""
    suffix = ""
    for start in range(0, _SHORT, 5):
        bits = sum(1 << n for n, char in enumerate(short[start : start + 5]) if "A" <= char <= "Z")
        suffix += _SUFFIX_ALPHABET[bits]
    return short + suffix


def canonical_id(text: str) -> str | None:
    """The 18-character form of either form; None if the text is no Id or its suffix is wrong."""
    if _SHAPE.fullmatch(text) is None:
        return None
    full = with_suffix(text[:_SHORT])
    return full if len(text) == _SHORT or text == full else None


def make_id(prefix: str, serial: int) -> str:
    """The Id of the ``serial``-th row of the object with this three-character key prefix."""
    digits = ""
    while serial:
        serial, digit = divmod(serial, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return with_suffix(prefix + digits.rjust(_SERIAL_WIDTH, "0"))
