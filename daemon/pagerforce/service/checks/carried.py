"""Checks that the PagerDuty services named by the org's own rows (``service_id_path``) exist.

A category with a mistyped service id pages nobody, and nothing in the configuration shows it.
"""

from msgspec import Struct

from pagerforce.config.checkline import CheckLine, ok, todo
from pagerforce.config.load import Loaded
from pagerforce.errors import RefusedError
from pagerforce.pagerduty.directory import Directory
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.schema import SchemaCache
from pagerforce.salesforce.soql import Select, compare
from pagerforce.service.checks.asking import Asking, GaveUpError

_MOST = 2000

NO_SERVICE = todo(
    "carried.no_service",
    "{object}.{field} of row {row}",
    "has the service id {service}, which does not exist in PagerDuty: correct the row",
)

ADVICE = (NO_SERVICE,)


class CarriedCheck(Struct, frozen=True):
    """Checks the rows that have service ids."""

    loaded: Loaded
    client: SalesforceClient
    schema: SchemaCache
    directory: Directory
    asking: Asking

    async def run(self) -> list[CheckLine]:
        """Returns one line per wrong row, and one per object and field without a wrong row."""
        lines: list[CheckLine] = []
        paths = {(item.name, item.service_id_path) for item in self.loaded.config.objects}
        try:
            for name, path in sorted(paths):
                found = await self.asking.ask(
                    f"{name}: services in {path}",
                    lambda n=name, p=path: self._path(n, p),  # type: ignore[misc]
                )
                lines += [found] if isinstance(found, CheckLine) else found
        except GaveUpError:
            pass  # the side's own lines say so
        return lines

    async def _path(self, name: str, path: str) -> list[CheckLine]:
        relation, _, field = path.partition(".")
        if not field or "." in field or await self.schema.find_field(name, path) is None:
            return []
        reference = (await self.schema.describe(name)).relationship(relation)
        lines: list[CheckLine] = []
        for target in reference.reference_to if reference is not None else ():
            lines += await self._rows(target, field)
        return lines

    async def _rows(self, target: str, field: str) -> list[CheckLine]:
        select = Select(target, ("Id", field), (compare(field, "!=", None),), limit=_MOST)
        try:
            rows = await self.client.query_to_end(select.text())
        except RefusedError:
            return []  # a target without this field
        known = {ref.id for ref in await self.directory.fetch_services()}
        wrong = [
            NO_SERVICE.line(object=target, field=field, row=row.get("Id"), service=service)
            for row in rows
            if (service := str(row.get(field)).strip()) and service not in known
        ]
        return wrong or [ok(f"{target}.{field}: {len(rows)} service ids")]
