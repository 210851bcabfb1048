"""Turns pydantic's errors into problems with the place and the remedy.

It uses only error kinds, limits and pagerforce's own messages, never an input value, which may be a
secret.
"""

from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pagerforce.config.merge import LISTS
from pagerforce.config.objects import CommentSettings, ObjectSettings, ServiceMapping
from pagerforce.config.schema import Config
from pagerforce.config.settings import (
    DaemonSettings,
    DeliverySettings,
    MetricsSettings,
    PagerDutySettings,
    SalesforceSettings,
    StateSettings,
)
from pagerforce.config.suggest import did_you_mean
from pagerforce.errors import Problem

SECTIONS: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): Config,
    ("daemon",): DaemonSettings,
    ("state",): StateSettings,
    ("metrics",): MetricsSettings,
    ("pagerduty",): PagerDutySettings,
    ("salesforce",): SalesforceSettings,
    ("delivery",): DeliverySettings,
    ("objects",): ObjectSettings,
    ("objects", "comments"): CommentSettings,
    ("service_mappings",): ServiceMapping,
}

# The remedies for missing required keys; the other keys have a default.
_REMEDIES = {
    "pagerduty": "a section [pagerduty] with at least from_email",
    "pagerduty.from_email": "the e-mail of the PagerDuty user that pagerforce acts as",
    "salesforce": "a section [salesforce] with at least login_url, consumer_key and username",
    "salesforce.login_url": "your org's own address, such as https://acme.my.salesforce.com",
    "salesforce.consumer_key": "the consumer key of the app that pagerforce uses to log in",
    "salesforce.username": "the Salesforce user that pagerforce acts as",
    "objects.name": "the API name of the object, or a preset",
    "objects.comments.object": "the API name of the child object for comments",
    "objects.comments.parent_field": "the field of the comment that points to its record",
    "objects.comments.body_field": "the field of the comment for its text",
    "service_mappings.name": "its own name, for messages",
    "service_mappings.object": "one of the configured objects",
    "service_mappings.field": "the API name of the field that decides",
    "service_mappings.value": "the value for the service, or a { lookup = { ... } }",
    "service_mappings.service": "the id of the PagerDuty service",
}

_TYPES = {
    "string_type": 'must be text in quotes, such as "..."',
    "int_type": "must be a whole number without quotes",
    "int_from_float": "must be a whole number without quotes",
    "bool_type": "must be true or false, without quotes",
    "list_type": "must be a list in [ ]",
    "tuple_type": "must be a list in [ ]",
    "dict_type": "must be a table of keys and values",
    "mapping_type": "must be a table of keys and values",
    "model_type": "must be a table of keys and values",
    "model_attributes_type": "must be a table of keys and values",
}


def to_problems(
    error: ValidationError, place: Callable[[Sequence[str | int]], str]
) -> list[Problem]:
    """Returns one problem per error; ``place`` returns file and key path of a location."""
    return [_to_problem(detail, place) for detail in error.errors(include_url=False)]


def _to_problem(detail: ErrorDetails, place: Callable[[Sequence[str | int]], str]) -> Problem:
    # pydantic adds this last step if the error is in a key of a table, not in its value
    path = tuple(part for part in detail["loc"] if part != "[key]")
    return Problem(place(path), _explain(detail, path))


def _explain(detail: ErrorDetails, path: Sequence[str | int]) -> str:
    kind, limits = detail["type"], detail.get("ctx", {})
    match kind:
        case "missing":
            what = f"is required: give {_REMEDIES['.'.join(_names(path))]}"
        case "extra_forbidden":
            what = _explain_unknown(path)
        case "literal_error":
            what = "must be one of " + str(limits["expected"]).replace("'", '"')
        case "greater_than_equal":
            what = f"must be at least {limits['ge']}"
        case "less_than_equal":
            what = f"must be at most {limits['le']}"
        case "setting":
            what = detail["msg"]
        case _:
            what = _TYPES.get(kind, f"can not be used ({kind}): see docs/configuration.md")
    return what


def _names(path: Sequence[str | int]) -> tuple[str, ...]:
    return tuple(part for part in path if isinstance(part, str))


def _explain_unknown(path: Sequence[str | int]) -> str:
    key = str(path[-1])
    section = _names(path[:-1])
    known = tuple(SECTIONS[section].model_fields) if section in SECTIONS else ()
    guess = did_you_mean(key, known)
    if guess:
        return f"unknown key{guess}"
    homes = [_heading(name) for name, model in SECTIONS.items() if key in model.model_fields]
    if homes:
        return f"unknown key here: it belongs to {' or '.join(homes)}"
    return f"unknown key: remove it, or use one of {', '.join(known)}"


def _heading(section: tuple[str, ...]) -> str:
    if not section:
        return "the top of the file"
    name = ".".join(section)
    return f"[[{name}]]" if name in LISTS else f"[{name}]"
