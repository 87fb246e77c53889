#!/usr/bin/env bash
# Installs the tools and the real peers of the tests, then runs all checks and tests.
set -euo pipefail
cd "$(dirname "$0")"
. deploy/tools.sh
need_compiler
need_rust
need sipp sip-tester
exec cargo xtask ci
