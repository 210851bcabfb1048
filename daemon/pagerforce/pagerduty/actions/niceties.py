"""The optional parts of a page: they must never prevent it. Pure.

A part that PagerDuty refuses is left out, the smallest part first, and the page is sent again. A
refused request has changed nothing. The service and a title cannot be left out.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from pagerforce.errors import RefusedError
from pagerforce.model.lengths import cut
from pagerforce.pagerduty.actions.advice import is_too_long

SAFE_TITLE = 255
"""The length of a title after PagerDuty has refused a longer one."""
SAFE_BODY = 2_000
"""The length of the details after PagerDuty has refused them as too long."""

# The codes and words of PagerDuty's refusals for each part.
_PARTS: Mapping[str, tuple[frozenset[str], tuple[str, ...]]] = {
    "priority": (frozenset({"1020"}), ("priorit",)),
    "assignments": (frozenset({"1007"}), ("assign",)),
    "escalation_policy": (frozenset({"1014", "1015"}), ("escalation",)),
    "urgency": (frozenset(), ("urgenc",)),
    "incident_type": (frozenset(), ("incident_type", "incident type")),
    "conference_bridge": (frozenset(), ("conference",)),
    "body": (frozenset(), ("body", "details")),
}
_STATUSES = frozenset({400, 402, 403, 404, 413, 422})
# About services and existing incidents: leaving out a part does not help.
_HOPELESS = frozenset({"1001", "5002"})


class Page(Struct, frozen=True):
    """A new incident as sent; ``left_out``: the missing parts with reasons, shown by ``why``."""

    body: Mapping[str, object]
    left_out: tuple[str, ...] = ()

    @property
    def remark(self) -> str:
        """The text for the outcome: ``", without priority (code 1020)"``."""
        return "".join(f", {item}" for item in self.left_out)


def without_refused(page: Page, error: RefusedError) -> Page | None:
    """The page without the refused part; None if no part can be left out.

    Args:
        page: the refused page.
        error: the refusal.
    """
    if error.status not in _STATUSES or error.code in _HOPELESS:
        return None
    if is_too_long(error):
        shorter = _shorter(page)
        if shorter is not None:
            return shorter
    said = str(error).lower()
    for name, (codes, words) in _PARTS.items():
        if name in page.body and (error.code in codes or any(word in said for word in words)):
            return _without(page, (name,), error)
    present = tuple(name for name in _PARTS if name in page.body)
    return _without(page, present, error) if present else None


def _shorter(page: Page) -> Page | None:
    title, details = str(page.body["title"]), page.body.get("body")
    if len(title) > SAFE_TITLE:
        body = {**page.body, "title": cut(title, SAFE_TITLE)}
        return replace(
            page, body=body, left_out=(*page.left_out, f"title cut to {SAFE_TITLE} characters")
        )
    text = str(details.get("details", "")) if isinstance(details, Mapping) else ""
    if len(text) <= SAFE_BODY:
        return None
    body = {**page.body, "body": {"type": "incident_body", "details": cut(text, SAFE_BODY)}}
    return replace(
        page, body=body, left_out=(*page.left_out, f"body cut to {SAFE_BODY} characters")
    )


def _without(page: Page, names: tuple[str, ...], error: RefusedError) -> Page:
    body = {name: value for name, value in page.body.items() if name not in names}
    why = f"code {error.code}" if error.code else f"HTTP {error.status}"
    said = f"without {', '.join(names)} (refused: {why})"
    return replace(page, body=body, left_out=(*page.left_out, said))
