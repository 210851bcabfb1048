"""Reports, for ``check``, to whom PagerDuty assigns an incident that a rule acknowledges. Pure.

Fact: ``pagerduty.acknowledge-assigns-to-writer``.
"""

from collections.abc import Iterator, Mapping

from pagerforce.config.checkline import CheckLine, remark
from pagerforce.config.load import Loaded
from pagerforce.config.schema import Config
from pagerforce.rules.inspection import is_template

_PARAM = "assign_to"
_WHERE = "{where}: {do}"

WRITER = remark(
    "acknowledge.writer",
    _WHERE,
    "PagerDuty assigns the incident to {who}; when the acknowledgement times out, it notifies that"
    " user,"
    ' not the person on call. assign_to = "actor" acknowledges as the person who made the change,'
    ' "unchanged" keeps the assignees',
)
ACTOR = remark(
    "acknowledge.actor",
    _WHERE,
    "PagerDuty assigns the incident to {who}; when the acknowledgement times out, it notifies that"
    " user, not the person on call",
)
UNCHANGED = remark(
    "acknowledge.unchanged",
    _WHERE,
    "the incident keeps its assignees and no longer escalates, as it is assigned to them directly."
    " If PagerDuty does not accept both in one write, it assigns the incident to {who}:"
    " `pagerforce verify SERVICE` shows that",
)
BY_TEMPLATE = remark(
    "acknowledge.by_template",
    _WHERE,
    "assign_to is a template: the assignee is known only when the rule fires",
)

ADVICE = (WRITER, ACTOR, UNCHANGED, BY_TEMPLATE)


def acknowledging_lines(loaded: Loaded) -> Iterator[CheckLine]:
    """Yields one line for each action of an enabled rule that acknowledges."""
    for rule in loaded.rules:
        for index, action in enumerate(rule.actions if rule.enabled else ()):
            if any(param.name == _PARAM for param in action.spec.params):
                wanted = str(action.args.get(_PARAM) or "writer")
                where = {"where": f"{rule.place}.actions[{index}]", "do": action.do}
                yield _line(where, wanted, loaded.config)


def _line(where: Mapping[str, str], wanted: str, config: Config) -> CheckLine:
    if is_template(wanted):
        return BY_TEMPLATE.line(**where)
    us = config.pagerduty.from_email
    actor = f"the person who made the change, or to {us} if it does not know or accept that person"
    is_actor = wanted == "actor" or config.pagerduty.act_as == "actor"
    advice = {"unchanged": UNCHANGED, "actor": ACTOR}.get(wanted, WRITER)
    return advice.line(**where, who=actor if is_actor else us)
