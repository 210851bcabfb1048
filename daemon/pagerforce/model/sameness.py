"""Whether two Salesforce field values are the same, or one may have become the other. Pure.

This module alone compares values by type. It answers two questions:

``is_same`` says whether there is a difference *to the field*. It is certain: no person and no rule
can distinguish values that it calls the same. It decides whether a write is needless, whether the
field holds somebody else's value, and whether a written value still holds. By the field's type:

* Ids: 15 and 18 characters of one Id;
* numbers: by value, ``"1.50"`` and ``1.5``, to the field's scale if describe gives one;
* multi-select picklists: as a set, because the org has its own order;
* dates by day, instants by their second, as the org stores them;
* e-mail addresses without case; checkboxes that were never set as false;
* rich text: as a reader sees it, with entities decoded and markup removed;
* any other text: without blanks around it, lines ending in LF.

``likeness`` says whether the stored value *may be the result* of the sent one, after the org's
flows, triggers and field types changed it: a prefix before it, the rest cut off, entities, markup,
another case, a date cut to its day, a rounded number. It is a trace, never a proof. It is used only
with further evidence: the integration user created or last changed the row, and an attempt of
pagerforce is open. Neither finds a person's change: snapshots are compared byte for byte
(``diff.record``).

Facts: docs/vendors/salesforce.md#values.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import IntEnum
from functools import lru_cache

from pagerforce.model.ids import is_record_id, is_same_record_id
from pagerforce.model.value import Scalar, is_empty, is_equal, parse_instant

NUMBER_TYPES = frozenset({"int", "long", "double", "currency", "percent"})

_TAG = re.compile(r"<[^<>]{1,2000}>")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOST_SCALE = 24
_SHORTEST_CUT = 10  # characters of the stored beginning of a text that the org cut
_TELLING = 8  # characters of a text that is no coincidence


class Likeness(IntEnum):
    """How similar a stored value is to a sent one."""

    NONE = 0
    AKIN = 1
    SAME = 2


def is_same(
    kind: str, left: Scalar, right: Scalar, *, scale: int = 0, is_rich: bool = False
) -> bool:
    """Whether two values of a field of this type (describe's word) are one value.

    Args:
        kind: the field's type in lower case.
        left: a value in canonical form, as ``salesforce.values`` makes it.
        right: another.
        scale: digits after the point; 0: not known, compared in full.
        is_rich: whether the text is HTML.
    """
    if is_equal(left, right):
        return True
    if kind == "boolean":
        return bool(left) is bool(right)
    if is_empty(left) or is_empty(right):
        return False
    if kind in NUMBER_TYPES:
        return _is_same_number(left, right, scale)
    if not isinstance(left, str) or not isinstance(right, str):
        return False
    judge = _JUDGES.get(kind, _is_rich_text if is_rich else _is_text)
    return judge(left, right)


def normal_text(text: str) -> str:
    """Text as Salesforce returns it: lines end in LF, no blanks around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def shown_text(text: str) -> str:
    """HTML as a reader sees it: without tags, entities decoded."""
    return html.unescape(_TAG.sub(" ", text))


def likeness(sent: Scalar, stored: Scalar, *, may_be_cut: bool = True) -> Likeness:
    """How similar a stored value is to the result of a sent one, whatever the field's type.

    ``may_be_cut``: whether the beginning of a text alone is a trace of it.
    """
    if is_equal(sent, stored):
        return Likeness.SAME
    is_bare = is_empty(sent) or is_empty(stored)
    if is_bare or isinstance(sent, bool) or isinstance(stored, bool):
        return Likeness.NONE
    number = _likeness_of_numbers(sent, stored)
    if number is not None:
        return number
    one, other = str(sent), str(stored)
    is_choice = ";" in one and _choices(one) == _choices(other)
    if is_choice or is_same_record_id(one, other):
        return Likeness.SAME
    text = _likeness_of_texts(one, other, may_be_cut=may_be_cut)
    return max(_likeness_of_moments(one, other), text)


def _is_text(left: str, right: str) -> bool:
    return normal_text(left) == normal_text(right)


def _is_rich_text(left: str, right: str) -> bool:
    """One of them may be plain text that will become HTML."""
    one, other = _squashed(shown_text(left)), _squashed(shown_text(right))
    return one == other or _squashed(left) == other or one == _squashed(right)


def _is_id(left: str, right: str) -> bool:
    return is_same_record_id(left, right) or _is_text(left, right)


def _is_set(left: str, right: str) -> bool:
    return _choices(left) == _choices(right)


def _is_address(left: str, right: str) -> bool:
    return left.strip().casefold() == right.strip().casefold()


def _is_day(left: str, right: str) -> bool:
    return left[:10] == right[:10] and bool(_DAY.match(left))


def _is_second(left: str, right: str) -> bool:
    try:
        one, other = parse_instant(left), parse_instant(right)
    except ValueError:
        return False
    return one.replace(microsecond=0) == other.replace(microsecond=0)


_JUDGES: Mapping[str, Callable[[str, str], bool]] = {
    "id": _is_id,
    "reference": _is_id,
    "multipicklist": _is_set,
    "date": _is_day,
    "datetime": _is_second,
    "email": _is_address,
}


def is_telling(value: Scalar) -> bool:
    """Whether a value is text that two rows do not share by chance."""
    is_text = isinstance(value, str) and len(value.strip()) >= _TELLING
    return is_text and not is_record_id(str(value)) and not _DAY.match(str(value))


def _likeness_of_texts(sent: str, stored: str, *, may_be_cut: bool) -> Likeness:
    pairs = [(a, b) for a in _readings(sent) for b in _readings(stored) if a and b]
    if any(_squashed(a) == _squashed(b) for a, b in pairs):
        return Likeness.SAME
    is_trace = any(_stands_in(a, b) or (may_be_cut and _is_cut(a, b)) for a, b in pairs)
    return Likeness.AKIN if is_trace else Likeness.NONE


def _stands_in(sent: str, stored: str) -> bool:
    """Whether the whole text is in the other, as separate words."""
    at = stored.find(sent)
    while at >= 0:
        if not _is_inside_word(stored, at) and not _is_inside_word(stored, at + len(sent)):
            return True
        at = stored.find(sent, at + 1)
    return False


def _is_cut(sent: str, stored: str) -> bool:
    """Whether only the beginning of the text is left."""
    kept = stored.rstrip("….").rstrip()
    return len(kept) >= _SHORTEST_CUT and sent.startswith(kept)


def _is_inside_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()


@lru_cache(maxsize=64)
def _readings(text: str) -> tuple[str, ...]:
    """A text as it is and as HTML, each without case and with single blanks."""
    plain = unicodedata.normalize("NFC", text)
    return tuple(dict.fromkeys(" ".join(x.casefold().split()) for x in (plain, shown_text(plain))))


def _squashed(text: str) -> str:
    return "".join(text.split())


def _choices(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(";") if part.strip())


def _number(value: Scalar) -> Decimal | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _is_same_number(left: Scalar, right: Scalar, scale: int) -> bool:
    one, other = _number(left), _number(right)
    if one is None or other is None:
        return False
    if one == other:
        return True
    return 0 < scale <= _MOST_SCALE and _rounded(one, scale) == _rounded(other, scale)


def _rounded(number: Decimal, scale: int) -> Decimal:
    try:
        return number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    except InvalidOperation:  # more digits than such a number can have
        return number


def _likeness_of_numbers(sent: Scalar, stored: Scalar) -> Likeness | None:
    """None if they are not both numbers."""
    one, other = _number(sent), _number(stored)
    if one is None or other is None:
        return None
    if one == other:
        return Likeness.SAME
    exponent = other.as_tuple().exponent
    scale = max(0, -exponent) if isinstance(exponent, int) else 0
    if str(other).endswith(".0"):
        scale = 0  # a double with a whole value
    is_cut = scale <= _MOST_SCALE and _rounded(one, scale) == other
    return Likeness.AKIN if is_cut else Likeness.NONE


def _likeness_of_moments(sent: str, stored: str) -> Likeness:
    if not _DAY.match(sent) or not _DAY.match(stored):
        return Likeness.NONE
    if _is_second(sent, stored):
        return Likeness.SAME
    is_cut = len(stored) == len("2026-01-02") or "T00:00:00" in stored
    return Likeness.AKIN if is_cut and _is_day(sent, stored) else Likeness.NONE
