"""The rules file that an operator applied: it stands for the configuration's rulesets."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pagerforce.config.files import RulesText
from pagerforce.config.load import Loaded, load_config
from pagerforce.model.action import ActionSpec
from pagerforce.store.database import Database
from pagerforce.store.revisions import Revision, find_in_force


async def load_in_force(
    path: Path,
    database: Database,
    *,
    catalog: Sequence[ActionSpec],
    environ: Mapping[str, str],
) -> Loaded:
    """The configuration's files with the applied rules, where there are some.

    Raises:
        ConfigError: the configuration is wrong, or the applied rules no longer fit to it.
        StoreError: the database cannot be read.
    """
    async with database.read() as tx:
        revision = await find_in_force(tx)
    return load_config(path, catalog=catalog, environ=environ, rules=rules_of(revision))


def rules_of(revision: Revision | None) -> tuple[RulesText, ...]:
    """What ``load_config`` takes for a revision; None: the configuration's own rules."""
    if revision is None:
        return ()
    return (RulesText(f"rules revision {revision.number} ({revision.name})", revision.content),)


def without_rules(loaded: Loaded) -> object:
    """What of a configuration takes effect with a restart only, to be compared with another's."""
    return loaded.config.model_copy(update={"rulesets": (), "maps": {}, "include": ()})
