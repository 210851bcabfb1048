"""The whole configuration, for the rest of the program."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from pagerforce.config.objects import CommentSettings, Lookup, ObjectSettings, ServiceMapping
from pagerforce.config.settings import (
    DaemonSettings,
    DeliverySettings,
    MetricsSettings,
    PagerDutySettings,
    SalesforceSettings,
    Section,
    StateSettings,
)
from pagerforce.config.values import FROM_LIST, PlainScalar

__all__ = [
    "CommentSettings",
    "Config",
    "DaemonSettings",
    "DeliverySettings",
    "Lookup",
    "MetricsSettings",
    "ObjectSettings",
    "PagerDutySettings",
    "SalesforceSettings",
    "ServiceMapping",
    "StateSettings",
]


class Config(Section):
    """The content of all files, with presets applied and included files merged.

    Attributes:
        include: the patterns as written; the matching files are in ``Loaded.files``.
        maps: name -> the table behind ``translate("name")``.
        rulesets: as written, for display; the parsed rules are in ``Loaded.rules``.
    """

    include: Annotated[tuple[str, ...], FROM_LIST] = ()
    daemon: DaemonSettings = Field(default_factory=DaemonSettings)
    state: StateSettings = Field(default_factory=StateSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    pagerduty: PagerDutySettings
    salesforce: SalesforceSettings
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)
    objects: Annotated[tuple[ObjectSettings, ...], FROM_LIST] = ()
    service_mappings: Annotated[tuple[ServiceMapping, ...], FROM_LIST] = ()
    maps: Mapping[str, Mapping[str, PlainScalar]] = Field(default_factory=dict)
    rulesets: Annotated[tuple[Mapping[str, object], ...], FROM_LIST] = ()
