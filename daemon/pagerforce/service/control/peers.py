"""The caller at the other end of the control socket, by the kernel and the user database."""

import grp
import os
import pwd
import socket
import struct
from collections.abc import Collection, Mapping

from msgspec import Struct

from pagerforce.service.control.roles import Role

_SO_PEERGROUPS = 59  # linux/socket.h; Python has no name for it
_CREDENTIALS = struct.Struct("iII")  # pid, uid, gid: struct ucred of unix(7)
_MOST_GROUPS = 256  # Python's getsockopt() takes no buffer above 1024 bytes


class Peer(Struct, frozen=True):
    """Credentials of the process that connected; the kernel keeps them from that time."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int] = frozenset()


class Caller(Struct, frozen=True):
    """A caller with a name and roles; without a role it is a stranger."""

    uid: int
    user: str
    roles: frozenset[Role]


def peer_of(connection: socket.socket) -> Peer:
    """Returns the peer of a connected Unix socket.

    Raises:
        OSError: it is not such a socket, or its peer is unknown.
    """
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(raw)
    return Peer(pid, uid, gid, _peer_groups(connection))


def _peer_groups(connection: socket.socket) -> frozenset[int]:
    """Returns its supplementary groups.

    None if the kernel is too old (before 4.13) or there are too many: then only the user database
    counts.
    """
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MOST_GROUPS)
    except OSError:
        return frozenset()
    return frozenset(struct.unpack(f"{len(raw) // 4}I", raw))


def own_peer() -> Peer:
    """Returns this process, for commands that work without the daemon."""
    return Peer(os.getpid(), os.geteuid(), os.getegid(), frozenset(os.getgroups()))


def find_caller(peer: Peer, service_uid: int) -> Caller:
    """Returns name and roles of a peer. Asks the user database, which may be slow.

    The groups are those of the process and those that the user database has for its user now. Root
    and the service user are always administrators.
    """
    user, gids = f"uid {peer.uid}", {peer.gid, *peer.groups}
    try:
        entry = pwd.getpwuid(peer.uid)
    except KeyError:
        pass  # a user of a container, or just removed: its process still has groups
    else:
        user = entry.pw_name
        gids |= set(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return _caller(peer, user, gids, role_gids(), service_uid)


def caller_by_kernel(peer: Peer, known: Mapping[Role, int], service_uid: int) -> Caller:
    """Returns a peer as the kernel alone knows it, if the user database does not answer."""
    return _caller(peer, f"uid {peer.uid}", {peer.gid, *peer.groups}, known, service_uid)


def _caller(
    peer: Peer, user: str, gids: Collection[int], known: Mapping[Role, int], service_uid: int
) -> Caller:
    roles = {role for role, gid in known.items() if gid in gids}
    if peer.uid in (0, service_uid):
        roles.add(Role.ADMIN)
    return Caller(peer.uid, user, frozenset(roles))


def role_gids() -> dict[Role, int]:
    """Returns the ids of the roles' groups that exist on this host. Asks the user database."""
    found = {role: _gid_of(role) for role in Role}
    return {role: gid for role, gid in found.items() if gid is not None}


def _gid_of(role: Role) -> int | None:
    """Returns the group's id; None if this host has no such group."""
    try:
        return grp.getgrnam(role.value).gr_gid
    except KeyError:
        return None
