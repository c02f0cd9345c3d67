#!/bin/sh
# Sends Stanch an alert for a host of which FastNetMon says that it attacks others.
# FastNetMon calls it (notify_script_path) with the host's address, the direction, the
# packets per second and what happened, and with details on its standard input.
#
# $STANCH_CURL is a configuration file of curl with the url of the source and the token,
# so that the token is in no list of processes; /etc/stanch/fastnetmon.curl without.
set -eu

address=$1 direction=$2 packets=$3 happened=$4
cat >/dev/null

# What FastNetMon says of the end of an attack lifts nothing: leases end by themselves.
[ "$happened" = ban ] && [ "$direction" = outgoing ] || exit 0

case $address in
'' | *[!0-9a-fA-F.:]*)
	echo "fastnetmon-notify: \"$address\" is not an address" >&2
	exit 1
	;;
esac
case $packets in
'' | *[!0-9]*) packets=0 ;;
esac

# An address alone does not tell which device it is, and Stanch would ask people. The
# name that a name service or /etc/hosts has for it tells more.
name=$(timeout 5 getent hosts "$address" | awk '{ print $2; exit }' || true)
case $name in
'' | *[!0-9a-zA-Z._-]*) named= ;;
*) named="\"name\":\"$name\"," ;;
esac

# One attack is one occurrence, however often it is sent.
at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
printf '{"id":"fastnetmon-%s","time":"%s","category":"high_egress","rule":"FastNetMon: outgoing attack, %s packets a second","host":{%s"ip":["%s"]}}\n' \
	"$address" "$at" "$packets" "$named" "$address" |
	curl --config "${STANCH_CURL:-/etc/stanch/fastnetmon.curl}" --fail --silent --show-error --output /dev/null \
		--max-time 60 --retry 8 --retry-all-errors --header 'Content-Type: application/json' --data-binary @-
