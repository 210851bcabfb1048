"""The settings of the pipeline, independent of the configuration format.

``service/wiring.py`` fills them in.
"""

from collections.abc import Mapping
from datetime import timedelta

import msgspec
from msgspec import Struct

from pagerforce.model.action import Purpose, Specs, spec_for


class CommentRules(Struct, frozen=True):
    """How comments and notes of one object are copied; a template None: not in that direction."""

    object: str
    note_template: str | None
    comment_template: str | None


class ObjectRules(Struct, frozen=True):
    """What the pipeline does for one object besides the customer's rules."""

    name: str
    comments: CommentRules | None = None
    should_resolve_on_delete: bool = False


class DeliveryLimits(Struct, frozen=True):
    """``[delivery]`` of docs/configuration.md."""

    concurrency: int = 8
    retry_for: timedelta = timedelta(hours=24)
    loop_limit: int = 20
    loop_pause: timedelta = timedelta(minutes=15)
    timeout: timedelta = timedelta(seconds=30)


class Pace(Struct, frozen=True):
    """How often and how far back one side is read."""

    calm: timedelta
    busy: timedelta
    late_window: timedelta


class PipelineSettings(Struct, frozen=True):
    """All settings that decisions depend on, besides the rules themselves.

    ``services``: only incidents of these services take part; empty: all.
    """

    objects: Mapping[str, ObjectRules]
    specs: Specs
    pagerduty: Pace
    salesforce: Pace
    reconcile: timedelta = timedelta(minutes=5)
    limits: DeliveryLimits = msgspec.field(default_factory=DeliveryLimits)
    services: frozenset[str] = frozenset()
    is_shadow: bool = False

    def word_for(self, purpose: Purpose) -> str:
        """The word of the action for a built-in task."""
        return spec_for(purpose, self.specs.values()).do
