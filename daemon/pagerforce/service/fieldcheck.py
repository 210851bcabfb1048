"""Holds the fields a configuration names against the org, before anything is read."""

from pagerforce.config.load import Loaded
from pagerforce.errors import ConfigError, Problem
from pagerforce.rules.needs import fields_needed
from pagerforce.salesforce.schema import SchemaCache


async def check_fields(schema: SchemaCache, loaded: Loaded) -> None:
    """Checks objects and fields against ``describe``.

    Raises:
        ConfigError: an object or a field is not there, or hidden from our user.
        RemoteError: the org could not be asked.
    """
    needed = fields_needed(loaded.rules)
    problems: list[Problem] = []
    for item in loaded.config.objects:
        paths = set(needed.get(item.name, frozenset())) | set(item.fields)
        # service_id_path may be missing: the service mappings serve then (and ``check`` says so).
        paths |= {item.external_id_field} - {""}
        paths |= {row.field for row in loaded.config.service_mappings if row.object == item.name}
        problems += await schema.check_fields(item.name, paths)
        if item.comments is not None:
            wanted = {item.comments.parent_field, item.comments.body_field, *item.comments.fields}
            problems += await schema.check_fields(item.comments.object, wanted)
    if problems:
        raise ConfigError(problems)
