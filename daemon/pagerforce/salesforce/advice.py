"""What a person can do about an error of Salesforce. Pure data."""

RETRY = "then retry it with `pagerforce failed retry`"
DEFAULT_ADVICE = f"correct what the message names; {RETRY}"
VALIDATION = (
    "a validation rule of the org says no: bring the record into a state that it allows"
    f" (reopen it where it is closed), or change the rule; {RETRY}"
)
FILTER = (
    "the lookup filter of the field says no: choose a row that it allows (active, and meant for"
    f" this object); {RETRY}"
)
ACCESS = f"give our user edit access to the record; {RETRY}"
ACCESS_THERE = f"give our user access to the records that the values point to; {RETRY}"
REQUIRED = f"give the missing field a value in the rule; {RETRY}"
TOO_LONG = (
    "the text is longer than the field takes: shorten what a rule writes in the rule, and for copied"
    f" text let the administrator make the field longer; {RETRY}"
)
INACTIVE = f"the user who is to own or get it is inactive: name another, or activate it; {RETRY}"
FIELD = f"check the field's name and our user's access to it; {RETRY}"
STORAGE = "the org's storage is full: delete what is not needed in the org, or buy more"
APPROVAL = "an approval holds the record: approve, reject or recall it, or unlock the record"
PACKAGE = f"give our user a licence of the managed package, or have the package's renewed; {RETRY}"
READ_ONLY = "the org is read-only for maintenance: nothing to do, writes wait until it is over"
LIMIT = "the org's own code ran into a limit: its administrator can see which in its debug log"
ASYNC = "the org has used up its asynchronous calls of 24 hours: its administrator can see by what"
PASSWORD = "set a new password for our user, or give it a profile whose passwords do not expire"  # noqa: S105
ORG_GONE = "the org is locked or its trial has ended: its owner has to settle that with Salesforce"
USER_GONE = "activate (unlock, unfreeze) our user in the org"
IP = (
    "allow this host's address in the login IP ranges of the user's profile, or relax the IP"
    " restriction in the app's policies"
)
HOURS = "allow our user to log in at any hour: its profile restricts the hours"
API = "give our user a profile or permission set with 'API Enabled'; the org's edition must have the API"
POLICY = "a security policy of the org stops our user: have our user excepted from it"
