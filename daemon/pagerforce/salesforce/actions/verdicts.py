"""What a refusal of Salesforce means for an action, with what a person can do about it. Pure."""

from pagerforce.errors import RefusedError, RemoteError
from pagerforce.model.verdict import Rejected, Verdict
from pagerforce.wire.verdicts import verdict_of

_RETRY = "then retry it with `pagerforce failed retry`"
_ADVICE = {
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": (
        "a validation rule of the org says no: bring the record into a state that it allows"
        f" (reopen it where it is closed), or change the rule; {_RETRY}"
    ),
    "FIELD_FILTER_VALIDATION_EXCEPTION": (
        "the lookup filter of the field says no: choose a row that it allows (active, and meant for"
        f" this object); {_RETRY}"
    ),
    "REQUIRED_FIELD_MISSING": f"give the missing field a value in the rule; {_RETRY}",
    "STRING_TOO_LONG": f"shorten the value in the rule; {_RETRY}",
    "INVALID_CROSS_REFERENCE_KEY": f"the Id points to nothing that fits: correct it; {_RETRY}",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": (
        f"use a value of the picklist, e.g. through a map and translate; {_RETRY}"
    ),
    "INVALID_FIELD_FOR_INSERT_UPDATE": (
        f"the field can't be written (a formula, or read-only for our user): use another; {_RETRY}"
    ),
    "INVALID_FIELD": f"check the field's name and our user's access to it; {_RETRY}",
    "DUPLICATE_VALUE": f"another record holds this unique value: change one of them; {_RETRY}",
    "DUPLICATES_DETECTED": (
        f"a duplicate rule of the org says no: allow our user to save duplicates; {_RETRY}"
    ),
    "ENTITY_IS_DELETED": "the record is deleted: undelete it or remove the link",
    "NOT_FOUND": "the record is gone or hidden from our user: remove the link or share the record",
    "ENTITY_IS_LOCKED": f"an approval holds the record: wait for it or unlock the record; {_RETRY}",
    "INSUFFICIENT_ACCESS_OR_READONLY": f"give our user edit access to the record; {_RETRY}",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": (
        f"give our user access to the records that the values point to; {_RETRY}"
    ),
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": (
        f"a trigger of the org says no: see its message, correct what it names; {_RETRY}"
    ),
}
_DEFAULT = f"correct what the message names; {_RETRY}"


def to_verdict(error: RemoteError) -> Verdict:
    """The verdict on an attempt that ended in an error; a refusal ends with what to do."""
    if not isinstance(error, RefusedError):
        return verdict_of(error)
    if error.status == 0:  # one of ours: its message already says what to do
        return Rejected(f"{error}; {_RETRY}")
    return Rejected(f"{error}; {_ADVICE.get(error.code, _DEFAULT)}")
