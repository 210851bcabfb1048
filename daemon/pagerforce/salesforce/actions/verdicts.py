"""The verdict on an action for each error of Salesforce, with advice for the operator. Pure."""

from pagerforce.errors import RefusedError, RemoteError
from pagerforce.model.verdict import Rejected, Verdict
from pagerforce.salesforce.advice import DEFAULT_ADVICE, RETRY
from pagerforce.salesforce.answers import VendorRefusedError
from pagerforce.wire.verdicts import verdict_of


def to_verdict(error: RemoteError) -> Verdict:
    """The verdict on an attempt that ended in an error; a refusal ends with advice."""
    if isinstance(error, VendorRefusedError):
        return Rejected(f"{error}; {error.advice}")
    if not isinstance(error, RefusedError):
        return verdict_of(error)
    # pagerforce's own refusal (no status): its message already has advice.
    return Rejected(f"{error}; {RETRY if error.status == 0 else DEFAULT_ADVICE}")
