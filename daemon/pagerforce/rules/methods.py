"""The methods of text that templates may call. Each is paid for before it runs."""

from collections.abc import Callable, Mapping, Sequence

from pagerforce.rules.budget import MAX_ITEMS, Budget
from pagerforce.rules.environment import TemplateProblem
from pagerforce.rules.values import search

_MOST_GROWTH = 3
"""The most characters that one becomes in another case (ΐ)."""
_MOST_STRIPPED = 256


def in_other_case(budget: Budget, text: str, change: Callable[[str], str]) -> str:
    """A text in another case, which may be longer than before.

    Raises:
        TemplateProblem: the text exceeds the limit.
    """
    if text.isascii():
        budget.spend(len(text) >> 4)
        budget.make(len(text))
        return change(text)
    budget.spend(len(text) >> 4)
    budget.reserve(len(text) * _MOST_GROWTH)
    changed = change(text)
    budget.make(len(changed))
    return changed


def _case(change: Callable[[str], str]) -> Callable[[Budget, str], str]:
    return lambda budget, text: in_other_case(budget, text, change)


def _strip(
    change: Callable[[str, str | None], str],
) -> Callable[[Budget, str, str | None], str]:
    def stripped(budget: Budget, text: str, letters: str | None = None) -> str:
        if letters is not None and len(letters) > _MOST_STRIPPED:
            raise TemplateProblem(f"strip takes at most {_MOST_STRIPPED} letters")
        budget.spend(len(text) * len(letters or " ") >> 10)
        budget.make(len(text))
        return change(text, letters)

    return stripped


def _split(budget: Budget, text: str, sep: str | None = None, maxsplit: int = -1) -> Sequence[str]:
    if sep is not None:
        search(budget, text, sep)
    budget.make(len(text))
    # One item more than the limit: a longer list is detected without building it.
    most = MAX_ITEMS if maxsplit < 0 else min(maxsplit, MAX_ITEMS)
    parts = text.split(sep, most)
    budget.hold(len(parts))
    return parts


def _splitlines(budget: Budget, text: str, keepends: bool = False) -> Sequence[str]:  # noqa: FBT001, FBT002 - as str has it
    budget.spend(len(text) >> 4)
    budget.make(len(text))
    lines = text.splitlines(keepends)
    budget.hold(len(lines))
    return lines


def _begins(
    test: Callable[..., bool],
) -> Callable[..., bool]:
    def tested(budget: Budget, text: str, wanted: object, *bounds: int) -> bool:
        texts = tuple(wanted) if isinstance(wanted, list) else wanted
        budget.read(sum(map(len, texts)) if isinstance(texts, tuple) else len(text))
        return test(text, texts, *bounds)

    return tested


def _remove(change: Callable[[str, str], str]) -> Callable[[Budget, str, str], str]:
    def removed(budget: Budget, text: str, part: str) -> str:
        budget.make(len(text))
        return change(text, part)

    return removed


METHODS: Mapping[str, Callable[..., object]] = {
    "upper": _case(str.upper),
    "lower": _case(str.lower),
    "title": _case(str.title),
    "capitalize": _case(str.capitalize),
    "strip": _strip(str.strip),
    "lstrip": _strip(str.lstrip),
    "rstrip": _strip(str.rstrip),
    "split": _split,
    "splitlines": _splitlines,
    "startswith": _begins(str.startswith),
    "endswith": _begins(str.endswith),
    "removeprefix": _remove(str.removeprefix),
    "removesuffix": _remove(str.removesuffix),
}
"""Every method by its name in a template."""
