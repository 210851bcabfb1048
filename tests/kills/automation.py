"""The automation of the org in the kill test: flows, rich text, a default owner.

It changes people's texts like the daemon's. No flow turns an existing record into one that needs an incident,
but one sets the priority that does on each new Case: a Case of the daemon's own would get an incident if it
were not recognised.
"""

from pagerforce.sandbox.salesforce import SalesforceWorld
from pagerforce.sandbox.salesforce.automation import DuplicateRule
from pagerforce.sandbox.salesforce.flows import Flow
from pagerforce.sandbox.salesforce.rich_text import RichText
from rig import HISTORY, INCIDENT, P

CASE, CASE_COMMENT = "Case", "CaseComment"
_SHORT, _NOTE = f"{P}shortDescription__c", f"{P}note__c"
_DESK, _FROM = "[Desk] ", "From the desk: "
_MARKUP = ("<p>", "</p>")


def automate(sf: SalesforceWorld) -> None:
    """Switches it on."""
    sf.automation.flows += [
        Flow("prefix", INCIDENT, _SHORT, _DESK),
        Flow("prefix", CASE, "Subject", _DESK),
        Flow("set", CASE, "Priority", "High", "insert"),
        Flow("default", INCIDENT, "OwnerId", "Service Desk", "insert"),
        Flow("trim", INCIDENT, "*"),
        Flow("prefix", HISTORY, _NOTE, _FROM),
        Flow("crlf", HISTORY, _NOTE),
    ]
    sf.automation.rich_texts[CASE_COMMENT, "CommentBody"] = RichText("br", wraps=True)
    sf.automation.duplicates.append(DuplicateRule(CASE, ("Priority",)))


def plain(text: str | None) -> str:
    """A text without what the org adds to it, also after it came back to PagerDuty with that."""
    found = text or ""
    for added in (_DESK, _FROM, *_MARKUP):
        found = found.replace(added, "")
    return found
