"""What the org of the kills does to everything that is written: flows, rich text, a default owner.

People's texts go the same way as the daemon's. No flow makes a page of a record that was none, but one
gives each new Case the priority that pages: a Case of the daemon's that it does not know again is paged for.
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
    """Turns it on."""
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
    """A text without what the org puts to it, also where it came back to PagerDuty with that."""
    found = text or ""
    for added in (_DESK, _FROM, *_MARKUP):
        found = found.replace(added, "")
    return found
