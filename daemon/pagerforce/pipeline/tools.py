"""What delivery works with, put together by the composition root."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from pagerforce.errors import RemoteError
from pagerforce.model.ports import ActionHandler, Clock
from pagerforce.model.verdict import Verdict
from pagerforce.observe.metrics import Metrics
from pagerforce.pipeline.settings import DeliveryLimits
from pagerforce.pipeline.settle import RetryPolicy
from pagerforce.store.database import Database


@dataclass(frozen=True, slots=True)
class Tools:
    """What delivery works with.

    ``verdict_of``: what a failed read before the attempt means. ``skew``: how far Salesforce's clock
    is ahead of PagerDuty's.
    """

    database: Database
    handlers: Mapping[str, ActionHandler]
    clock: Clock
    metrics: Metrics
    limits: DeliveryLimits
    policy: RetryPolicy
    verdict_of: Callable[[RemoteError], Verdict]
    skew: Callable[[], timedelta]
