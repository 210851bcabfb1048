"""Finds the state that the configuration names."""

from collections.abc import Mapping

from pagerforce.config.paths import state_dir
from pagerforce.config.schema import Config
from pagerforce.config.secret import load_state_password
from pagerforce.errors import StoreError
from pagerforce.store.sqlite.engine import FILE_NAME
from pagerforce.store.sqlite.state import SqliteState
from pagerforce.store.state import State


def find_state(config: Config, environ: Mapping[str, str]) -> State:
    """The state of this configuration; nothing is opened yet."""
    if config.state.url:
        return _in_postgresql(config, environ)
    return SqliteState(state_dir(config, environ) / FILE_NAME)


def _in_postgresql(config: Config, environ: Mapping[str, str]) -> State:
    # Imported only here: a state in SQLite needs no driver of PostgreSQL.
    try:
        from pagerforce.store.postgresql.engine import Place  # noqa: PLC0415
        from pagerforce.store.postgresql.state import PostgresqlState  # noqa: PLC0415
    except ImportError as error:
        raise StoreError(
            "state.url needs the driver of PostgreSQL: install pagerforce[postgresql], or remove state.url"
        ) from error
    password = load_state_password(config, environ)
    place = Place(config.state.url, config.state.connection, password)
    return PostgresqlState(place, state_dir(config, environ))
