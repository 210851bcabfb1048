"""The table of actions as a small catalog, and a way to write configurations for tests."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import tomli_w

from pagerforce.config.load import Loaded, load_config
from pagerforce.errors import ConfigError, Problem
from pagerforce.model.action import ActionSpec, FieldState, Param, ParamKind, TargetKind
from pagerforce.model.ids import Side

PD, SF = Side.PAGERDUTY, Side.SALESFORCE
TEXT, LIST = ParamKind.TEXT, ParamKind.LIST


def _pagerduty(word: str, *params: Param, **more: object) -> ActionSpec:
    target = more.pop("target", TargetKind.INCIDENT)
    return ActionSpec(f"pagerduty.{word}", PD, target, params, word, **more)


CATALOG = (
    _pagerduty(
        "create_incident",
        Param("title", required=True),
        Param("service"),
        Param("urgency"),
        Param("priority"),
        Param("body"),
        Param("escalation_policy"),
        Param("assignees", LIST),
        Param("unless_linked", ParamKind.CHOICE, choices=("any", "open"), default="any"),
        target=TargetKind.NEW_INCIDENT,
        at_most_one_of=(("escalation_policy", "assignees"),),
        is_page=True,
    ),
    _pagerduty(
        "acknowledge",
        Param("assign_to", ParamKind.CHOICE, choices=("writer", "actor", "unchanged")),
    ),
    _pagerduty("resolve", Param("resolution")),
    _pagerduty("set_priority", Param("priority", required=True)),
    _pagerduty("run_response_play", Param("response_play", required=True), is_repeatable=False),
    _pagerduty("run_workflow", Param("workflow", required=True), is_repeatable=False),
    _pagerduty(
        "reassign",
        Param("assignees", LIST),
        Param("escalation_policy"),
        exactly_one_of=(("assignees", "escalation_policy"),),
    ),
    _pagerduty("add_note", Param("text", required=True), target=TargetKind.INCIDENT_ANY),
    ActionSpec(
        "salesforce.set_field",
        SF,
        TargetKind.RECORD,
        (
            Param("field", ParamKind.NAME, required=True),
            Param("value", ParamKind.VALUE),
            Param("lookup", ParamKind.LOOKUP),
        ),
        "set_field",
        exactly_one_of=(("value", "lookup"),),
        sets=FieldState("field"),
    ),
    ActionSpec(
        "salesforce.create_record",
        SF,
        TargetKind.NEW_RECORD,
        (Param("fields", ParamKind.FIELDS), Param("object", ParamKind.NAME)),
        "create_record",
    ),
    ActionSpec(
        "salesforce.add_comment",
        SF,
        TargetKind.RECORD,
        (Param("text", required=True),),
        "add_comment",
    ),
)

MINIMAL: Mapping[str, object] = {
    "pagerduty": {"from_email": "integration@example.com"},
    "salesforce": {
        "login_url": "https://acme.my.salesforce.com",
        "consumer_key": "3MVG9",
        "username": "integration@example.com",
    },
}


def write(
    folder: Path, changes: Mapping[str, object] | str = "", name: str = "config.toml"
) -> Path:
    """A minimal valid file with ``changes`` on top: section by section, or as TOML text."""
    given = tomllib.loads(changes) if isinstance(changes, str) else changes
    table = {**MINIMAL, **given}
    for section in MINIMAL:
        if isinstance(table[section], dict):
            table[section] = {**MINIMAL[section], **table[section]}
    path = folder / name
    path.write_text(tomli_w.dumps(table), encoding="utf-8")
    return path


def load(path: Path, **environ: str) -> Loaded:
    return load_config(path, catalog=CATALOG, environ=environ)


def problems_of(path: Path, **environ: str) -> dict[str, str]:
    """The problems of a file: place -> problem. Fails if there are two at one place."""
    try:
        load(path, **environ)
    except ConfigError as error:
        return by_place(error.problems)
    raise AssertionError("this configuration was accepted")


def by_place(problems: tuple[Problem, ...]) -> dict[str, str]:
    places = [problem.where for problem in problems]
    assert len(places) == len(set(places)), f"a place is reported twice: {places}"
    return {problem.where: problem.what for problem in problems}
