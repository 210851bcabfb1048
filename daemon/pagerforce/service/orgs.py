"""The Salesforce org of the state: stored at the first login, read before every later one."""

from collections.abc import Mapping

from pagerforce.config.load import Loaded
from pagerforce.errors import StoreError
from pagerforce.model.ids import RecordId
from pagerforce.salesforce.auth import JwtSession
from pagerforce.service.state import find_state
from pagerforce.store.database import Database
from pagerforce.store.facts import find_org, put_org


async def note_org(database: Database, session: JwtSession) -> None:
    """Stores the org in a state that has none yet.

    Raises:
        RemoteError, WrongOrgError: of the login, if there was none yet.
    """
    access = await session.access()
    async with database.write() as tx:
        await put_org(tx, access.org_id)


async def org_of(database: Database | None) -> RecordId | None:
    """Returns the org of an open state; None if none is known."""
    if database is None:
        return None
    async with database.read() as tx:
        return await find_org(tx)


async def org_of_state(loaded: Loaded, environ: Mapping[str, str]) -> RecordId | None:
    """Returns the org of the state on this host; None without a readable state."""
    state = find_state(loaded.config, environ)
    try:
        async with state.open(read_only=True) as database:
            return await org_of(database)
    except (StoreError, OSError):
        return None
