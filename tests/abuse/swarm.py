"""Local users who misuse a port: ``swarm.py '{"uids": [65534], "how": "idle", ...}'``, started as root.

Standard library only: after the rights are dropped, nothing more can be imported. ``how`` names one of the
functions below. Each is a client that starts again for ever. Each user prints ``up`` once every client was
connected once, and ends when standard input ends, with a line of JSON: counts by outcome.
"""

import asyncio  # noqa: TID251 (nothing else is left to this user)
import collections
import encodings.idna  # noqa: F401
import json
import os
import socket
import sys
import time


def tell(line):
    os.write(1, line.encode() + b"\n")


seen = collections.Counter()
lasted = []


async def connect(where):
    if isinstance(where, str):
        return await asyncio.open_unix_connection(where)
    return await asyncio.open_connection(*where)


async def idle(reader, writer, order):
    """Sends nothing until the connection is closed."""
    await reader.read()


async def dribble(reader, writer, order):
    """Sends one byte of a request at a time, without an end."""
    for byte in order["text"].encode() + b"x-more: " + b"a" * 100_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(order.get("pause", 0.2))
        if reader.at_eof() or writer.is_closing():
            return


async def ask(reader, writer, order):
    """Sends one whole request and reads the whole answer."""
    writer.write(order["text"].encode())
    head = await asyncio.wait_for(reader.readline(), 30)
    seen[head.decode("ascii", "replace").strip() or "no answer"] += 1
    while await reader.read(65536):
        pass


async def deaf(reader, writer, order):
    """Sends many requests at once and never reads an answer."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    reader._transport.pause_reading()
    writer.write(order["text"].encode() * 50)
    end = time.monotonic() + order.get("hold", 60)
    while time.monotonic() < end and not writer.is_closing():
        await asyncio.sleep(0.2)


async def hasty(reader, writer, order):
    """Sends a request and disconnects at once, with a reset where that exists."""
    writer.write(order["text"].encode())
    await asyncio.sleep(order.get("pause", 0.0))
    writer.transport.abort()


async def client(order, connected):
    deed = globals()[order["how"]]
    while True:
        began = time.monotonic()
        try:
            reader, writer = await asyncio.wait_for(connect(order["where"]), 10)
        except (OSError, TimeoutError):
            seen["not connected"] += 1
            await asyncio.sleep(0.05)
            continue
        finally:
            connected()
        try:
            await deed(reader, writer, order)
            seen["ended"] += 1
        except (OSError, TimeoutError):
            seen["cut off"] += 1
        finally:
            lasted[:] = [max([*lasted, time.monotonic() - began])]
            writer.close()
        await asyncio.sleep(order.get("rest", 0.1))


async def main(order):
    waiting = order["count"]

    def connected():
        nonlocal waiting
        waiting -= 1
        if waiting == 0:
            tell("up")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    over = loop.create_future()
    loop.add_reader(0, lambda: os.read(0, 1) or over.done() or over.set_result(None))
    tasks = [asyncio.create_task(client(order, connected)) for _ in range(order["count"])]
    await over
    assert tasks
    tell(json.dumps({"seen": seen, "longest": max(lasted, default=0)}))
    os._exit(0)  # clients that restart for ever need not be ended one by one


def become(uid):
    if os.geteuid() == 0 and uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    mine, *others = given["uids"]
    for other in others:
        if os.fork() == 0:
            mine = other
            break
    become(mine)
    asyncio.run(main(given))
