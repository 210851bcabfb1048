"""The PagerDuty half of the sandbox: an account in memory, and its REST API.

Written from docs/vendors/pagerduty.md and the published schema. ``seeded_world`` creates the
account, ``make_app`` serves it; tests and the demo play people and monitoring with the world's
methods.
"""

from pagerforce.sandbox.pagerduty.app import make_app
from pagerforce.sandbox.pagerduty.journal import EntryOrder
from pagerforce.sandbox.pagerduty.seeds import ACCOUNT_KEY, READ_ONLY_KEY, USER_KEY, seeded_world
from pagerforce.sandbox.pagerduty.world import PagerDutyWorld

__all__ = [
    "ACCOUNT_KEY",
    "READ_ONLY_KEY",
    "USER_KEY",
    "EntryOrder",
    "PagerDutyWorld",
    "make_app",
    "seeded_world",
]
