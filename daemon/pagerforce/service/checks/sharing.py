"""Does our user see all rows: a row that is not shared is silently missing from every answer.

Object permissions come from the permission sets of the user, among them the one that stands for the
profile. The standard objects PermissionSetAssignment and ObjectPermissions tell; a user who may not
look at the set-up is refused, or shown nothing.
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
    "our user does not have it: records that are not shared with the user are silently missing. Give"
    " it View All, or make sure that sharing reaches all records",
)
UNVERIFIED = remark(
    "sharing.unverified",
    _WHAT,
    "could not be verified ({reason}): make sure that our user has it, or that sharing reaches all"
    " records",
)

ADVICE = (NOT_ALL, UNVERIFIED)


async def sharing_lines(client: SalesforceClient, objects: Iterable[str]) -> list[CheckLine]:
    """One line per object.

    Raises:
        RemoteError: the org could not be asked; a refusal is a remark.
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
    """Those objects of which the user sees every row; None where that can't be told.

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
