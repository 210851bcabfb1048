"""Advice for an operator about a refusal. Pure. Fact: ``pagerduty.refusal-codes``."""

from pagerforce.errors import RefusedError
from pagerforce.pagerduty.refusals import ALREADY_RESOLVED

_BY_CODE = {
    "1007": "name an assignee who is a user of this account",
    "1008": "set pagerduty.from_email to the login e-mail of a user of this account",
    "1014": "name an escalation policy of this account",
    "1015": "put somebody on call in this escalation policy",
    "1018": "give the user behind pagerduty.from_email the right to do this",
    "1020": "name a priority of this account",
    "2013": "name users of this account",
    "2019": "free some room in PagerDuty",
}
_BY_STATUS = {
    402: "remove the action from the rules, or have the account's plan extended",
    403: "give the API key the right to do this",
    404: "correct what the rule names, or remove the link if the incident is gone",
}
_ELSE = "correct the rule or the record"


def is_resolved_refusal(error: RefusedError) -> bool:
    """Whether the change was refused because the incident is resolved."""
    is_code = error.code == ALREADY_RESOLVED
    return error.status == 400 and (is_code or "already resolved" in str(error).lower())


def is_too_long(error: RefusedError) -> bool:
    """Whether a text was refused for its length.

    The REST API documents no limit. The Events API has one and answers ``... is too long (maximum
    is 1024 characters)``, the text of its framework for any field.
    """
    said = str(error).lower()
    is_said = "too long" in said or ("maximum" in said and "character" in said)
    return error.status == 413 or (error.status == 400 and is_said)


def rejection_reason(error: RefusedError) -> str:
    """The reason of a dead letter: the vendor's text, and advice."""
    if error.status == 0:  # pagerforce's own text, which includes the advice
        return str(error)
    if "from" in str(error).lower() and "header" in str(error).lower():
        advice = _BY_CODE["1008"]
    else:
        advice = _BY_CODE.get(error.code) or _BY_STATUS.get(error.status) or _ELSE
    return f"{error}: {advice}, then retry it"
