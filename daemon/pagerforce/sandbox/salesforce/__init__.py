"""A Salesforce org with BMC Remedyforce, in memory and on loopback.

Written from the facts about the platform, never from what pagerforce's client sends. ``schema`` and
the object definitions are data; ``store``, ``transaction``, ``dml`` and ``triggers`` are the write
path; the ``soql_*`` modules read; ``rest`` and its neighbours are the API; tests and the demo use
``world``.
"""

from pagerforce.sandbox.salesforce.app import make_app
from pagerforce.sandbox.salesforce.errors import ApiError
from pagerforce.sandbox.salesforce.world import SalesforceWorld, seeded_world

__all__ = ["ApiError", "SalesforceWorld", "make_app", "seeded_world"]
