"""Salesforce's actions: their catalog, and the handlers that deliver them."""

from pagerforce.config.schema import Config
from pagerforce.model.action import ActionSpec
from pagerforce.model.mapping import MappingTable
from pagerforce.model.ports import ActionHandler, Clock
from pagerforce.salesforce.actions.add_comment import AddComment
from pagerforce.salesforce.actions.create_record import CreateRecord
from pagerforce.salesforce.actions.set_field import SetField
from pagerforce.salesforce.actions.tools import SalesforceTools
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.feeds import FeedPlan
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.salesforce.refused_columns import RefusedColumns
from pagerforce.salesforce.schema import SchemaCache

_HANDLERS = (SetField, CreateRecord, AddComment)

CATALOG: tuple[ActionSpec, ...] = tuple(handler.spec for handler in _HANDLERS)


def build_handlers(
    client: SalesforceClient,
    schema: SchemaCache,
    config: Config,
    mappings: MappingTable,
    clock: Clock,
    plan: FeedPlan,
) -> tuple[ActionHandler, ...]:
    """One handler for each action of the catalog.

    Args:
        client: the API.
        schema: the org's objects.
        config: objects and comments.
        mappings: the service mappings, resolved.
        clock: measures the age of caches.
        plan: the poller's plan, so that records returned by actions have the same fields as
            polled ones, also after new rules use other fields.
    """
    tools = SalesforceTools(
        client=client,
        schema=schema,
        plan=plan,
        config=config,
        mappings=mappings,
        lookups=LookupResolver(client, schema, clock),
        refused_columns=RefusedColumns(client, schema, plan, clock),
    )
    return tuple(make(tools) for make in _HANDLERS)
