"""The filters of templates. Each takes what a field can hold and never grows without bound.

They raise ``FilterProblem`` with a reason that carries no text of the customer's, except an
unmapped value, which the contract wants named.
"""

import math
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from jinja2 import pass_context
from jinja2.filters import do_striptags
from jinja2.runtime import Context, Undefined

from pagerforce.model.lengths import ELLIPSIS, cut
from pagerforce.model.value import Scalar, is_empty
from pagerforce.rules.compare import to_moment, to_number
from pagerforce.rules.views import View, text_of

MAX_CHARS = 131_072
"""The longest text a template, or a step inside one, may make: Salesforce's largest long text."""
MAPS_KEY = " maps"
"""Where the value maps stand in a context: no template can spell a name with a blank in it."""
SHOWN_CHARS = 80


class FilterProblem(ValueError):  # noqa: N818 - a reason that is always shown, like TemplateProblem
    """A filter was given something it cannot handle."""


def bounded(text: str) -> str:
    """The text itself, unless it is longer than any target could take.

    Raises:
        FilterProblem: it is.
    """
    if len(text) > MAX_CHARS:
        raise FilterProblem(f"the text grows beyond {MAX_CHARS} characters")
    return text


def translate(table: Mapping[str, Scalar], name: str, value: object) -> Scalar:
    """Looks a value up in a map: exactly, then without case, then the map's ``default``.

    Raises:
        FilterProblem: there is no such value and no default.
    """
    text = text_of(value)
    if text in table:
        return table[text]
    folded = text.casefold()
    for key, mapped in table.items():
        if key.casefold() == folded:
            return mapped
    if "default" in table:
        return table["default"]
    shown = text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
    raise FilterProblem(f'map "{name}" has no value for {shown!r} and no default')


@pass_context
def _translate(context: Context, value: object, name: str) -> Scalar:
    maps: Mapping[str, Mapping[str, Scalar]] = context.get(MAPS_KEY) or {}
    if name not in maps:
        raise FilterProblem("translate names a map that is not configured")
    return translate(maps[name], name, value)


def _default(value: object, other: object = "") -> object:
    return other if isinstance(value, Undefined) or is_empty(value) or value == [] else value


def _truncate(value: object, length: int = 255, end: str = ELLIPSIS) -> str:
    return cut(text_of(value), int(length), end)


def _replace(value: object, old: str, new: object) -> str:
    text, wanted, put = text_of(value), text_of(old), text_of(new)
    if not wanted:
        raise FilterProblem("replace needs a text to look for")
    grown = len(text) + text.count(wanted) * (len(put) - len(wanted))
    if grown > MAX_CHARS:
        raise FilterProblem(f"the text grows beyond {MAX_CHARS} characters")
    return text.replace(wanted, put)


def _join(value: object, separator: str = ", ", attribute: str | None = None) -> str:
    items = _items(value)
    if attribute is not None:
        items = [_part(item, attribute) for item in items]
    texts = [text_of(item) for item in items]
    return bounded(separator.join(text for text in texts if text))


def _part(item: object, attribute: str) -> object:
    if not isinstance(item, View):
        raise FilterProblem("join by attribute needs a list of people")
    try:
        return item[attribute]
    except KeyError:
        raise FilterProblem("join by attribute knows id, name and email") from None


def _items(value: object) -> Sequence[object]:
    if isinstance(value, str):
        return list(value)
    if isinstance(value, Sequence):
        return value
    raise FilterProblem("the value is not a list")


def _first(value: object) -> object:
    items = _items(value)
    return items[0] if items else ""


def _last(value: object) -> object:
    items = _items(value)
    return items[-1] if items else ""


def _length(value: object) -> int:
    return len(_items(value))


def _sort(value: object) -> list[str]:
    return sorted((text_of(item) for item in _items(value)), key=str.casefold)


def _unique(value: object) -> list[str]:
    return list(dict.fromkeys(text_of(item) for item in _items(value)))


def _number(value: object) -> int | float:
    number = to_number(value)
    if number is None:
        raise FilterProblem("the value is not a number")
    return number


def _int(value: object, default: int | None = None) -> int:
    number = to_number(value)
    if number is None and default is not None:
        return default
    return math.trunc(_number(value))


def _float(value: object, default: float | None = None) -> float:
    number = to_number(value)
    if number is None and default is not None:
        return float(default)
    return float(_number(value))


def _round(value: object, precision: int = 0) -> int | float:
    return round(_number(value), precision) if precision else round(_number(value))


def _date(value: object, layout: str = "%Y-%m-%d %H:%M", zone: str = "UTC") -> str:
    if is_empty(value):
        return ""
    moment = to_moment(text_of(value))
    if moment is None:
        raise FilterProblem("the value is not a date or a date and time")
    if not is_zone(zone):
        raise FilterProblem("date was given a time zone that this host does not know")
    try:
        return moment.astimezone(zoneinfo.ZoneInfo(zone)).strftime(layout)
    except (ValueError, OverflowError):
        raise FilterProblem("date cannot write this date in this form") from None


def is_zone(name: str) -> bool:
    """Whether the host's time zone database knows this name, e.g. ``Europe/Berlin``."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _on_text(change: Callable[[str], str]) -> Callable[[object], str]:
    def changed(value: object) -> str:
        return change(text_of(value))

    return changed


FILTERS: Mapping[str, Callable[..., object]] = {
    "abs": lambda value: abs(_number(value)),
    "capitalize": _on_text(str.capitalize),
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
    "lower": _on_text(str.lower),
    "replace": _replace,
    "round": _round,
    "sort": _sort,
    "string": _on_text(str),
    "striptags": _on_text(do_striptags),
    "title": _on_text(str.title),
    "translate": _translate,
    "trim": _on_text(str.strip),
    "truncate": _truncate,
    "unique": _unique,
    "upper": _on_text(str.upper),
    "urlencode": _on_text(lambda text: quote(text, safe="")),
}
"""Every filter by its name in a template."""
