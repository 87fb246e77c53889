#!/usr/bin/env bash
# The whole platform in one process, with simulated callers and media servers.
set -euo pipefail
cd "$(dirname "$0")"
. deploy/tools.sh
need_packages cc:gcc cc:libc6-dev
need_rust
say "building (the first time takes some minutes) and starting; Ctrl-C ends it"
exec cargo run --release --locked -- standalone --demo "$@"
