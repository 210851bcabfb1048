"""An org's own automation for the tests of writers: what flows, field types and refusals do to a write."""

import html
from collections.abc import Callable
from typing import Any

from pagerforce.sandbox.salesforce.dml import Draft, Hooks
from pagerforce.sandbox.salesforce.errors import ApiError

Flow = Callable[[Draft], None]


def add_flow(world: Any, object_name: str, flow: Flow) -> None:
    """A before-save flow: runs behind the package's own triggers."""
    old = world.dml.hooks.get(object_name, Hooks())

    def before(draft: Draft, tx: Any) -> None:
        old.before(draft, tx)
        flow(draft)

    hooks = Hooks(before=before, validate=old.validate, after=old.after)
    world.dml.hooks = {**world.dml.hooks, object_name: hooks}


def rewriting(name: str, rewrite: Callable[[Any], Any], *, on_update: bool = False) -> Flow:
    """A flow that rewrites one field on every write."""

    def flow(draft: Draft) -> None:
        is_due = draft.before is None or (on_update and name in draft.written)
        if is_due and draft.values.get(name) is not None:
            draft.values[name] = rewrite(draft.values[name])

    return flow


def setting(**values: Any) -> Flow:
    """A flow that gives a new row these values, whatever was sent."""

    def flow(draft: Draft) -> None:
        if draft.before is None:
            draft.values |= values

    return flow


def encoded(text: str) -> str:
    """A text with the entities that the platform writes."""
    return html.escape(text).replace("&#x27;", "&#39;")


def as_rich_text(text: str) -> str:
    """Plain text as a rich text field stores it."""
    return "<p>" + encoded(text).replace("\n", "<br>") + "</p>"


def refusing(code: str, when: Callable[[Draft], bool], *fields: str) -> Callable[..., None]:
    """A validation rule of the org that refuses with its own message."""

    def rule(draft: Draft, _tx: Any) -> None:
        if when(draft):
            raise ApiError(code, "the org says no", fields=list(fields))

    return rule


def byte_limit(name: str, limit: int) -> Callable[..., None]:
    """A text field that counts bytes of the encoded text."""

    def is_over(draft: Draft) -> bool:
        return len(encoded(str(draft.values.get(name) or "")).encode()) > limit

    return refusing("STRING_TOO_LONG", is_over, name)
