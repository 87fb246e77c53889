# Sourced by demo.sh and test.sh: installs what is missing, says what it does, and where it
# cannot, prints the line to run and stops.

say() { printf '==> %s\n' "$*"; }

# Runs a command as root, or prints it and stops.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo -n "$@"
  else
    printf 'This needs root. Please run:\n\n    sudo %s\n\nand start again.\n' "$*" >&2
    exit 1
  fi
}

# need COMMAND PACKAGE: installs a Debian or Ubuntu package when its command is missing.
need() {
  command -v "$1" >/dev/null && return
  if ! command -v apt-get >/dev/null; then
    printf '%s is missing, and this is neither Debian nor Ubuntu. Please install it (package %s) and start again.\n' "$1" "$2" >&2
    exit 1
  fi
  say "installing $2 (for $1)"
  if [ -z "${apt_updated:-}" ]; then
    as_root apt-get update -qq
    apt_updated=1
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2"
}

need_compiler() {
  need cc gcc
  # gcc without the C library's headers cannot build SQLite.
  echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1 || {
    say "installing libc6-dev"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq libc6-dev
  }
}

need_rust() {
  [ -r "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"
  wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
  if command -v cargo >/dev/null; then
    found=$(rustc --version | cut -d' ' -f2)
    if [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ]; then
      return
    fi
    printf 'Rust %s is installed, %s is needed. Please run:\n\n    rustup update stable\n\nand start again.\n' "$found" "$wanted" >&2
    exit 1
  fi
  need curl curl
  say "installing Rust by rustup, into $HOME/.cargo"
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile default ||
    { printf 'Rust could not be installed. Please install it from https://rustup.rs and start again.\n' >&2; exit 1; }
  . "$HOME/.cargo/env"
}
