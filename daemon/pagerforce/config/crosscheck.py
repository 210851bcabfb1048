"""Checks across sections and files, and of the templates outside rules.

It works on the merged tables rather than on the models, so that these problems are reported
together with those of single values. Values of the wrong type are skipped: the schema reports them.
"""

from collections.abc import Iterator, Mapping

from pagerforce.config.merge import Merged
from pagerforce.config.suggest import did_you_mean
from pagerforce.errors import Problem
from pagerforce.rules.environment import TemplateProblem
from pagerforce.rules.inspection import ROOTS, inspect_template, is_template

_TEMPLATES = ("note_template", "comment_template")
_COMMENT_PARTS = ("author", "body", "created_at")


def cross_check(merged: Merged) -> list[Problem]:
    """Returns double names, dangling references and broken templates; rulesets check themselves."""
    return [
        *_doubled_names(merged, "objects"),
        *_doubled_names(merged, "service_mappings"),
        *_doubled_services(merged),
        *_unknown_objects(merged),
        *_doubled_winners(merged),
        *_wrong_templates(merged),
    ]


def object_names(merged: Merged) -> tuple[str, ...]:
    """Returns the names of the configured objects that are text."""
    names = (item.get("name") for item in merged.items("objects"))
    return tuple(name for name in names if isinstance(name, str))


def _doubled_names(merged: Merged, key: str) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for index, item in enumerate(merged.items(key)):
        name = item.get("name")
        if not isinstance(name, str):
            continue
        place = merged.place((key, index, "name"))
        # Salesforce API names ignore case; a mapping's name is a label as written.
        known = first.setdefault(name.lower() if key == "objects" else name, place)
        if known != place:
            yield Problem(place, f"{known} has the same name: each needs its own")


def _doubled_services(merged: Merged) -> Iterator[Problem]:
    section = merged.table.get("pagerduty")
    services = section.get("services") if isinstance(section, Mapping) else None
    seen: set[str] = set()
    for index, service in enumerate(services if isinstance(services, list) else []):
        if isinstance(service, str) and service in seen:
            place = merged.place(("pagerduty", "services", index))
            yield Problem(place, "this service is listed twice: remove one")
        if isinstance(service, str):
            seen.add(service)


def _unknown_objects(merged: Merged) -> Iterator[Problem]:
    known = object_names(merged)
    for index, item in enumerate(merged.items("service_mappings")):
        name = item.get("object")
        if isinstance(name, str) and name not in known:
            guess = did_you_mean(name, known)
            what = f"names an object that is not configured{guess}: add it under [[objects]]"
            yield Problem(merged.place(("service_mappings", index, "object")), what)


def _doubled_winners(merged: Merged) -> Iterator[Problem]:
    for index, item in enumerate(merged.items("objects")):
        winners = item.get("conflict_fields")
        seen: set[str] = set()
        for field in winners if isinstance(winners, Mapping) else ():
            if field.lower() in seen:
                place = merged.place(("objects", index, "conflict_fields", field))
                yield Problem(place, "this field is listed twice, with different case: remove one")
            seen.add(field.lower())


def _wrong_templates(merged: Merged) -> Iterator[Problem]:
    for index, item in enumerate(merged.items("objects")):
        comments = item.get("comments")
        if not isinstance(comments, Mapping):
            continue
        for key in _TEMPLATES:
            text = comments.get(key)
            if isinstance(text, str) and is_template(text):
                place = merged.place(("objects", index, "comments", key))
                yield from (Problem(place, what) for what in _judge(text, merged))


def _judge(text: str, merged: Merged) -> Iterator[str]:
    try:
        inspection = inspect_template(text)
    except TemplateProblem as error:
        yield f"is not a template that can be filled in: {error.reason}"
        return
    for root in sorted(inspection.roots - ROOTS):
        yield f"unknown name {root}: templates see {', '.join(sorted(ROOTS))}"
    for path in sorted(inspection.paths):
        if path[0] == "comment" and len(path) > 1 and path[1] not in _COMMENT_PARTS:
            guess = did_you_mean(path[1], _COMMENT_PARTS)
            yield f"unknown name comment.{path[1]}{guess}: there are {', '.join(_COMMENT_PARTS)}"
    for name in sorted(inspection.maps - merged.maps.keys()):
        yield f"translates with a map that is not configured: add [maps.{name}]"
