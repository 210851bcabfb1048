"""The role table: who may do what. Pure.

``GRANTS`` is the table of docs/reference/commands.md, cell by cell; ``NEEDS`` lists the cells that
a command needs, all of them. A user with several roles has the union of their cells.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum


class Role(StrEnum):
    """The roles; the value is the role's Unix group. Root and the service user have ADMIN."""

    ADMIN = "pagerforce-admin"
    AUDITOR = "pagerforce-auditor"
    MANAGER = "pagerforce-manager"
    USER = "pagerforce-user"


class Permission(StrEnum):
    """The cells of the table."""

    CONFIG_READ = "read the configuration"
    CONFIG_WRITE = "write the configuration"
    LINKS_READ = "read incident mappings"
    LINKS_CREATE = "create incident mappings"
    LINKS_EDIT = "edit incident mappings"
    LINKS_DELETE = "delete incident mappings"
    RULES_READ = "read rules"
    RULES_CREATE = "create rules"
    RULES_EDIT = "edit rules"
    RULES_DELETE = "delete rules"
    TAB = "the configuration tab"


_P = Permission
_ALL_LINKS = frozenset({_P.LINKS_READ, _P.LINKS_CREATE, _P.LINKS_EDIT, _P.LINKS_DELETE})
_ALL_RULES = frozenset({_P.RULES_READ, _P.RULES_CREATE, _P.RULES_EDIT, _P.RULES_DELETE})

GRANTS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.AUDITOR: frozenset({_P.CONFIG_READ, _P.LINKS_READ, _P.RULES_READ, _P.TAB}),
    Role.MANAGER: frozenset({_P.CONFIG_READ, _P.TAB}) | _ALL_LINKS | _ALL_RULES,
    Role.USER: frozenset(
        {_P.CONFIG_READ, _P.LINKS_READ, _P.LINKS_CREATE, _P.LINKS_EDIT, _P.RULES_READ}
    ),
}

_WRITES_LINKS = frozenset({_P.LINKS_CREATE, _P.LINKS_EDIT, _P.LINKS_DELETE})

NEEDS: Mapping[str, frozenset[Permission]] = {
    "check": frozenset({_P.TAB}),
    "status": frozenset({_P.TAB}),
    "log": frozenset({_P.TAB}),
    "why": frozenset({_P.TAB}),
    "failed list": frozenset({_P.TAB}),
    "failed show": frozenset({_P.TAB}),
    "failed retry": frozenset({_P.TAB}) | _WRITES_LINKS,
    "failed discard": frozenset({_P.TAB}) | _WRITES_LINKS,
    "drift": frozenset({_P.TAB}),
    "drift --apply": frozenset({_P.TAB}) | _WRITES_LINKS,
    "test": _WRITES_LINKS,
    "verify": _WRITES_LINKS,
    "links list": frozenset({_P.LINKS_READ}),
    "links show": frozenset({_P.LINKS_READ}),
    "links add": frozenset({_P.LINKS_CREATE}),
    "links edit": frozenset({_P.LINKS_EDIT}),
    "links remove": frozenset({_P.LINKS_DELETE}),
    "links resume": _WRITES_LINKS,
    "simulate": frozenset({_P.RULES_READ}),
    "rules list": frozenset({_P.RULES_READ}),
    "rules show": frozenset({_P.RULES_READ}),
    "rules check": frozenset({_P.RULES_READ}),
    "rules apply": _ALL_RULES,
    "rules rollback": _ALL_RULES,
    "log-level": frozenset({_P.CONFIG_WRITE}),
    "backup": frozenset({_P.CONFIG_WRITE}),
    "restore": frozenset({_P.CONFIG_WRITE}),
}


def missing(roles: Collection[Role], command: str) -> frozenset[Permission]:
    """Returns what these roles together lack for a command; empty: they may use it.

    A command that is not in the table needs every permission.
    """
    held = frozenset(cell for role in roles for cell in GRANTS[role])
    return NEEDS.get(command, frozenset(Permission)) - held
