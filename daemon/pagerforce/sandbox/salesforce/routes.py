"""The resources of the paths below ``/services/data/vXX.X/``."""

from pagerforce.sandbox.salesforce import (
    collections_api,
    composite,
    describe,
    query_api,
    replication,
    rows_api,
)
from pagerforce.sandbox.salesforce.rest import Call, Reply, Resource, Router, Session


def _resources(session: Session, call: Call) -> Reply:
    """``GET /``: the list of resources."""
    del call
    names = ("sobjects", "query", "queryAll", "limits", "composite")
    return Reply(200, {name: f"{session.base}/{name}" for name in names})


def _limits(session: Session, call: Call) -> Reply:
    """``GET /limits``."""
    del call
    quota, now = session.world.quota, session.world.clock.now()
    streaming = session.world.streaming
    delivered = {
        "DailyDeliveredPlatformEvents": {
            "Max": streaming.knobs.most_delivered,
            "Remaining": streaming.left_to_deliver(),
        }
    }
    return Reply(
        200,
        {
            "DailyApiRequests": {"Max": quota.limit, "Remaining": quota.remaining(now)},
            "DailyBulkApiBatches": {"Max": 15000, "Remaining": 15000},
            "ConcurrentAsyncGetReportInstances": {"Max": 200, "Remaining": 200},
            "DataStorageMB": {"Max": 5, "Remaining": 5},
            **(delivered if streaming.knobs.shows_allocation else {}),
        },
    )


def make_router() -> Router:
    """The REST API's resources, fixed names before wildcards."""
    return Router(
        (
            Resource((), {"GET": _resources}),
            Resource(("limits",), {"GET": _limits}),
            Resource(("query",), {"GET": query_api.query}),
            Resource(("query", "*"), {"GET": query_api.query_more}),
            Resource(("queryAll",), {"GET": query_api.query_all}),
            Resource(("queryAll", "*"), {"GET": query_api.query_more}),
            Resource(("composite",), {"POST": composite.composite}),
            Resource(("composite", "batch"), {"POST": composite.batch}),
            Resource(
                ("composite", "sobjects"),
                {
                    "POST": collections_api.create_rows,
                    "PATCH": collections_api.update_rows,
                    "DELETE": collections_api.delete_rows,
                },
            ),
            Resource(
                ("composite", "sobjects", "*"),
                {"GET": collections_api.read_rows, "POST": collections_api.read_rows},
            ),
            Resource(("composite", "sobjects", "*", "*"), {"PATCH": collections_api.upsert_rows}),
            Resource(("sobjects",), {"GET": describe.describe_global}),
            Resource(("sobjects", "*"), {"GET": describe.describe_basic, "POST": rows_api.create}),
            Resource(("sobjects", "*", "describe"), {"GET": describe.describe}),
            Resource(("sobjects", "*", "updated"), {"GET": replication.updated}),
            Resource(("sobjects", "*", "deleted"), {"GET": replication.deleted}),
            Resource(
                ("sobjects", "*", "*"),
                {
                    "GET": rows_api.read,
                    "PATCH": rows_api.update,
                    "DELETE": rows_api.delete,
                },
            ),
            Resource(
                ("sobjects", "*", "*", "*"),
                {
                    "GET": rows_api.read_by_key,
                    "PATCH": rows_api.upsert,
                    "DELETE": rows_api.delete_by_key,
                },
            ),
        )
    )
