"""The Salesforce org that the state was made with: Ids in it mean nothing in any other."""

from pagerforce.model.ids import RecordId, find_record_id
from pagerforce.store.cursors import find_fact, put_fact
from pagerforce.store.database import Transaction

_ORG = "salesforce_org"


async def find_org(tx: Transaction) -> RecordId | None:
    """Id of the org, 18 characters; None in a new state, and in one of a version that did not note it."""
    return find_record_id(await find_fact(tx, _ORG) or "")


async def put_org(tx: Transaction, org_id: RecordId) -> None:
    """Notes the org where none is noted."""
    if await find_org(tx) is None:
        await put_fact(tx, _ORG, org_id)
