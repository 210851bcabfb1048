"""Users, services, policies, priorities and workflows: found by id, e-mail or name, and cached.

Facts: docs/vendors/pagerduty.md#reference-data-and-actions. Missing objects are cached too, but
only briefly: somebody may be creating one right now. Concurrent lookups of one object share a
request.
"""

import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct

from pagerforce.errors import MalformedError, RefusedError, TransientError
from pagerforce.model.incident import Person, Ref
from pagerforce.model.ports import Clock
from pagerforce.observe.turns import Turns
from pagerforce.pagerduty.client import (
    MAX_DEPTH,
    PLAYS,
    POLICIES,
    PRIORITIES,
    SERVICES,
    USERS,
    WORKFLOWS,
    Listing,
    PagerDutyClient,
    Params,
)
from pagerforce.pagerduty.decode import decode_person, decode_ref
from pagerforce.pagerduty.refusals import is_not_found

T = TypeVar("T")

_MAX_CACHED = 4096
_MISSING_TTL = timedelta(seconds=30)
_ID = re.compile(r"[A-Z0-9]{3,32}")
"""The form of an id. Names may have it too: if no id matches, the text is searched as a name."""
_PLAY_ID = re.compile(r"[A-Z0-9]{3,32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ACCOUNT_KEY = "account-level"


class KeyKind(StrEnum):
    """The kind of an API key."""

    ACCOUNT = "account"
    USER = "user"
    UNKNOWN = "unknown"


class KeyHolder(Struct, frozen=True):
    """What ``/users/me`` says about the key. ``owner``: the user that a user key acts as."""

    kind: KeyKind
    owner: Person | None = None


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    value: T | None
    until: float


class Directory:
    """Looks reference data up. Every method raises the ``RemoteError`` family.

    Args:
        client: the API.
        clock: for the age of cached data.
        ttl: how long a found object stays cached.
    """

    def __init__(self, client: PagerDutyClient, clock: Clock, ttl: timedelta) -> None:
        self._client = client
        self._people = _Cache[Person](clock, ttl)
        self._refs = _Cache[Ref](clock, ttl)
        self._lists = _Cache[tuple[Ref, ...]](clock, ttl)
        self._holder = _Cache[KeyHolder](clock, ttl)

    async def find_user(self, user_id: str) -> Person | None:
        """A user by id."""

        async def fetch() -> Person | None:
            try:
                return decode_person(await self._client.fetch_one(USERS, user_id))
            except RefusedError as error:
                if is_not_found(error):
                    return None
                raise

        return await self._people.get(f"id:{user_id}", fetch)

    async def find_user_by_email(self, email: str) -> Person | None:
        """A user by login e-mail. The search matches loosely, so results are compared again."""
        wanted = email.strip().casefold()

        async def fetch() -> Person | None:
            rows = self._iter_rows(USERS, {"query": email.strip()})
            people = [decode_person(row) async for row in rows]
            for person in people:
                if person.id and person.email and person.email.casefold() == wanted:
                    return person
            if any(person.id is None for person in people):
                raise _unread(USERS)
            return None

        return await self._people.get(f"email:{wanted}", fetch) if wanted else None

    async def find_key_owner(self) -> Person | None:
        """The user that owns the key and that it acts as; None for an account key."""
        return (await self.fetch_key_holder()).owner

    async def fetch_key_holder(self) -> KeyHolder:
        """The kind of the key. Fact: ``pagerduty.account-key-without-user``."""

        async def fetch() -> KeyHolder:
            try:
                owner = decode_person(await self._client.fetch_current_user())
            except RefusedError as error:
                is_account = error.status == 400 and _ACCOUNT_KEY in str(error).lower()
                return KeyHolder(KeyKind.ACCOUNT if is_account else KeyKind.UNKNOWN)
            return KeyHolder(KeyKind.USER, owner)

        return await self._holder.get("holder", fetch) or KeyHolder(KeyKind.UNKNOWN)

    async def fetch_role(self, user_id: str) -> str:
        """A user's current role, in the API's spelling; ``""`` if it is missing."""
        role = (await self._client.fetch_one(USERS, user_id)).get("role")
        return role if isinstance(role, str) else ""

    async def fetch_service_status(self, service_id: str) -> str:
        """A service's current status, in the API's spelling; ``""`` if it is missing."""
        status = (await self._client.fetch_one(SERVICES, service_id)).get("status")
        return status if isinstance(status, str) else ""

    async def fetch_abilities(self) -> frozenset[str]:
        """The names of the abilities of the account's plan."""
        return await self._client.fetch_abilities()

    async def find_service(self, id_or_name: str) -> Ref | None:
        """A service by id or name."""
        return await self._find(SERVICES, id_or_name)

    async def find_escalation_policy(self, id_or_name: str) -> Ref | None:
        """An escalation policy by id or name."""
        return await self._find(POLICIES, id_or_name)

    async def find_workflow(self, id_or_name: str) -> Ref | None:
        """An incident workflow by id or name.

        Raises:
            RefusedError: also if several have the name, or the plan has no workflows (402).
        """
        return await self._find(WORKFLOWS, id_or_name)

    async def find_response_play(self, id_or_name: str, from_email: str) -> Ref | None:
        """A response play by id or name; None only if a list of them clearly lacks it.

        Raises:
            RefusedError: also if PagerDuty has ended response plays
                (``pagerduty.response-plays-removed``).
        """
        wanted = id_or_name.strip()

        async def fetch() -> Ref | None:
            if is_play_id(wanted):
                try:
                    return decode_ref(await self._client.fetch_play(wanted, from_email))
                except RefusedError as error:
                    if not is_not_found(error):
                        raise
            query = "" if is_play_id(wanted) else wanted
            rows = await self._client.fetch_plays(query, from_email)
            refs = [ref for row in rows if (ref := decode_ref(row)) is not None]
            by_id = [ref for ref in refs if ref.id == wanted]
            return by_id[0] if by_id else _pick(PLAYS, wanted, refs)

        return await self._refs.get(f"{PLAYS.path}:{wanted}", fetch) if wanted else None

    async def find_priority(self, id_or_name: str) -> Ref | None:
        """A priority by id or name.

        Raises:
            RefusedError: also if the account's plan has no priorities (402).
        """
        wanted = id_or_name.strip()
        priorities = await self.fetch_priorities()
        by_id = [item for item in priorities if item.id == wanted]
        return by_id[0] if by_id else _pick(PRIORITIES, wanted, priorities)

    async def fetch_priorities(self) -> tuple[Ref, ...]:
        """All priorities, the most severe first."""
        return await self._fetch_all(PRIORITIES)

    async def fetch_workflows(self) -> tuple[Ref, ...]:
        """All incident workflows.

        Raises:
            RefusedError: also if the account's plan has none (402).
        """
        return await self._fetch_all(WORKFLOWS)

    async def fetch_services(self) -> tuple[Ref, ...]:
        """All services that the key can see."""
        return await self._fetch_all(SERVICES)

    async def _fetch_all(self, listing: Listing) -> tuple[Ref, ...]:
        async def fetch() -> tuple[Ref, ...]:
            refs, are_all_read = await self._read_refs(listing, {})
            if not are_all_read:
                raise _unread(listing)
            return tuple(refs)

        return await self._lists.get(listing.path, fetch) or ()

    async def _find(self, listing: Listing, id_or_name: str) -> Ref | None:
        wanted = id_or_name.strip()

        async def fetch() -> Ref | None:
            found = await self._fetch_by_id(listing, wanted) if _ID.fullmatch(wanted) else None
            return found or await self._fetch_by_name(listing, wanted)

        return await self._refs.get(f"{listing.path}:{wanted}", fetch) if wanted else None

    async def _fetch_by_id(self, listing: Listing, item_id: str) -> Ref | None:
        try:
            return decode_ref(await self._client.fetch_one(listing, item_id))
        except RefusedError as error:
            if is_not_found(error):
                return None
            raise

    async def _fetch_by_name(self, listing: Listing, name: str) -> Ref | None:
        refs, are_all_read = await self._read_refs(listing, {"query": name})
        found = _pick(listing, name, refs)
        if found is None and not are_all_read:
            raise _unread(listing)
        return found

    async def _read_refs(self, listing: Listing, params: Params) -> tuple[list[Ref], bool]:
        """The rows of a list, and whether all could be read."""
        refs = [decode_ref(row) async for row in self._iter_rows(listing, params)]
        return [ref for ref in refs if ref is not None], None not in refs

    async def _iter_rows(self, listing: Listing, params: Params) -> AsyncIterator[object]:
        offset = 0
        before: tuple[object, ...] = ()
        while offset < MAX_DEPTH:
            page = await self._client.fetch_page(listing, params, offset)
            if page.rows and page.rows == before:
                raise MalformedError(f"{listing.many}.list: the pages of the answer repeat")
            before = page.rows
            for row in page.rows:
                yield row
            offset += len(page.rows)
            if not page.more or not page.rows:
                return


class _Cache(Generic[T]):
    """Caches found objects, and briefly missing ones; bounded, drops the least recently used."""

    def __init__(
        self, clock: Clock, ttl: timedelta, *, missing_ttl: timedelta = _MISSING_TTL
    ) -> None:
        self._clock = clock
        self._ttl_seconds = ttl.total_seconds()
        self._missing_ttl_seconds = min(missing_ttl, ttl).total_seconds()
        self._kept: OrderedDict[str, _Kept[T]] = OrderedDict()
        self._flights: dict[str, _Flight] = {}

    async def get(self, key: str, fetch: Callable[[], Awaitable[T | None]]) -> T | None:
        """The cached answer, or a new one; errors are not cached."""
        kept = self._fresh(key)
        if kept is not None:
            return kept.value
        flight = self._flights.setdefault(key, _Flight())
        flight.passengers += 1
        try:
            async with flight.turns.taken():
                kept = self._fresh(key)  # another caller may have asked meanwhile
                return kept.value if kept is not None else self._keep(key, await fetch())
        finally:
            flight.passengers -= 1
            if not flight.passengers:
                del self._flights[key]

    def _fresh(self, key: str) -> _Kept[T] | None:
        kept = self._kept.get(key)
        if kept is None or kept.until <= self._clock.monotonic():
            return None
        self._kept.move_to_end(key)
        return kept

    def _keep(self, key: str, value: T | None) -> T | None:
        ttl = self._missing_ttl_seconds if value is None else self._ttl_seconds
        self._kept[key] = _Kept(value, self._clock.monotonic() + ttl)
        self._kept.move_to_end(key)
        while len(self._kept) > _MAX_CACHED:
            self._kept.popitem(last=False)
        return value


class _Flight:
    """A running lookup, and how many callers wait for it."""

    def __init__(self) -> None:
        self.turns = Turns("PagerDuty directory", _question_hangs)
        self.passengers = 0


def _question_hangs() -> TransientError:
    return TransientError(
        "directory: nothing was sent: the same question has not been answered yet"
    )


def is_play_id(text: str) -> bool:
    """Whether a response play is named by its id."""
    return _PLAY_ID.fullmatch(text) is not None


def _unread(listing: Listing) -> MalformedError:
    """An unreadable row must not count as a missing object: that would make an action fail."""
    return MalformedError(f"{listing.many}.list: a row of the answer has no id")


def _pick(listing: Listing, name: str, refs: Sequence[Ref]) -> Ref | None:
    """The one with this name: an exact match, else one that ignores case."""
    exact = {ref.id: ref for ref in refs if ref.name == name}
    loose = {ref.id: ref for ref in refs if (ref.name or "").casefold() == name.casefold()}
    found = exact or loose
    if len(found) > 1:
        ids = ", ".join(sorted(found))
        raise RefusedError(f"several {listing.many} have this name ({ids}): give the id instead")
    return next(iter(found.values()), None)
