"""A real systemd as process 1 of its own namespaces, with the installed program in its root.

Its file system is a fresh tmpfs: the host's /usr read-only below what was installed, copies of the few
files of /etc that a system needs, and nothing else. It has its own network (loopback only), its own
processes and its own cgroup; all of it ends with the process that is killed at the end.
"""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PAUSE = threading.Event()  # never set: waiting for it is a pause

SYSTEMD = Path("/lib/systemd/systemd")
_NEEDED = ("setpriv", "unshare", "nsenter", "systemctl", "mount", "pivot_root")
_NAMESPACES = ("--mount", "--pid", "--cgroup", "--ipc", "--uts", "--net")
_PATIENCE = 60.0

_BOOT = r"""
set -eu
root=$1 staged=$2
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir -p "$root"/{usr,etc,var,run,tmp,proc,sys,dev,opt,srv,old}
chmod 1777 "$root/tmp"
for name in bin sbin lib lib64; do if [ -L "/$name" ]; then cp -a "/$name" "$root/$name"; fi; done
mount -t overlay -o "lowerdir=$staged/usr:/usr" overlay "$root/usr"
mount --bind -o ro "$staged/opt" "$root/opt"
cp -a "$staged/etc/." "$root/etc/"
cp -a "$staged/srv/." "$root/srv/"
cp -a /etc/nsswitch.conf /etc/ld.so.cache "$root/etc/"
printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"
printf '127.0.0.1 localhost\n::1 localhost\n' > "$root/etc/hosts"
printf 'ID=test\n' > "$root/etc/os-release"
: > "$root/etc/machine-id"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root"/dev/{pts,shm,mqueue,hugepages}
mount -t devpts -o newinstance,mode=620,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
for name in null zero full random urandom tty; do : > "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
cd "$root"
pivot_root . old
umount -l /old
mount --make-rshared /  # as systemd does itself, except in what it takes for a container
export container=pagerforce-test
exec /lib/systemd/systemd --system --unit=sysinit.target --log-target=journal --show-status=no
"""


def why_not() -> str:
    """Why no separate systemd can be started here; ``""`` if it probably can."""
    if os.geteuid() != 0:
        return "namespaces of its own need root"
    if not SYSTEMD.exists():
        return f"{SYSTEMD} is not installed"
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if _cgroup2() is None:
        return "no cgroup2 hierarchy is mounted"
    tried = subprocess.run(
        ["unshare", *_NAMESPACES, "--fork", "--mount-proc", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"namespaces are refused: {tried.stderr.strip()}" if tried.returncode else ""


def _cgroup2() -> Path | None:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2" and os.access(place, os.W_OK):
            return Path(place)
    return None


class Machine:
    """The running system; commands are run inside it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        inside = ["nsenter", "-t", str(self._pid), "-m", "-p", "-n", "-u", "-i", "--"]
        return subprocess.run(
            [*inside, *words],
            capture_output=True,
            text=True,
            check=False,
            input=stdin,
            timeout=120,
            env={"PATH": "/usr/local/bin:/usr/bin:/usr/sbin"},
        )

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def show(self, unit: str, name: str) -> str:
        return self.ok("systemctl", "show", "--value", f"--property={name}", unit)

    def journal(self, unit: str) -> str:
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").stdout

    def write(self, path: str, text: str) -> None:
        done = self.run("tee", path, stdin=text)
        assert done.returncode == 0, done.stderr

    def until(self, look, what: str) -> None:
        """Waits until ``look()`` is true; on failure the units' journals are shown."""
        end = time.monotonic() + _PATIENCE
        while not look():
            assert time.monotonic() < end, f"not within {_PATIENCE:.0f} s: {what}\n" + "\n".join(
                self.journal(unit) for unit in ("pagerforce*", "sandbox")
            )
            _PAUSE.wait(0.1)


@contextmanager
def boot(root: Path, staged: Path) -> Iterator[Machine | str]:
    """Boots; returns the machine, or the reason why systemd did not start.

    Args:
        root: an empty folder to mount the system on.
        staged: what ``make install`` put under a DESTDIR, with the final ``etc`` and ``srv``.
    """
    hierarchy = _cgroup2()
    assert hierarchy is not None
    group = hierarchy / f"pagerforce-test-{os.getpid()}"
    group.mkdir()
    # The shell joins the group before it becomes unshare, so that the new namespace is rooted there.
    # It dies with the test process, and everything in the namespaces with it.
    join = f'echo $$ > {group}/cgroup.procs && exec setpriv --pdeathsig KILL unshare "$@"'
    process = subprocess.Popen(
        ["bash", "-c", join, "_", *_NAMESPACES, "--fork", "--kill-child", "--propagation=private",
         "bash", "-c", _BOOT, "_", str(root), str(staged)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield _wait(process)
    finally:
        process.kill()
        process.communicate()
        _remove(group)


def _wait(process: subprocess.Popen[str]) -> Machine | str:
    end = time.monotonic() + _PATIENCE
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while time.monotonic() < end:
        if process.poll() is not None:
            return f"systemd ended at once: {process.stdout.read() if process.stdout else ''}"
        pids = children.read_text().split()
        if pids and Path(f"/proc/{pids[0]}/comm").read_text().strip() == "systemd":
            machine = Machine(int(pids[0]))
            state = machine.run("systemctl", "is-active", "sysinit.target").stdout.strip()
            if state == "active":
                return machine
        _PAUSE.wait(0.1)
    return f"systemd was not up within {_PATIENCE:.0f} s"


def _remove(group: Path) -> None:
    """Removes the cgroup once the kernel has released the killed processes."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            for folder, _, _ in os.walk(group, topdown=False):
                Path(folder).rmdir()
        except OSError:
            _PAUSE.wait(0.1)
        else:
            return
