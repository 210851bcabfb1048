"""``pagerforce check``: checks the configuration, and that both sides have everything it names.

``--json`` prints one list: ``[{ok, kind, what, remedy, code}]``. ``kind`` is ``ok``, ``remark`` or
``todo``; ``ok`` is false for ``todo`` only; ``remedy`` is the remark or the fix, ``""`` for ``ok``;
``code`` names the advice (docs/reference/check.md), ``""`` for ``ok``. With ``--plan`` its lines
are in the same list and also have ``idle_per_day`` and ``busy_per_day``.
"""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from errno import EACCES
from pathlib import Path
from typing import Annotated

import typer

from pagerforce.cli.console import (
    FAILED,
    ConfigOption,
    JsonOption,
    leave,
    out,
    print_json,
    reporting,
    run_async,
)
from pagerforce.cli.desk import find_daemon
from pagerforce.cli.progress import Bar
from pagerforce.config.checkline import CheckLine, Kind
from pagerforce.config.load import find_config
from pagerforce.config.offline import check_offline, offline_lines
from pagerforce.config.schema import Config
from pagerforce.config.secret import find_api_key, find_private_key
from pagerforce.service.catalog import CATALOG
from pagerforce.service.check import check_online
from pagerforce.service.control.client import call_daemon
from pagerforce.service.orgs import org_of_state
from pagerforce.service.plan import DEFAULT_CHANGES, DEFAULT_RECORDS, Assumptions, plan_lines

_WORDS = {
    Kind.OK: ("OK    ", "green"),
    Kind.REMARK: ("REMARK", "yellow"),
    Kind.TODO: ("TODO  ", "red"),
}


def check(
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Only what can be checked without the network.")
    ] = False,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Also the API calls per day of this configuration."),
    ] = False,
    changes: Annotated[
        int, typer.Option("--changes", min=0, help="For --plan: changes a day on both sides.")
    ] = DEFAULT_CHANGES,
    records: Annotated[
        int, typer.Option("--records", min=0, help="For --plan: records of each object.")
    ] = DEFAULT_RECORDS,
) -> None:
    """Checks the configuration, then both connections and every name in it.

    The running daemon does this with its secrets; this command does it if none runs or with
    --offline.

    Example: pagerforce check --plan
    """
    with reporting(), Bar("asking both sides", is_wanted=not json) as bar:
        if not offline and (socket := find_daemon(config)) is not None:
            values = {"plan": plan, "changes": changes, "records": records}
            answer = call_daemon(socket, "check", values, bar.show)
            lines = [CheckLine.from_json(item) for item in answer]
        else:
            given = Assumptions(changes, records) if plan else None
            lines = _check_here(config, given, None if offline else bar)
    if json:
        print_json([line.to_json() for line in lines])
    else:
        _show(lines)
    if not all(line.ok for line in lines):
        leave(FAILED)


def _check_here(config: Path | None, given: Assumptions | None, bar: Bar | None) -> list[CheckLine]:
    """Checks in this process; without a bar only what needs no network."""
    path = find_config(config, os.environ)
    loaded = check_offline(path, catalog=CATALOG, environ=os.environ)
    lines = [*offline_lines(loaded, os.environ, now=datetime.now(UTC))]
    if given is not None:
        lines += plan_lines(loaded, given)
    if bar is not None:
        _need_secrets(loaded.config)

        async def tell(text: str) -> None:
            bar.show(text)

        made_with = run_async(org_of_state, loaded, os.environ)
        lines += run_async(check_online, loaded, os.environ, tell, made_with)
    return lines


def _need_secrets(config: Config) -> None:
    """Checks that this user may read the secrets: only root and the service user may.

    Raises:
        PermissionError: this user may not read one of them.
    """
    for find in (find_api_key, find_private_key):
        place = find(config, os.environ)
        if place is not None and place.path is not None and not _may_read(place.path):
            raise PermissionError(EACCES, os.strerror(EACCES), str(place.path))


def _may_read(path: Path) -> bool:
    """Whether a file may be read; a missing file is reported elsewhere."""
    try:
        return os.access(path, os.R_OK) or not path.exists()
    except PermissionError:  # of its folder
        return False


def _show(lines: Iterable[CheckLine]) -> None:
    for line in lines:
        word, style = _WORDS[line.kind]
        text = line.what + (f": {line.remedy}" if line.remedy else "")
        out.line(text, mark=word, style=style)
