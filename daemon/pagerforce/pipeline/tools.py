"""The dependencies of delivery, assembled by the composition root."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from msgspec import Struct

from pagerforce.errors import RemoteError
from pagerforce.model.ids import Side
from pagerforce.model.ports import ActionHandler, Clock
from pagerforce.model.verdict import Verdict
from pagerforce.observe.metrics import Metrics
from pagerforce.pipeline.settings import DeliveryLimits
from pagerforce.pipeline.settle import RetryPolicy
from pagerforce.store.database import Database


class Tools(Struct, frozen=True):
    """The dependencies of delivery.

    ``verdict_of``: the verdict for a failed read before the attempt. ``skew``: how far Salesforce's
    clock is ahead of PagerDuty's. ``ahead``: how far a side's clock is ahead of this host's; None
    before its first answer.
    """

    database: Database
    handlers: Mapping[str, ActionHandler]
    clock: Clock
    metrics: Metrics
    limits: DeliveryLimits
    policy: RetryPolicy
    verdict_of: Callable[[RemoteError], Verdict]
    skew: Callable[[], timedelta]
    ahead: Callable[[Side], timedelta | None]
