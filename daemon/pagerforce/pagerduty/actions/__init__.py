"""PagerDuty's actions: their declarations, and the handlers that deliver them."""

from pagerforce.config.schema import Config
from pagerforce.model.action import ActionSpec
from pagerforce.model.mapping import MappingTable
from pagerforce.model.ports import ActionHandler
from pagerforce.pagerduty.actions import specs
from pagerforce.pagerduty.actions.acknowledge import Acknowledge
from pagerforce.pagerduty.actions.add_note import AddNote
from pagerforce.pagerduty.actions.automation import RunResponsePlay, RunWorkflow
from pagerforce.pagerduty.actions.changes import Reassign, SetPriority
from pagerforce.pagerduty.actions.create_incident import CreateIncident
from pagerforce.pagerduty.actions.desk import Desk
from pagerforce.pagerduty.actions.handler import Handler
from pagerforce.pagerduty.actions.stand_in import StandIns
from pagerforce.pagerduty.actions.status import Resolve
from pagerforce.pagerduty.client import PagerDutyClient
from pagerforce.pagerduty.directory import Directory
from pagerforce.pagerduty.pace import Lane

_HANDLERS: tuple[tuple[ActionSpec, type[Handler], Lane], ...] = (
    (specs.CREATE_INCIDENT, CreateIncident, Lane.PAGE),
    (specs.ACKNOWLEDGE, Acknowledge, Lane.STATUS),
    (specs.RESOLVE, Resolve, Lane.STATUS),
    (specs.SET_PRIORITY, SetPriority, Lane.STATUS),
    (specs.RUN_RESPONSE_PLAY, RunResponsePlay, Lane.PAGE),
    (specs.RUN_WORKFLOW, RunWorkflow, Lane.STATUS),
    (specs.REASSIGN, Reassign, Lane.PAGE),
    (specs.ADD_NOTE, AddNote, Lane.NOTE),
)

CATALOG: tuple[ActionSpec, ...] = tuple(spec for spec, *_ in _HANDLERS)


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
        make(spec, Desk(client.at(lane), directory, config, mappings, clock, stand_ins))
        for spec, make, lane in _HANDLERS
    )
