"""Reads a template into Jinja's syntax tree.

Jinja only parses here: it neither generates code nor runs a template. ``program.py`` gives the tree
its meaning.
"""

from jinja2 import Environment, TemplateSyntaxError, nodes

from pagerforce.errors import PagerforceError

MAX_TEMPLATE_CHARS = 32_768


class TemplateProblem(PagerforceError):  # noqa: N818 - a reason to show, not an internal error
    """A template cannot be read or rendered. The reason has names only, never customers' text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _build_environment() -> Environment:
    environment = Environment(  # noqa: S701 - the text goes into JSON of two APIs, never into HTML
        keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True, cache_size=0
    )
    environment.globals.clear()
    return environment


_ENVIRONMENT = _build_environment()


def parse_template(text: str) -> nodes.Template:
    """Reads a template into its tree.

    Raises:
        TemplateProblem: it is not a template, is too long or is nested too deeply.
    """
    if len(text) > MAX_TEMPLATE_CHARS:
        raise TemplateProblem(f"the template is longer than {MAX_TEMPLATE_CHARS} characters")
    try:
        return _ENVIRONMENT.parse(text)
    except TemplateSyntaxError as error:
        raise TemplateProblem(f"line {error.lineno}: {error.message}") from error
    except RecursionError as error:
        raise TemplateProblem("the template is nested too deeply") from error
    except ValueError as error:
        raise TemplateProblem("a number in the template has too many digits") from error
