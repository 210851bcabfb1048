"""``make install`` and ``make uninstall``: which files they install where, and what they keep."""

import hashlib
import os
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from pagerforce import __version__
from setup.staged import REPOSITORY, find_python, make

FILES = {
    "etc/systemd/system/pagerforce.service": 0o644,
    "etc/systemd/system/pagerforce@.service": 0o644,
    "usr/lib/sysusers.d/pagerforce.conf": 0o644,
    "usr/share/bash-completion/completions/pagerforce": 0o644,
    "usr/share/doc/pagerforce/CHANGELOG.md": 0o644,
    "usr/share/doc/pagerforce/LICENSE": 0o644,
    "usr/share/doc/pagerforce/README.md": 0o644,
    "usr/share/doc/pagerforce/config.toml.example": 0o644,
    "usr/share/doc/pagerforce/notify-reload.conf": 0o644,
    "usr/share/fish/vendor_completions.d/pagerforce.fish": 0o644,
    "usr/share/zsh/vendor-completions/_pagerforce": 0o644,
}
PAGES = list((REPOSITORY / "docs").rglob("*.md"))
PROGRAM = "opt/pagerforce/bin/pagerforce"


def files_outside_opt(destdir: Path) -> dict[str, int]:
    return {
        str(path.relative_to(destdir)): stat.S_IMODE(path.lstat().st_mode)
        for path in destdir.rglob("*")
        if path.is_file() and not path.is_symlink()
        if not path.is_relative_to(destdir / "opt") and not path.is_relative_to(destdir / "srv")
    }


def test_what_is_installed_where_and_with_which_modes(destdir):
    pages = {f"usr/share/doc/pagerforce/{page.relative_to(REPOSITORY)}": 0o644 for page in PAGES}
    assert pages
    assert files_outside_opt(destdir) == FILES | pages
    assert stat.S_IMODE((destdir / PROGRAM).stat().st_mode) == 0o755
    assert (destdir / "usr/local/bin/pagerforce").readlink() == Path(f"/{PROGRAM}")
    assert stat.S_IMODE((destdir / "etc/pagerforce").stat().st_mode) == 0o755
    assert list((destdir / "etc/pagerforce").iterdir()) == []
    others = [path for path in (destdir / "opt").rglob("*") if path.lstat().st_mode & 0o022]
    assert [path for path in others if not path.is_symlink()] == []


def test_the_installed_program_runs_and_knows_its_version(destdir):
    # its first line names the final place, where nothing exists yet: so run it by its interpreter
    python = destdir / "opt/pagerforce/bin/python"
    done = subprocess.run(
        [python, "-m", "pagerforce", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert done.stdout.startswith(f"pagerforce {__version__} (schema ")
    assert (destdir / PROGRAM).read_text().startswith("#!/opt/pagerforce/bin/python\n")


def test_no_trace_of_the_folder_it_was_built_in(destdir):
    for path in (destdir / "opt/pagerforce").rglob("*"):
        if path.is_file() and path.suffix != ".so" and not path.is_symlink():
            assert str(destdir).encode() not in path.read_bytes(), path


def test_it_brings_no_tools_of_development_and_no_installer(destdir):
    (site,) = (destdir / "opt/pagerforce/lib").glob("python*/site-packages")
    names = {path.name.split("-")[0] for path in site.glob("*.dist-info")}
    assert "pagerforce" in names
    assert not names & {"pip", "setuptools", "pytest", "mypy", "ruff", "hatchling"}


@pytest.mark.parametrize("name", ["run.lock", "build.lock"])
def test_its_versions_are_those_that_were_tested(name):
    def pins(path: Path) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for line in path.read_text().splitlines():
            if line[:1].isalnum():
                current = found.setdefault(line.partition(" ")[0], [])
            elif "--hash=" in line:
                current.append(line.strip(" \\"))
        return found

    tested = pins(REPOSITORY / "requirements.lock")
    installed = pins(REPOSITORY / "packaging" / name)
    assert installed
    assert installed.items() <= tested.items()


def test_every_declared_dependency_is_among_them():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lock = (REPOSITORY / "packaging/run.lock").read_text()
    for wanted in project["dependencies"]:
        name = wanted.split("[")[0].split(">")[0]
        assert f"\n{name}==" in f"\n{lock}", name


def test_uninstalling_leaves_configuration_and_state(destdir, tmp_path):
    copy = tmp_path / "root"
    shutil.copytree(destdir, copy, symlinks=True)
    kept = {"etc/pagerforce/config.toml": "mine", "var/lib/pagerforce/pagerforce.db": "state"}
    for name, text in kept.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(text)
    done = make("uninstall", copy)
    assert done.returncode == 0, done.stderr
    assert set(files_outside_opt(copy)) == set(kept)
    assert not (copy / "opt/pagerforce").exists()
    assert not (copy / "usr/local/bin/pagerforce").is_symlink()


def test_a_failed_upgrade_leaves_the_program_that_is_there(tmp_path):
    if not find_python():
        pytest.skip("no Python outside of home folders to install with")
    program = tmp_path / PROGRAM
    program.parent.mkdir(parents=True)
    program.write_text("the one before")
    (tmp_path / "empty").mkdir()
    done = make("install", tmp_path, WHEELS=str(tmp_path / "empty"))
    assert done.returncode != 0
    assert program.read_text() == "the one before"
    assert sorted(path.name for path in (tmp_path / "opt").iterdir()) == ["pagerforce"]


@pytest.mark.parametrize(
    ("python", "words"),
    [("/bin/false", "3.11 or later"), ("no-such-python", "3.11 or later")],
)
def test_an_interpreter_that_is_unsuitable_is_refused_with_the_remedy(tmp_path, python, words):
    done = make("install", tmp_path, PYTHON=python)
    assert done.returncode != 0
    assert words in done.stderr
    assert "make install PYTHON=" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_package_is_built_from_source(tmp_path):
    """A build would run as root; a lock file has the hashes of source packages, too."""
    if not find_python():
        pytest.skip("no Python outside of home folders to install with")
    checkout, wheels, built = tmp_path / "checkout", tmp_path / "wheels", tmp_path / "built"
    (checkout / "packaging").mkdir(parents=True)
    wheels.mkdir()
    shutil.copy(REPOSITORY / "packaging/install.sh", checkout / "packaging")
    source = tmp_path / "hostile-1.0"
    source.mkdir()
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1.0\n")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "hostile"\nbackend-path = ["."]\n'
    )
    (source / "hostile.py").write_text(f"open({str(built)!r}, 'w')\n")
    packed = shutil.make_archive(str(wheels / "hostile-1.0"), "gztar", tmp_path, source.name)
    digest = hashlib.sha256(Path(packed).read_bytes()).hexdigest()
    for lock in ("run.lock", "build.lock"):
        (checkout / "packaging" / lock).write_text(f"hostile==1.0 --hash=sha256:{digest}\n")
    done = subprocess.run(
        ["sh", str(checkout / "packaging/install.sh"), "install"],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "DESTDIR": str(tmp_path / "root"),
            "PYTHON": find_python(),
            "WHEELS": str(wheels),
        },
    )
    assert done.returncode != 0
    assert not built.exists(), done.stderr
    assert "hostile" in done.stderr
