"""A configuration that the org accepted once is not refused when the daemon starts again.

A field that an administrator deletes must not keep a host from paging after its next boot. A start
refuses (exit code 2) only a configuration that the org has never accepted. In an accepted one, a
field that no longer fits is logged, and reading continues without it (``salesforce/refused_columns.py``).
"""

import hashlib
import json
from collections.abc import Callable, Iterator

from pagerforce.config.load import Loaded
from pagerforce.errors import ConfigError
from pagerforce.observe.log import get_log
from pagerforce.rules.needs import field_uses, fields_needed
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.schema import SchemaCache
from pagerforce.service.fieldcheck import check_fields
from pagerforce.service.writes import writes_of
from pagerforce.store import facts
from pagerforce.store.database import Database

_LOG = get_log("poll")


class Accepted:
    """Stores in the state which configuration the org accepted."""

    def __init__(self, database: Database, loaded: Callable[[], Loaded]) -> None:
        self._database = database
        self._loaded = loaded
        self._noted: Loaded | None = None

    async def check(self, client: SalesforceClient, schema: SchemaCache) -> None:
        """Compares the configuration with the org, at the start.

        Raises:
            ConfigError: the org does not accept it, and never did.
            RemoteError: a request to the org failed.
        """
        loaded = self._loaded()
        async with self._database.read() as tx:
            was_taken = await facts.find_fact(tx, facts.ACCEPTED) == digest_of(loaded)
        try:
            await check_fields(client, schema, loaded)
        except ConfigError as error:
            if not was_taken:
                raise
            for problem in error.problems:
                _LOG.error("org_changed", where=problem.where, what=problem.what)
        else:
            await self.note()

    async def note(self) -> None:
        """Notes that the org accepts the configuration in force: everything it names was read."""
        loaded = self._loaded()
        if loaded is self._noted:
            return
        async with self._database.write() as tx:
            await facts.put_fact(tx, facts.ACCEPTED, digest_of(loaded))
        self._noted = loaded


def digest_of(loaded: Loaded) -> str:
    """Returns a digest of everything that a configuration needs from the org."""
    text = json.dumps(sorted(set(_wishes(loaded))))
    return hashlib.sha256(text.encode()).hexdigest()


def _wishes(loaded: Loaded) -> Iterator[str]:
    needed = fields_needed(loaded.rules)
    for item in loaded.config.objects:
        yield f"object {item.name} where {item.where} key {item.external_id_field}"
        for field in {*needed.get(item.name, ()), *item.fields}:
            yield f"field {item.name}.{field}"
        if item.comments is not None:
            fields = [item.comments.parent_field, item.comments.body_field, *item.comments.fields]
            yield f"comments {item.comments.object} {fields} where {item.comments.where}"
    for mapping in loaded.config.service_mappings:
        yield f"field {mapping.object}.{mapping.field}"
    for use in field_uses(loaded.rules):
        yield f"use {use.object}.{use.field} {use.op} {use.value!r}"
    for rule in loaded.rules:
        for write in writes_of(rule):
            yield f"write {write.object}.{write.field}"
