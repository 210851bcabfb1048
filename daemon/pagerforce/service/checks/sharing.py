"""Whether the integration user sees all rows: unshared rows are silently missing from answers.

Object permissions come from the permission sets of the user; one of them represents the profile.
The standard objects PermissionSetAssignment and ObjectPermissions show them. A user who may not
read the setup is refused, or sees nothing.
"""

from collections.abc import Iterable

from pagerforce.config.checkline import CheckLine, ok, remark
from pagerforce.errors import RefusedError
from pagerforce.model.ids import is_record_id
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.soql import IDS_PER_QUERY, Select, equals, is_in

_WHAT = "View All on {object}"

NOT_ALL = remark(
    "sharing.not_all",
    _WHAT,
    "the integration user does not have it: records that are not shared with the user are silently"
    " missing. Give the user View All, or make sure that sharing covers all records",
)
UNVERIFIED = remark(
    "sharing.unverified",
    _WHAT,
    "could not be verified ({reason}): make sure that the integration user has it, or that sharing"
    " covers all records",
)

ADVICE = (NOT_ALL, UNVERIFIED)


async def sharing_lines(client: SalesforceClient, objects: Iterable[str]) -> list[CheckLine]:
    """Returns one line per object.

    Raises:
        RemoteError: the request failed; a refusal is a remark.
    """
    names = tuple(objects)
    try:
        open_ones = await view_all(client, names)
    except RefusedError as error:
        reason = error.code or str(error)
        return [UNVERIFIED.line(object=name, reason=reason) for name in names]
    if open_ones is None:
        return [UNVERIFIED.line(object=name, reason="no permission sets shown") for name in names]
    return [
        ok(_WHAT.format(object=name)) if name in open_ones else NOT_ALL.line(object=name)
        for name in names
    ]


async def view_all(client: SalesforceClient, names: tuple[str, ...]) -> frozenset[str] | None:
    """Returns the objects whose rows the user sees all; None if unknown.

    Raises:
        RemoteError: the org could not be asked.
    """
    sets = await client.query_to_end(
        Select(
            "PermissionSetAssignment",
            ("PermissionSetId", "PermissionSet.PermissionsViewAllData"),
            (equals("AssigneeId", await client.user_id()),),
            limit=IDS_PER_QUERY,
        ).text()
    )
    if any(_sees_all(row.get("PermissionSet")) for row in sets):
        return frozenset(names)
    ids = [item for row in sets if is_record_id(item := str(row.get("PermissionSetId")))]
    if not ids or not names:
        return None
    rows = await client.query_to_end(
        Select(
            "ObjectPermissions",
            ("SobjectType",),
            (
                is_in("ParentId", ids),
                is_in("SobjectType", names),
                equals("PermissionsViewAllRecords", value=True),
            ),
        ).text()
    )
    return frozenset(str(row.get("SobjectType")) for row in rows)


def _sees_all(permission_set: object) -> bool:
    return isinstance(permission_set, dict) and permission_set.get("PermissionsViewAllData") is True
