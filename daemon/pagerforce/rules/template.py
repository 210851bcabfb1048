"""Renders templates: strict, bounded, with error reasons in the terms of the rule's author.

``inspection.py`` decides what a template may contain, ``views.py`` what it sees, and ``budget.py``
what it may cost.
"""

from collections.abc import Iterable, Mapping

from pagerforce.model.value import Json, Scalar
from pagerforce.rules.budget import Budget
from pagerforce.rules.environment import TemplateProblem
from pagerforce.rules.expressions import Rendering
from pagerforce.rules.inspection import inspect_template, is_template, read_template
from pagerforce.rules.views import NotAValueError, context_of

__all__ = ["TemplateProblem", "context_of", "render_args", "render_text", "roots_of", "texts_of"]

_CANNOT = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""Exceptions that Python raises if a filter or an operator cannot handle its input."""
Maps = Mapping[str, Mapping[str, Scalar]]


def roots_of(text: str) -> frozenset[str]:
    """The first words that a template uses; empty for plain text.

    Raises:
        TemplateProblem: it is not a template.
    """
    return inspect_template(text).roots if is_template(text) else frozenset()


def render_text(
    text: str, context: Mapping[str, object], maps: Maps, budget: Budget | None = None
) -> str:
    """Renders a template.

    Args:
        text: the template, or plain text.
        context: from ``context_of``.
        maps: the value maps for ``translate``.
        budget: what it may cost; None: as much as all actions of one rule together.

    Raises:
        TemplateProblem: a name is undefined, a map has no such value, or it costs too much.
    """
    if not is_template(text):
        return text
    budget = Budget() if budget is None else budget
    run = Rendering(context, maps, budget)
    try:
        read_template(text).program(run)
    except NotAValueError as error:
        raise TemplateProblem(str(error)) from error
    except _CANNOT as error:
        # Python's own messages may quote customers' text.
        reason = f"a filter or an operator cannot handle its input ({type(error).__name__})"
        raise TemplateProblem(reason) from error
    budget.make(run.size)
    return "".join(run.parts)


def render_args(
    args: Mapping[str, Json],
    context: Mapping[str, object],
    maps: Maps,
    budget: Budget | None = None,
) -> dict[str, Json]:
    """Renders every text in an action's arguments; other values keep their type.

    Args:
        args: the arguments as written.
        context: from ``context_of``.
        maps: the value maps for ``translate``.
        budget: what all of them may cost; None: as much as all actions of one rule together.

    Raises:
        TemplateProblem: the reason begins with the argument's name.
    """
    budget = Budget() if budget is None else budget
    return {name: _render(name, value, context, maps, budget) for name, value in args.items()}


def _render(
    place: str, value: Json, context: Mapping[str, object], maps: Maps, budget: Budget
) -> Json:
    if isinstance(value, str):
        try:
            return render_text(value, context, maps, budget)
        except TemplateProblem as error:
            raise TemplateProblem(f"{place}: {error.reason}") from error
    if isinstance(value, Mapping):
        return {
            name: _render(f"{place}.{name}", item, context, maps, budget)
            for name, item in value.items()
        }
    if value is None or isinstance(value, bool | int | float):
        return value
    return [
        _render(f"{place}[{index}]", item, context, maps, budget)
        for index, item in enumerate(value)
    ]


def texts_of(value: Json) -> Iterable[str]:
    """All texts inside an argument, without keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_of(item)
    elif value is not None and not isinstance(value, bool | int | float):
        for item in value:
            yield from texts_of(item)
