#!/bin/sh
# Installs pagerforce for the whole system, or removes it: `make install`, `make uninstall`.
#
#   DESTDIR   prefix of every path, for packages; the running system is not touched then
#   PREFIX    the program's own folder                                       /opt/pagerforce
#   UNITDIR   systemd's units                                                /etc/systemd/system
#   PYTHON    the interpreter to build on                                    python3
#   POSTGRESQL  1: with the driver for a state in PostgreSQL
#   WHEELS    a folder of wheels to install from, without any network        (none)
#
# The program is built beside its final place and moved there at the end: a failed installation leaves
# the previous one unchanged. Configuration, state and the service user stay after both.
set -eu
umask 022

PREFIX=${PREFIX:-/opt/pagerforce}
UNITDIR=${UNITDIR:-/etc/systemd/system}
PYTHON=${PYTHON:-python3}
DESTDIR=${DESTDIR:-}
WHEELS=${WHEELS:-}
LOCK=run.lock
[ -z "${POSTGRESQL:-}" ] || LOCK=postgresql.lock
SYSUSERS=/usr/lib/sysusers.d/pagerforce.conf
DOCS=/usr/share/doc/pagerforce
COMMAND=/usr/local/bin/pagerforce
BASH_COMPLETION=/usr/share/bash-completion/completions/pagerforce
ZSH_COMPLETION=/usr/share/zsh/vendor-completions/_pagerforce
FISH_COMPLETION=/usr/share/fish/vendor_completions.d/pagerforce.fish
SOURCE=$(cd "$(dirname "$0")/.." && pwd)

fail() { echo "$1" >&2; exit 1; }

on_this_system() { [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; }

may_write() {
  [ -n "$DESTDIR" ] || [ "$(id -u)" = 0 ] || fail "this writes to $PREFIX and $UNITDIR: run it as root, or give DESTDIR"
}

check_python() {
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "pagerforce needs Python 3.11 or later as '$PYTHON'; name another: make install PYTHON=/usr/bin/python3.12"
  "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "the venv module of '$PYTHON' is missing; on Debian and Ubuntu: apt install python3-venv"
  case $("$PYTHON" -c 'import os, sys; print(os.path.realpath(sys.base_prefix))')/ in
    /home/*|/root/*) fail "'$PYTHON' lives in somebody's home folder, which the service can't see; name the system's: make install PYTHON=/usr/bin/python3" ;;
  esac
}

pip_install() { # PYTHON-OF-THE-VENV ARGUMENTS...
  python=$1; shift
  [ -z "$WHEELS" ] || set -- --no-index --find-links "$WHEELS" "$@"
  # only this checkout is built here: the build of another package would run as root
  "$python" -m pip --disable-pip-version-check install --quiet --no-compile --only-binary :all: "$@"
}

build() { # FOLDER: a virtual environment with the program in it, as it will stand in PREFIX
  "$PYTHON" -m venv "$1"
  pip_install "$1/bin/python" --require-hashes -r "$SOURCE/packaging/$LOCK"
  pip_install "$1/bin/python" --require-hashes --target "$WORK/build" -r "$SOURCE/packaging/build.lock"
  PYTHONPATH=$WORK/build "$1/bin/python" -m pip --disable-pip-version-check wheel --quiet \
    --no-deps --no-build-isolation --no-index --wheel-dir "$WORK/wheel" "$SOURCE"
  pip_install "$1/bin/python" --no-deps --no-index "$WORK"/wheel/*.whl
  "$1/bin/python" -m pip --disable-pip-version-check uninstall --quiet --yes setuptools pip 2>/dev/null
  rm -f "$1"/bin/activate* "$1"/bin/Activate.ps1
  # it was built under another path than its final one
  find "$1/bin" -type f -exec sed -i "1s|^#!$1/|#!$PREFIX/|" {} +
  sed -i "s|$1|$PREFIX|g" "$1/pyvenv.cfg"
  "$1/bin/python" -m compileall -q -s "$1" -p "$PREFIX" "$1/lib" || fail "the installed program does not compile"
}

place() { # MODE SOURCE TARGET
  mkdir -p "$DESTDIR$(dirname "$3")"
  install -m "$1" "$2" "$DESTDIR$3"
}

complete() { # SHELL TARGET
  _PAGERFORCE_COMPLETE=source_$1 "$DESTDIR$PREFIX/bin/python" -m pagerforce > "$WORK/completion" || true
  [ -s "$WORK/completion" ] || fail "no completion for $1 could be made"
  place 644 "$WORK/completion" "$2"
}

swap_in() { # FOLDER
  target=$DESTDIR$PREFIX
  rm -rf "$target.old"
  [ ! -e "$target" ] || mv "$target" "$target.old"
  mv "$1" "$target"
  rm -rf "$target.old"
}

install_all() {
  may_write
  check_python
  mkdir -p "$DESTDIR$(dirname "$PREFIX")"
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK" "$DESTDIR$PREFIX.new"' EXIT
  rm -rf "$DESTDIR$PREFIX.new"
  build "$DESTDIR$PREFIX.new"
  swap_in "$DESTDIR$PREFIX.new"
  mkdir -p "$DESTDIR$(dirname "$COMMAND")" "$DESTDIR/etc/pagerforce"
  ln -sfn "$PREFIX/bin/pagerforce" "$DESTDIR$COMMAND"
  for unit in pagerforce.service pagerforce@.service; do
    sed "s|/opt/pagerforce|$PREFIX|" "$SOURCE/systemd/$unit" > "$WORK/$unit"
    place 644 "$WORK/$unit" "$UNITDIR/$unit"
  done
  place 644 "$SOURCE/systemd/pagerforce.sysusers" "$SYSUSERS"
  for file in README.md CHANGELOG.md LICENSE config.toml.example systemd/notify-reload.conf; do
    place 644 "$SOURCE/$file" "$DOCS/$(basename "$file")"
  done
  (cd "$SOURCE" && find docs -name '*.md') | while read -r file; do place 644 "$SOURCE/$file" "$DOCS/$file"; done
  complete bash "$BASH_COMPLETION"
  complete zsh "$ZSH_COMPLETION"
  complete fish "$FISH_COMPLETION"
  if on_this_system; then systemd-sysusers "$SYSUSERS"; systemctl daemon-reload; fi
  echo "installed: $COMMAND. A first time: pagerforce init /etc/pagerforce. After an upgrade: systemctl restart pagerforce"
}

uninstall_all() {
  may_write
  if on_this_system; then
    systemctl disable --now pagerforce.service 2>/dev/null || true
    systemctl list-units --plain --no-legend 'pagerforce@*.service' | while read -r unit _; do
      systemctl disable --now "$unit"
    done
  fi
  rm -rf "$DESTDIR$PREFIX" "$DESTDIR$PREFIX.old" "$DESTDIR$DOCS"
  rm -f "$DESTDIR$COMMAND" "$DESTDIR$UNITDIR/pagerforce.service" "$DESTDIR$UNITDIR/pagerforce@.service" \
    "$DESTDIR$SYSUSERS" "$DESTDIR$BASH_COMPLETION" "$DESTDIR$ZSH_COMPLETION" "$DESTDIR$FISH_COMPLETION"
  if on_this_system; then systemctl daemon-reload; fi
  echo "uninstalled. Left alone: /etc/pagerforce, /var/lib/pagerforce, the user and the groups pagerforce*"
}

case ${1:-} in
  install) install_all ;;
  uninstall) uninstall_all ;;
  *) fail "usage: $0 install|uninstall" ;;
esac
