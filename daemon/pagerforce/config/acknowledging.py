"""Pure: whose an incident is once a rule has acknowledged it, for ``check``.

Fact: ``pagerduty.acknowledge-assigns-to-writer``.
"""

from collections.abc import Iterator

from pagerforce.config.checkline import CheckLine, remark
from pagerforce.config.load import Loaded
from pagerforce.config.schema import Config
from pagerforce.rules.inspection import is_template

_DO = "pagerduty.acknowledge"
_WHERE = "{where}: pagerduty.acknowledge"

WRITER = remark(
    "acknowledge.writer",
    _WHERE,
    "PagerDuty gives the incident to {who}; when the acknowledgement runs out, it notifies that user"
    ' and not who was on call. assign_to = "actor" writes it as the person whose change it was,'
    ' "unchanged" leaves the incident with those who have it',
)
ACTOR = remark(
    "acknowledge.actor",
    _WHERE,
    "PagerDuty gives the incident to {who}; when the acknowledgement runs out, it notifies that user"
    " and not who was on call",
)
UNCHANGED = remark(
    "acknowledge.unchanged",
    _WHERE,
    "the incident stays with those who have it and no longer escalates, as it is assigned to them"
    " directly. Where PagerDuty does not take both in one write it gives the incident to {who}:"
    " `pagerforce verify SERVICE` tells",
)
BY_TEMPLATE = remark(
    "acknowledge.by_template",
    _WHERE,
    "assign_to is a template: whose the incident is then is known once the rule fires",
)

ADVICE = (WRITER, ACTOR, UNCHANGED, BY_TEMPLATE)


def acknowledging_lines(loaded: Loaded) -> Iterator[CheckLine]:
    """One line for each action of an enabled rule that acknowledges."""
    for rule in loaded.rules:
        for index, action in enumerate(rule.actions if rule.enabled else ()):
            if action.do == _DO:
                wanted = str(action.args.get("assign_to") or "writer")
                yield _line(f"{rule.place}.actions[{index}]", wanted, loaded.config)


def _line(where: str, wanted: str, config: Config) -> CheckLine:
    if is_template(wanted):
        return BY_TEMPLATE.line(where=where)
    us = config.pagerduty.from_email
    actor = f"the person whose change it was, or to {us} where it does not know or take that person"
    is_actor = wanted == "actor" or config.pagerduty.act_as == "actor"
    advice = {"unchanged": UNCHANGED, "actor": ACTOR}.get(wanted, WRITER)
    return advice.line(where=where, who=actor if is_actor else us)
