"""``verify``: runs a test on the real accounts with test data and compares it with the beliefs.

With ``plan`` it writes nothing and says what it would do. It needs no daemon and no state, and
works in shadow mode too: it writes only its own test data.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from pagerforce.model.value import Json
from pagerforce.service.control.desk import Desk, Request


class VerifyRequest(Request):
    """The options of a run.

    Attributes:
        service: id or name.
        object: ``""`` for the first object of the configuration.
        policy: another escalation policy, id or name; ``""``: nothing is delegated.
        status_update: whether a status update may be sent.
        values: additional field values of the test record.
        wait_seconds: the longest wait until a log entry is visible.
        plan: only say what would be done.
    """

    service: str
    object: str = ""
    urgency: Literal["low", "high"] = "low"
    policy: str = ""
    status_update: bool = False
    values: Mapping[str, str | int | float | bool] = {}
    wait_seconds: float = Field(default=30.0, gt=0, le=120)
    plan: bool = False


async def verify(desk: Desk, request: VerifyRequest) -> Json:
    """Gives ``{service, object, will}`` with ``plan``, else ``{..., beliefs, closed, left, seen}``.

    Raises:
        NotFoundError: there is no such service, policy or configured object.
        RemoteError: the request for the service failed.
    """
    # Most daemons never run it.
    from pagerforce.service.control.verify_run import run_verify  # noqa: PLC0415

    return await run_verify(desk, request)
