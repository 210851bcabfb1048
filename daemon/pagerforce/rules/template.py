"""Templates filled in: strict, bounded, with reasons that name what the rule's author wrote.

What a template may consist of is decided in ``inspection.py``; what it sees, in ``views.py``.
"""

import functools
from collections.abc import Iterable, Mapping

from jinja2 import TemplateError
from jinja2.environment import Template
from jinja2.exceptions import SecurityError, UndefinedError

from pagerforce.model.value import Json, Scalar
from pagerforce.rules.environment import ENVIRONMENT, TemplateProblem
from pagerforce.rules.filters import MAPS_KEY, MAX_CHARS, FilterProblem
from pagerforce.rules.inspection import inspect_template, is_template
from pagerforce.rules.views import NotAValueError, context_of

__all__ = ["TemplateProblem", "context_of", "render_args", "render_text", "roots_of", "texts_of"]


def roots_of(text: str) -> frozenset[str]:
    """The first words that a template uses; empty for plain text.

    Raises:
        TemplateProblem: it is not a template.
    """
    return inspect_template(text).roots if is_template(text) else frozenset()


@functools.lru_cache(maxsize=20_000)
def _compile(text: str) -> Template:
    inspect_template(text)
    return ENVIRONMENT.from_string(text)


def render_text(
    text: str, context: Mapping[str, object], maps: Mapping[str, Mapping[str, Scalar]]
) -> str:
    """Fills a template in.

    Args:
        text: the template, or plain text.
        context: from ``context_of``.
        maps: the value maps that ``translate`` looks into.

    Raises:
        TemplateProblem: a name is undefined, a map has no such value, the result has no bounds.
    """
    if not is_template(text):
        return text
    parts: list[str] = []
    size = 0
    try:
        for part in _compile(text).generate({**context, MAPS_KEY: maps}):
            size += len(part)
            if size > MAX_CHARS:
                raise TemplateProblem(f"the text grows beyond {MAX_CHARS} characters")
            parts.append(part)
    except (FilterProblem, NotAValueError) as error:
        raise TemplateProblem(str(error)) from error
    except (UndefinedError, SecurityError) as error:
        raise TemplateProblem(error.message or "an undefined name") from error
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        # Their own texts may quote the customer's.
        reason = f"a filter or an operator cannot handle what it was given ({type(error).__name__})"
        raise TemplateProblem(reason) from error
    return "".join(parts)


def render_args(
    args: Mapping[str, Json],
    context: Mapping[str, object],
    maps: Mapping[str, Mapping[str, Scalar]],
) -> dict[str, Json]:
    """Fills every text of an action's arguments in; other values keep their type.

    Raises:
        TemplateProblem: the reason begins with the argument's name.
    """
    return {name: _render(name, value, context, maps) for name, value in args.items()}


def _render(
    place: str,
    value: Json,
    context: Mapping[str, object],
    maps: Mapping[str, Mapping[str, Scalar]],
) -> Json:
    if isinstance(value, str):
        try:
            return render_text(value, context, maps)
        except TemplateProblem as error:
            raise TemplateProblem(f"{place}: {error.reason}") from error
    if isinstance(value, Mapping):
        return {
            name: _render(f"{place}.{name}", item, context, maps) for name, item in value.items()
        }
    if value is None or isinstance(value, bool | int | float):
        return value
    return [_render(f"{place}[{index}]", item, context, maps) for index, item in enumerate(value)]


def texts_of(value: Json) -> Iterable[str]:
    """Every text inside an argument, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_of(item)
    elif value is not None and not isinstance(value, bool | int | float):
        for item in value:
            yield from texts_of(item)
