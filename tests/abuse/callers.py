"""Calls on the control socket by users of any role, and a measure of what they cost the daemon."""

import json
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx


def connect_as(path, uid, gid):
    """Connects as this user: the daemon sees who connected, not who sends afterwards.

    Call it only where nothing else runs in between: the whole process is this user for a moment.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(60)
    known = os.getgroups()
    os.setgroups([])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(known)
    return connection


def head_of(word, length=None):
    how = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return f"POST /v1/{word.replace(' ', '/')} HTTP/1.1\r\nHost: x\r\n{how}\r\n\r\n".encode()


def send(connection, word, body):
    """Sends a request; stops without an error if the daemon has closed the connection."""
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(head_of(word, len(body)))
        connection.sendall(body)


def answer_of(connection):
    """The last line of an answer, ``{"result": ...}`` or ``{"error": ...}``; None without an answer."""
    raw = bytearray()
    with suppress(ConnectionResetError, TimeoutError):
        while chunk := connection.recv(65536):
            raw += chunk
    connection.close()
    found = [line for line in raw.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b'{"')]
    return _joined(raw) if found else None


def _joined(raw):
    head, _, body = bytes(raw).partition(b"\r\n\r\n")
    if b"chunked" in head.lower():
        parts = []
        while body:
            size, _, body = body.partition(b"\r\n")
            count = int(size or b"0", 16)
            if not count:
                break
            parts.append(body[:count])
            body = body[count + 2 :]
        body = b"".join(parts)
    return json.loads(body.splitlines()[-1])


def children_of(pid):
    """The ids of a process's children."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ProcessLookupError):
            text = path.read_text()
            if int(text.rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def resident(pid):
    """Bytes of memory that a process uses."""
    with suppress(OSError, ProcessLookupError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def busy_seconds(pid):
    """CPU seconds of a process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watch:
    """Measures a daemon from outside while the block runs.

    Attributes:
        stall: longest time in seconds that its event loop was blocked by its own work; time that
            other processes of this machine take is left out.
        memory: most bytes that it and its children used.
    """

    def __init__(self, running):
        self.stall = self.memory = 0.0
        self.answers = 0
        self._url = f"{running.url}/-/healthy"
        self._pid = running.process.pid
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._probe), threading.Thread(target=self._weigh)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _probe(self):
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not self._is_over.is_set():
                began, worked = time.monotonic(), busy_seconds(self._pid)
                with suppress(httpx.HTTPError):
                    client.get(self._url)
                took = time.monotonic() - began
                self.stall = max(self.stall, min(took, busy_seconds(self._pid) - worked))
                self.answers += 1
                self._is_over.wait(0.02)

    def _weigh(self):
        while not self._is_over.is_set():
            held = resident(self._pid) + sum(map(resident, children_of(self._pid)))
            self.memory = max(self.memory, held)
            self._is_over.wait(0.05)
