"""The sandboxed, strict Jinja2 environment that templates live in."""

from jinja2 import StrictUndefined
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS

from pagerforce.errors import PagerforceError
from pagerforce.model.value import is_empty
from pagerforce.rules.filters import FILTERS, FilterProblem
from pagerforce.rules.views import View, text_of

_TESTS = ("defined", "undefined", "divisibleby", "even", "odd", "in", "number", "string")


class TemplateProblem(PagerforceError):  # noqa: N818 - a reason to show, not a failure of ours
    """A template cannot be read or filled in; the reason names names, never customers' text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Undefined(StrictUndefined):
    """Says which name is undefined in the words of the template."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        owner = self._undefined_obj
        name = self._undefined_name
        if isinstance(owner, View):
            return f"{owner!r}.{name} is undefined"
        hint = " (only comment and annotate events have one)" if name == "comment" else ""
        return f"{name} is undefined{hint}"


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, with arithmetic kept to numbers so that no text can be multiplied."""

    intercepted_binops = frozenset({"*", "%"})

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        for side in (left, right):
            if isinstance(side, bool) or not isinstance(side, int | float):
                raise FilterProblem(f"{operator} works on numbers only")
        return super().call_binop(context, operator, left, right)


def _build_environment() -> _Environment:
    environment = _Environment(
        undefined=_Undefined,
        autoescape=False,  # the text goes into JSON of two APIs, never into HTML
        finalize=text_of,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=0,
    )
    environment.globals.clear()
    environment.filters = dict(FILTERS)
    environment.tests = {name: TESTS[name] for name in _TESTS} | {
        "empty": is_empty,
        "none": is_empty,
    }
    return environment


ENVIRONMENT = _build_environment()
