"""What an error of Salesforce means for an action, with what a person can do about it. Pure."""

from pagerforce.errors import RefusedError, RemoteError
from pagerforce.model.verdict import Rejected, Verdict
from pagerforce.salesforce.advice import DEFAULT_ADVICE, RETRY
from pagerforce.salesforce.answers import VendorRefusedError
from pagerforce.wire.verdicts import verdict_of


def to_verdict(error: RemoteError) -> Verdict:
    """The verdict on an attempt that ended in an error; a refusal ends with what to do."""
    if isinstance(error, VendorRefusedError):
        return Rejected(f"{error}; {error.advice}")
    if not isinstance(error, RefusedError):
        return verdict_of(error)
    # One of ours (no status): its message already says what to do.
    return Rejected(f"{error}; {RETRY if error.status == 0 else DEFAULT_ADVICE}")
