#!/usr/bin/env bash
# Installs the tools and the real peers of the tests, then runs all checks and tests.
set -euo pipefail
cd "$(dirname "$0")"
. deploy/tools.sh
need_packages cc:gcc cc:libc6-dev sipp:sip-tester openssl:openssl socat:socat /usr/sbin/dnsmasq:dnsmasq-base openssl:openssl socat:socat
need_rust
need_rust_tools
exec cargo xtask ci
