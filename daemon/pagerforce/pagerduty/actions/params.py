"""Arguments that several actions have."""

from pagerforce.model.action import Param, Thing

POLICY = Param(
    "escalation_policy", doc="an escalation policy, by name or id", names=Thing.ESCALATION_POLICY
)
