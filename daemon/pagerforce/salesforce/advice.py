"""Advice for operators about errors of Salesforce. Pure data."""

RETRY = "then retry it with `pagerforce failed retry`"
DEFAULT_ADVICE = f"correct what the message names; {RETRY}"
VALIDATION = (
    "a validation rule of the org refuses this: bring the record into a state that it allows"
    f" (reopen it if it is closed), or change the rule; {RETRY}"
)
FILTER = (
    "the lookup filter of the field refuses this: choose a row that it allows (active, and"
    f" meant for this object); {RETRY}"
)
ACCESS = f"give the integration user edit access to the record; {RETRY}"
ACCESS_THERE = f"give the integration user access to the records that the values point to; {RETRY}"
REQUIRED = f"give the missing field a value in the rule; {RETRY}"
TOO_LONG = (
    "the text is too long for the field: if a rule writes it, shorten it in the rule; if it is"
    f" copied, ask the administrator for a longer field; {RETRY}"
)
INACTIVE = f"the user in the value is inactive: name another, or activate that user; {RETRY}"
FIELD = f"check the field's name and the integration user's access to it; {RETRY}"
STORAGE = "the org's storage is full: delete unneeded data in the org, or buy more"
APPROVAL = "an approval holds the record: approve, reject or recall it, or unlock the record"
PACKAGE = (
    "give the integration user a licence of the managed package, or renew the package's licence;"
    f" {RETRY}"
)
READ_ONLY = "the org is read-only for maintenance: nothing to do, writes wait until it is over"
LIMIT = "the org's own code reached a limit: its administrator finds the limit in the debug log"
ASYNC = "the org has used up its asynchronous calls of 24 hours: its administrator finds the cause"
PASSWORD = (
    "set a new password for the integration user, or give it a profile whose passwords"  # noqa: S105
    " do not expire"
)
ORG_GONE = "the org is locked or its trial has ended: its owner must contact Salesforce"
USER_GONE = "activate (unlock, unfreeze) the integration user in the org"
IP = (
    "allow this host's address in the login IP ranges of the user's profile, or relax the IP"
    " restriction in the app's policies"
)
HOURS = "allow the integration user to log in at any hour: its profile restricts the hours"
API = (
    "give the integration user a profile or permission set with 'API Enabled'; the org's edition"
    " must have the API"
)
POLICY = "a security policy of the org stops the integration user: ask for an exception for it"
