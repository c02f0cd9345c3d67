#!/bin/sh
# Passes on to Stanch what FastNetMon says of an attack, as it says it; a source of the kind
# fastnetmon reads it. FastNetMon calls the script (notify_script_path) with the host's
# address, the direction, the packets per second and what happened, and with details on its
# standard input: text, or JSON of Advanced.
#
# $STANCH_CURL is a configuration file of curl with the url of the source and the token,
# so that the token is in no list of processes; /etc/stanch/fastnetmon.curl without.
set -eu

address=$1 direction=$2 packets=$3 happened=$4
# Without details the standard input may be one that never ends.
details=$(timeout 5 cat || true)

# What follows an alert with the packets of the attack has no news.
[ "$happened" != attack_details ] || exit 0

# quoted makes JSON text of its standard input.
quoted() {
	tr '\t' ' ' | tr -d '\000-\011\013-\037\177' | sed 's/[\\"]/\\&/g' | awk '{ printf "%s%s", sep, $0; sep = "\\n" }'
}

# An address alone does not tell which device it is, and Stanch would ask people. The
# name that a name service or /etc/hosts has for it tells more.
name=$(timeout 5 getent hosts "$address" | awk '{ print $2; exit }' || true)

case $details in
'{'*) ;;
*) details=\"$(printf '%s' "$details" | quoted)\" ;;
esac

{
	printf '{'
	for field in "address=$address" "direction=$direction" "packets_per_second=$packets" "action=$happened" "name=$name" "time=$(date -u +%Y-%m-%dT%H:%M:%SZ)"; do
		printf '"%s":"%s",' "${field%%=*}" "$(printf '%s' "${field#*=}" | quoted)"
	done
	printf '"details":%s}\n' "$details"
} |
	curl --config "${STANCH_CURL:-/etc/stanch/fastnetmon.curl}" --fail --silent --show-error --output /dev/null \
		--max-time 60 --retry 8 --retry-all-errors --header 'Content-Type: application/json' --data-binary @-
