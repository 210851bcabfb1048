"""The filters of templates. Each accepts any value of a field and is paid for before it runs.

They raise ``TemplateProblem`` with a reason that has no customers' text, except an unmapped value,
which the operator needs to map it.
"""

import functools
import math
import re
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from jinja2.filters import do_striptags

from pagerforce.model.lengths import ELLIPSIS, cut
from pagerforce.model.value import Scalar, is_empty
from pagerforce.rules.budget import Budget
from pagerforce.rules.compare import to_moment, to_number
from pagerforce.rules.environment import TemplateProblem
from pagerforce.rules.methods import in_other_case
from pagerforce.rules.values import Undefined, in_bounds, is_list, join, search, text_in
from pagerforce.rules.views import View

Maps = Mapping[str, Mapping[str, Scalar]]
SHOWN_CHARS = 80
MAX_PRECISION = 30
MAX_LAYOUT_CHARS = 256
_WIDTH = re.compile(r"%[-_0+^#]*[1-9]")
"""A width in a layout: ``%99d`` produces a text of that length."""
_REFERENCE = re.compile(r"&[^\t\n\f <&#;]{1,32}")
_MOST_PER_LAYOUT_CHAR = 16
_DATE_STEPS = 20
_ZONE_STEPS = 400
_MOST_ZONE_CHARS = 64
_UNQUOTED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"


def translate(budget: Budget, table: Mapping[str, Scalar], name: str, value: object) -> Scalar:
    """Looks a value up in a map: exactly, then without case, then the map's ``default``.

    Raises:
        TemplateProblem: there is no such value and no default.
    """
    text = text_in(budget, value)
    if text in table:
        return table[text]
    budget.spend(len(table) >> 1)
    budget.spend(len(text) >> 4)
    folded = text.casefold()
    for key, mapped in table.items():
        if key.casefold() == folded:
            return mapped
    if "default" in table:
        return table["default"]
    shown = text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
    raise TemplateProblem(f'map "{name}" has no value for {shown!r} and no default')


def _translate(budget: Budget, value: object, name: str, *, maps: Maps) -> Scalar:
    if name not in maps:
        raise TemplateProblem("translate names a map that is not configured")
    return translate(budget, maps[name], name, value)


def _default(budget: Budget, value: object, other: object = "") -> object:
    if isinstance(value, str):
        budget.read(len(value))
    return other if isinstance(value, Undefined) or is_empty(value) or value == [] else value


def _truncate(budget: Budget, value: object, length: int = 255, end: str = ELLIPSIS) -> str:
    limit = int(length)
    # The part that is cut off need not be measured: no character is shorter than one unit.
    text = text_in(budget, value)
    text = text[: max(limit, 0) + 1] if len(text) > limit else text
    budget.spend((0 if text.isascii() else len(text) >> 2) + (len(end) >> 2))
    budget.make(len(text))
    return cut(text, limit, end)


def _replace(budget: Budget, value: object, old: str, new: object) -> str:
    text, wanted = text_in(budget, value), text_in(budget, old)
    put = text_in(budget, new)
    if not wanted:
        raise TemplateProblem("replace needs a text to search for")
    search(budget, text, wanted)
    count = text.count(wanted)
    budget.spend(count >> 4)
    budget.make(len(text) + count * (len(put) - len(wanted)))
    return text.replace(wanted, put)


def _join(
    budget: Budget, value: object, separator: str = ", ", attribute: str | None = None
) -> str:
    items = _items(value)
    budget.hold(len(items))
    budget.spend(len(items))
    if attribute is not None:
        items = [_part(item, attribute) for item in items]
    texts = [text_in(budget, item) for item in items]
    return join(budget, separator, [text for text in texts if text])


def _part(item: object, attribute: str) -> object:
    if not isinstance(item, View):
        raise TemplateProblem("join by attribute needs a list of people")
    try:
        return item[attribute]
    except KeyError:
        raise TemplateProblem("join by attribute knows id, name and email") from None


def _items(value: object) -> Sequence[object]:
    if isinstance(value, str) or is_list(value):
        return value
    raise TemplateProblem("the value is not a list")


def _first(_: Budget, value: object) -> object:
    items = _items(value)
    return items[0] if len(items) else ""


def _last(_: Budget, value: object) -> object:
    items = _items(value)
    return items[-1] if len(items) else ""


def _length(_: Budget, value: object) -> int:
    return len(_items(value))


def _texts(budget: Budget, value: object) -> list[str]:
    items = _items(value)
    budget.hold(len(items))
    budget.spend(len(items))
    return [text_in(budget, item) for item in items]


def _sort(budget: Budget, value: object) -> list[str]:
    texts = _texts(budget, value)
    chars = sum(map(len, texts))
    rounds = len(texts).bit_length()
    budget.reserve(chars)
    budget.spend((len(texts) >> 2) * rounds + (chars >> 8) * rounds + (chars >> 4))
    return sorted(texts, key=str.casefold)


def _unique(budget: Budget, value: object) -> list[str]:
    texts = _texts(budget, value)
    budget.read(sum(map(len, texts)))
    return list(dict.fromkeys(texts))


def _number(value: object) -> int | float:
    number = to_number(value)
    if number is None:
        raise TemplateProblem("the value is not a number")
    return number


def _int(budget: Budget, value: object, default: object = None) -> object:
    if default is not None and not _is_number(budget, value):
        return default
    return in_bounds(math.trunc(_number(value)))


def _float(budget: Budget, value: object, default: float | None = None) -> object:
    if default is not None and not _is_number(budget, value):
        return in_bounds(float(default))
    return in_bounds(float(_number(value)))


def _is_number(budget: Budget, value: object) -> bool:
    if isinstance(value, str):
        budget.read(len(value))
    return to_number(value) is not None


def _round(_: Budget, value: object, precision: int = 0) -> object:
    if abs(precision) > MAX_PRECISION:
        raise TemplateProblem(f"round takes a precision from -{MAX_PRECISION} to {MAX_PRECISION}")
    number = _number(value)
    return in_bounds(round(number, precision) if precision else round(number))


def _date(budget: Budget, value: object, layout: str = "%Y-%m-%d %H:%M", zone: str = "UTC") -> str:
    if isinstance(value, str):
        budget.read(len(value) << 1)
    if is_empty(value):
        return ""
    moment = to_moment(text_in(budget, value))
    if moment is None:
        raise TemplateProblem("the value is not a date or a date and time")
    problem = check_layout(layout)
    if problem is not None:
        raise TemplateProblem(problem)
    budget.spend(_DATE_STEPS)
    budget.make(len(layout) * _MOST_PER_LAYOUT_CHAR)
    if not is_zone(zone):
        raise TemplateProblem("date was given a time zone that this host does not know")
    try:
        return moment.astimezone(_read_zone(zone)).strftime(layout)
    except (ValueError, OverflowError):
        raise TemplateProblem("date cannot write this date in this layout") from None


def check_layout(layout: str) -> str | None:
    """Why ``date`` does not accept a layout; None if it does."""
    if len(layout) > MAX_LAYOUT_CHARS:
        return f"date takes a layout of at most {MAX_LAYOUT_CHARS} characters"
    if _WIDTH.search(layout) is not None:
        return "date takes no width in its layout: write %d, not %9d"
    return None


def is_zone(name: str) -> bool:
    """Whether the host's time zone database knows this name, e.g. ``Europe/Berlin``."""
    if len(name) > _MOST_ZONE_CHARS:
        return False
    try:
        _read_zone(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


# Larger than the number of zone names: no template can cause a zone to be read twice.
@functools.lru_cache(maxsize=1024)
def _read_zone(name: str) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(name)


def _case(change: Callable[[str], str]) -> Callable[[Budget, object], str]:
    return lambda budget, value: in_other_case(budget, text_in(budget, value), change)


def _trim(budget: Budget, value: object) -> str:
    text = text_in(budget, value)
    budget.make(len(text))
    return text.strip()


def _striptags(budget: Budget, value: object) -> str:
    text = text_in(budget, value)
    budget.spend((len(text) >> 3) + (text.count("<") >> 1) + text.count("&"))
    # An unknown character reference is tried at every length.
    budget.spend(sum(map(len, _REFERENCE.findall(text))))
    budget.make(len(text))
    return str(do_striptags(text))


def _urlencode(budget: Budget, value: object) -> str:
    text = text_in(budget, value)
    budget.spend(len(text) >> 5)
    encoded = text.encode()
    plain = len(encoded) - len(encoded.translate(None, _UNQUOTED))
    budget.make(plain + 3 * (len(encoded) - plain))
    budget.spend(len(encoded) >> 2)
    return quote(encoded, safe="")


FILTERS: Mapping[str, Callable[..., object]] = {
    "abs": lambda _, value: abs(_number(value)),
    "capitalize": _case(str.capitalize),
    "count": _length,
    "d": _default,
    "date": _date,
    "default": _default,
    "first": _first,
    "float": _float,
    "int": _int,
    "join": _join,
    "last": _last,
    "length": _length,
    "lower": _case(str.lower),
    "replace": _replace,
    "round": _round,
    "sort": _sort,
    "string": text_in,
    "striptags": _striptags,
    "title": _case(str.title),
    "translate": _translate,
    "trim": _trim,
    "truncate": _truncate,
    "unique": _unique,
    "upper": _case(str.upper),
    "urlencode": _urlencode,
}
"""Every filter by its name in a template."""
NEEDS_MAPS = "translate"
"""The filter that also gets the value maps."""
