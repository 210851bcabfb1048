"""All actions that rules may use, of both vendors."""

from pagerforce.model.action import ActionSpec, Specs
from pagerforce.pagerduty.actions import CATALOG as PAGERDUTY_CATALOG
from pagerforce.salesforce.actions import CATALOG as SALESFORCE_CATALOG

CATALOG: tuple[ActionSpec, ...] = (*PAGERDUTY_CATALOG, *SALESFORCE_CATALOG)
SPECS: Specs = {spec.do: spec for spec in CATALOG}
