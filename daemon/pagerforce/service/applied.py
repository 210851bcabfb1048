"""The rules file that an operator applied; it replaces the configuration's rulesets."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import anyio

from pagerforce.config.files import RulesText
from pagerforce.config.load import Loaded, load_config
from pagerforce.config.schema import Config
from pagerforce.model.action import ActionSpec
from pagerforce.store.database import Database
from pagerforce.store.revisions import Revision, find_in_force, label_of


async def load_in_force(
    path: Path,
    database: Database,
    *,
    catalog: Sequence[ActionSpec],
    environ: Mapping[str, str],
    on_thread: bool = False,
) -> Loaded:
    """Loads the configuration's files, with the applied rules if there are any.

    ``on_thread``: reads them on another thread, so that the daemon's loops keep running.

    Raises:
        ConfigError: the configuration is wrong, or the applied rules no longer fit it.
        StoreError: the database cannot be read.
    """
    async with database.read() as tx:
        revision = await find_in_force(tx)
    load = partial(load_config, path, catalog=catalog, environ=environ, rules=rules_of(revision))
    return await anyio.to_thread.run_sync(load) if on_thread else load()


def rules_of(revision: Revision | None) -> tuple[RulesText, ...]:
    """Returns a revision as ``load_config`` takes it; None: the configuration's own rules."""
    if revision is None:
        return ()
    return (RulesText(label_of(revision.number, revision.name), revision.content),)


def without_rules(loaded: Loaded) -> Config:
    """Returns the settings that take effect only with a restart, for comparison."""
    return loaded.config.model_copy(update={"rulesets": (), "maps": {}, "include": ()})
