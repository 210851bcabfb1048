"""Who is at the other end of the control socket, as the kernel and the user database say."""

import grp
import os
import pwd
import socket
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pagerforce.service.control.roles import Role

_SO_PEERGROUPS = 59  # linux/socket.h; Python has no name for it
_CREDENTIALS = struct.Struct("iII")  # pid, uid, gid: struct ucred of unix(7)
_MOST_GROUPS = 256  # Python's getsockopt() takes no buffer above 1024 bytes


@dataclass(frozen=True, slots=True)
class Peer:
    """Credentials of the process that connected, kept by the kernel since it did."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a name and roles; without a role it is a stranger."""

    uid: int
    user: str
    roles: frozenset[Role]


def peer_of(connection: socket.socket) -> Peer:
    """The peer of a connected Unix socket.

    Raises:
        OSError: it is none, or its peer is unknown.
    """
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(raw)
    return Peer(pid, uid, gid, _peer_groups(connection))


def _peer_groups(connection: socket.socket) -> frozenset[int]:
    """Its supplementary groups.

    None where the kernel is too old to tell (before 4.13) or there are too many of them: what the
    user database says remains.
    """
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MOST_GROUPS)
    except OSError:
        return frozenset()
    return frozenset(struct.unpack(f"{len(raw) // 4}I", raw))


def own_peer() -> Peer:
    """This process, for commands that work without the daemon."""
    return Peer(os.getpid(), os.geteuid(), os.getegid(), frozenset(os.getgroups()))


def find_caller(peer: Peer, service_uid: int) -> Caller:
    """Name and roles of a peer. Asks the user database, which may take its time.

    The groups are those that the process has and those that the user database gives its user now.
    Root and the service user are administrators whatever their groups.
    """
    user, gids = f"uid {peer.uid}", {peer.gid, *peer.groups}
    try:
        entry = pwd.getpwuid(peer.uid)
    except KeyError:
        pass  # a user of a container or one just removed: its process still has groups
    else:
        user = entry.pw_name
        gids |= set(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return _caller(peer, user, gids, role_gids(), service_uid)


def caller_by_kernel(peer: Peer, known: Mapping[Role, int], service_uid: int) -> Caller:
    """A peer as the kernel alone knows it, where the user database does not answer."""
    return _caller(peer, f"uid {peer.uid}", {peer.gid, *peer.groups}, known, service_uid)


def _caller(
    peer: Peer, user: str, gids: Collection[int], known: Mapping[Role, int], service_uid: int
) -> Caller:
    roles = {role for role, gid in known.items() if gid in gids}
    if peer.uid in (0, service_uid):
        roles.add(Role.ADMIN)
    return Caller(peer.uid, user, frozenset(roles))


def role_gids() -> dict[Role, int]:
    """The numbers of the roles' groups that this host has. Asks the user database."""
    found = {role: _gid_of(role) for role in Role}
    return {role: gid for role, gid in found.items() if gid is not None}


def _gid_of(role: Role) -> int | None:
    """The group's number; None where this host has no such group."""
    try:
        return grp.getgrnam(role.value).gr_gid
    except KeyError:
        return None
