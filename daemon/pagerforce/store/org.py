"""The Salesforce org of the state: its Ids are meaningless in any other org."""

from pagerforce.model.ids import RecordId, find_record_id
from pagerforce.store.cursors import find_fact, put_fact
from pagerforce.store.database import Transaction

_ORG = "salesforce_org"


async def find_org(tx: Transaction) -> RecordId | None:
    """Id of the org, 18 characters; None in a new state, or if an old version did not store it."""
    return find_record_id(await find_fact(tx, _ORG) or "")


async def put_org(tx: Transaction, org_id: RecordId) -> None:
    """Stores the org if none is stored."""
    if await find_org(tx) is None:
        await put_fact(tx, _ORG, org_id)
