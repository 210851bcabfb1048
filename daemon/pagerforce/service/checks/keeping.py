"""Whether the server that keeps the state can be relied on. A file of SQLite needs no such check."""

from pagerforce.config.checkline import CheckLine, ok, remark, todo
from pagerforce.errors import StoreError
from pagerforce.store.state import State

_WHAT = "state in {name}"

UNUSABLE = todo("state.unusable", _WHAT, "{reason}")
NOT_PROVED = remark(
    "state.server_not_proved",
    _WHAT,
    "sslmode {sslmode} does not prove that it is that server: set sslmode=verify-full and"
    " sslrootcert in state.url",
)
NOT_DURABLE = todo(
    "state.not_durable",
    _WHAT,
    "{setting} is off: a crash of the server loses what was already stored, and pages can be sent"
    " twice; set it to on",
)
NO_STANDBY = remark(
    "state.no_standby",
    _WHAT,
    "no synchronous standby is set (synchronous_standby_names): a fail-over to another server may"
    " lose the last commits",
)

ADVICE = (UNUSABLE, NOT_PROVED, NOT_DURABLE, NO_STANDBY)


async def keeping_lines(state: State) -> list[CheckLine]:
    """Returns the lines about the state's server; none for a file on this host."""
    try:
        found = await state.look()
    except StoreError as error:
        reason = str(error).removeprefix(f"{state.name}: ")
        return [UNUSABLE.line(name=state.name, reason=reason)]
    if found is None:
        return []
    lines = [ok(f"state in {state.name}: {found.version}")]
    if found.unproved_by:
        lines.append(NOT_PROVED.line(name=state.name, sslmode=found.unproved_by))
    lines += [NOT_DURABLE.line(name=state.name, setting=setting) for setting in found.off]
    if not found.has_standby:
        lines.append(NO_STANDBY.line(name=state.name))
    return lines
