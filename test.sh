#!/usr/bin/env bash
# Installs the tools and the real peers of the tests, then runs all checks and tests.
set -euo pipefail
cd "$(dirname "$0")"
. deploy/tools.sh
need_packages cc:gcc cc:libc6-dev sipp:sip-tester kamailio:kamailio \
  '/usr/lib/*/kamailio/modules/tls.so:kamailio-tls-modules' baresip:baresip-core sipsak:sipsak curl:curl \
  tshark:tshark openssl:openssl socat:socat /usr/sbin/dnsmasq:dnsmasq-base \
  javac:default-jdk-headless /usr/share/java/activemq-broker.jar:libactivemq-java \
  /usr/share/java/slf4j-nop.jar:libslf4j-java \
  '/usr/lib/postgresql/*/bin/postgres:postgresql'
need_capture
need_rust
need_rust_tools
need_schemathesis
need_stomp
need_sqlglot
need_jsonschema
exec cargo xtask ci
