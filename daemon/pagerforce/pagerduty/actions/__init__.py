"""PagerDuty's actions: their declarations, and the handlers that deliver them."""

from pagerforce.config.schema import Config
from pagerforce.model.action import ActionSpec
from pagerforce.model.mapping import MappingTable
from pagerforce.model.ports import ActionHandler
from pagerforce.pagerduty.actions.acknowledge import Acknowledge
from pagerforce.pagerduty.actions.add_note import AddNote
from pagerforce.pagerduty.actions.automation import RunResponsePlay, RunWorkflow
from pagerforce.pagerduty.actions.changes import Reassign, SetPriority
from pagerforce.pagerduty.actions.create_incident import CreateIncident
from pagerforce.pagerduty.actions.handler import Handler
from pagerforce.pagerduty.actions.stand_in import StandIns
from pagerforce.pagerduty.actions.status import Resolve
from pagerforce.pagerduty.actions.tools import PagerDutyTools
from pagerforce.pagerduty.client import PagerDutyClient
from pagerforce.pagerduty.directory import Directory

_HANDLERS: tuple[type[Handler], ...] = (
    CreateIncident,
    Acknowledge,
    Resolve,
    SetPriority,
    RunResponsePlay,
    RunWorkflow,
    Reassign,
    AddNote,
)

CATALOG: tuple[ActionSpec, ...] = tuple(handler.spec for handler in _HANDLERS)


def build_handlers(
    client: PagerDutyClient,
    directory: Directory,
    config: Config,
    mappings: MappingTable,
    stand_ins: StandIns,
) -> tuple[ActionHandler, ...]:
    """One handler for each entry of the catalog."""
    clock = stand_ins.clock
    return tuple(
        make(
            PagerDutyTools(
                client.at(make.rate_class), directory, config, mappings, clock, stand_ins
            )
        )
        for make in _HANDLERS
    )
