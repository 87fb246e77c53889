# Sourced by demo.sh and test.sh: installs what is missing, says what it does, and where it
# cannot, prints the line to run and stops.

if [ -z "${HOME:-}" ]; then
  HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
  export HOME="${HOME:-/tmp}"
fi

say() { printf '==> %s\n' "$*"; }
stop() { printf '%s\n' "$*" >&2; exit 1; }

# Daemons lie there, and a user's own path may lack it.
export PATH="$PATH:/usr/sbin:/sbin"

# present COMMAND|/FILE: there is such a command, or a file that matches.
present() {
  case $1 in
    /*) compgen -G "$1" >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# need_packages COMMAND:PACKAGE…: installs, in one go, the Debian or Ubuntu packages whose command (or
# file, as a pattern that begins with a slash) is missing. No service of theirs is started.
need_packages() {
  missing=
  for pair in "$@"; do
    present "${pair%%:*}" || missing="$missing ${pair#*:}"
  done
  # A compiler without the C library's headers cannot build SQLite.
  if command -v cc >/dev/null && ! echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1; then
    missing="$missing libc6-dev"
  fi
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null ||
    stop "Missing:$missing. This is neither Debian nor Ubuntu; please install them and start again."
  install="apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends$missing"
  policy=/usr/sbin/policy-rc.d
  case $missing in
    # They would take ports 5060 and 5432.
    *kamailio* | *postgresql*) [ -e $policy ] ||
      install="printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; $install; got=\$?; rm -f $policy; exit \$got" ;;
  esac
  if [ "$(id -u)" = 0 ]; then
    say "installing$missing"
    sh -c "$install"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    say "installing$missing"
    sudo -n sh -c "$install"
  else
    stop "Missing:$missing. Installing them needs root. Please run

    sudo sh -c '$install'

and start again."
  fi
}

# Wireshark's dumpcap may listen on the loopback interface.
need_capture() {
  dumpcap -q -i lo -a duration:1 -w /dev/null >/dev/null 2>&1 && return 0
  need_packages setcap:libcap2-bin
  allow="setcap cap_net_raw,cap_net_admin+eip $(command -v dumpcap)"
  if command -v sudo >/dev/null && sudo -n $allow 2>/dev/null; then
    say "$allow"
  else
    stop "The tests look at what Ringmaster sends with Wireshark's dumpcap, which is not allowed to capture
on the loopback interface. Please run

    sudo $allow

and start again."
  fi
}

# Schemathesis, which asks the Config Server what its contract allows, and what it does not.
need_schemathesis() {
  version=4.32.5
  venv=target/venv
  [ "$($venv/bin/schemathesis --version 2>/dev/null)" != "schemathesis, version $version" ] || return 0
  need_packages python3:python3
  python3 -c 'import ensurepip' 2>/dev/null || need_packages "/usr/lib/python3*/ensurepip:python3-venv"
  say "installing schemathesis $version into $venv"
  rm -rf $venv
  mkdir -p target
  python3 -m venv $venv
  $venv/bin/pip install -q --disable-pip-version-check "schemathesis==$version"
}

# stomp.py, which sends records to the Reporting Server.
need_stomp() {
  version=9.0.0
  venv=target/stomp
  [ "$($venv/bin/python -c 'import stomp; print(stomp.__version__)' 2>/dev/null)" != "$version" ] || return 0
  need_packages python3:python3
  python3 -c 'import ensurepip' 2>/dev/null || need_packages "/usr/lib/python3*/ensurepip:python3-venv"
  say "installing stomp.py $version into $venv"
  rm -rf $venv
  mkdir -p target
  python3 -m venv $venv
  $venv/bin/pip install -q --disable-pip-version-check "stomp.py==$version"
}

# sqlglot, which reads the statements for SQL Server.
need_sqlglot() {
  version=30.30.0
  venv=target/sqlglot
  [ "$($venv/bin/python -c 'import sqlglot; print(sqlglot.__version__)' 2>/dev/null)" != "$version" ] || return 0
  need_packages python3:python3
  python3 -c 'import ensurepip' 2>/dev/null || need_packages "/usr/lib/python3*/ensurepip:python3-venv"
  say "installing sqlglot $version into $venv"
  rm -rf $venv
  mkdir -p target
  python3 -m venv $venv
  $venv/bin/pip install -q --disable-pip-version-check "sqlglot==$version"
}

# jsonschema, which holds records against their schemas.
need_jsonschema() {
  version=4.26.0
  venv=target/jsonschema
  [ "$($venv/bin/python -c 'from importlib.metadata import version as v; print(v("jsonschema"))' 2>/dev/null)" != "$version" ] || return 0
  need_packages python3:python3
  python3 -c 'import ensurepip' 2>/dev/null || need_packages "/usr/lib/python3*/ensurepip:python3-venv"
  say "installing jsonschema $version into $venv"
  rm -rf $venv
  mkdir -p target
  python3 -m venv $venv
  # without the second, times are not looked at
  $venv/bin/pip install -q --disable-pip-version-check "jsonschema==$version" rfc3339-validator==0.1.4
}

need_rust() {
  [ -r "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"
  wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
  if ! command -v cargo >/dev/null; then
    need_packages curl:curl update-ca-certificates:ca-certificates
    say "installing Rust by rustup, into $HOME/.cargo"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile default ||
      stop "Rust could not be installed. Please install $wanted or newer from https://rustup.rs and start again."
    . "$HOME/.cargo/env"
  fi
  found=$(rustc --version | cut -d' ' -f2)
  if [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
    if command -v rustup >/dev/null; then
      stop "Rust $found is installed, $wanted is needed. Please run

    rustup update stable

and start again."
    fi
    stop "Rust $found is installed, $wanted is needed. Please install it from https://rustup.rs and start again."
  fi
}

# The formatter and the linter, which a minimal installation of Rust lacks.
need_rust_tools() {
  for tool in rustfmt clippy; do
    command=$tool
    [ "$tool" = rustfmt ] && command=fmt
    cargo "$command" --version >/dev/null 2>&1 && continue
    command -v rustup >/dev/null || stop "cargo $command is missing. Please install $tool and start again."
    say "installing $tool by rustup"
    rustup component add "$tool"
  done
}
