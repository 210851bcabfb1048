"""Checks the file permissions of the state folder, the configuration, and the secrets."""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pagerforce.config.checkline import CheckLine, ok, remark, todo
from pagerforce.config.schema import Config
from pagerforce.config.secret import SecretPlace, check_secret_mode
from pagerforce.errors import UnsafeFileError
from pagerforce.host.state import DATABASE, check_state_files

_STATE = "state folder {path}"

STATE_ABSENT = remark(
    "state.absent",
    _STATE,
    "does not exist yet: systemd creates it (StateDirectory=); else create it for the service user",
)
STATE_NO_FOLDER = todo(
    "state.no_folder", _STATE, "is not a folder: correct daemon.state_dir, or move the file away"
)
STATE_READ_ONLY = todo(
    "state.not_writable", _STATE, "can not be written: give its owner write access (chmod u+rwx)"
)
STATE_UNSEEN = remark(
    "state.unseen",
    _STATE,
    "belongs to a different user than the one who runs this check ({reason}): not verified",
)
STATE_FILE = todo("state.file_refused", "state file {path}", "{reason}")
STATE_OPEN = todo("state.open_to_all", _STATE, "may be written by everybody: chmod o-w {path}")
CONFIG_OPEN = todo(
    "config.open_to_all",
    "configuration {path}",
    "may be changed by everybody, and so may the rules: chmod o-w {path}",
)
SECRET_OPEN = todo("secret.open_to_others", "{secret}: {place}", "{reason}")
SECRET_ABSENT = remark(
    "secret.not_given",
    "{secret}",
    "is not set yet; `pagerforce check` without --offline needs it",
)
SECRET_UNSEEN = remark(
    "secret.unseen", "{secret}: {place}", "can not be seen by this user ({reason}): not verified"
)

ADVICE = (
    STATE_ABSENT,
    STATE_NO_FOLDER,
    STATE_READ_ONLY,
    STATE_UNSEEN,
    STATE_FILE,
    STATE_OPEN,
    CONFIG_OPEN,
    SECRET_OPEN,
    SECRET_ABSENT,
    SECRET_UNSEEN,
)


def state_line(path: Path) -> CheckLine:
    """Says whether the daemon can keep its state there, as far as this user can see."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return STATE_ABSENT.line(path=path)
    except OSError as error:
        return STATE_UNSEEN.line(path=path, reason=error.strerror)
    return _judge_folder(path, found)


def _judge_folder(path: Path, found: os.stat_result) -> CheckLine:
    if not stat.S_ISDIR(found.st_mode):
        return STATE_NO_FOLDER.line(path=path)
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        return STATE_OPEN.line(path=path)
    if os.access(path, os.R_OK | os.W_OK | os.X_OK):
        try:
            check_state_files(path / DATABASE, with_lock=True)
        except UnsafeFileError as error:
            return STATE_FILE.line(path=error.path, reason=error.what)
        return ok(f"state folder {path}")
    if found.st_uid != os.geteuid():
        return STATE_UNSEEN.line(path=path, reason=f"user id {found.st_uid}")
    return STATE_READ_ONLY.line(path=path)


def file_lines(files: Sequence[Path]) -> list[CheckLine]:
    """Returns lines about the configuration's files that everybody may change."""
    return [CONFIG_OPEN.line(path=path) for path in files if _is_open(path)]


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return False  # it was read a moment ago; the next start reports if it is missing now


def secret_line(
    what: str,
    find: Callable[[Config, Mapping[str, str]], SecretPlace | None],
    config: Config,
    environ: Mapping[str, str],
) -> CheckLine:
    """Says where a secret is and whether others can read it; does not read the secret itself."""
    place = find(config, environ)
    if place is None:
        return SECRET_ABSENT.line(secret=what)
    if place.path is None:
        return ok(f"{what}: {place.name} is set")
    try:
        mode = place.path.stat().st_mode
    except OSError as error:  # missing, or hidden from this user: the daemon is another user
        return SECRET_UNSEEN.line(secret=what, place=place.name, reason=error.strerror)
    problem = check_secret_mode(place, mode)
    if problem is not None:
        return SECRET_OPEN.line(secret=what, place=place.name, reason=problem.what)
    return ok(f"{what}: {place.name}")
