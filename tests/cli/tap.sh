# SPDX-License-Identifier: MIT OR Apache-2.0
# What the tests of the command line share.  A test is a script that sources this and calls `finish`.
#
#   run ARG...             runs bvisor; leaves $status, and what it wrote in $out and $err (files)
#   status N NAME          the status was N
#   out_is TEXT NAME       standard output is TEXT (and a newline); err_is likewise
#   out_has TEXT NAME      it contains TEXT; err_has, out_lacks, err_lacks likewise
#   refused TEXT NAME      125, nothing on standard output, one sentence with TEXT in it
#   check NAME COMMAND...  the command succeeds
#   skip NAME WHY          what this machine lacks
#
# BVISOR and BVISOR_LAUNCHER_BIN name the programs; BVISOR_FLAGS is put after `run`.
set -u

: "${BVISOR:?names the program to test}"
: "${BVISOR_FLAGS=}"
: "${BVISOR_JOURNAL=none}" # whoever tests leaves nothing in a journal of theirs
export BVISOR_LAUNCHER_BIN BVISOR_JOURNAL
unset NO_COLOR

top=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/bvisor-cli.XXXXXX")
chmod 755 "$scratch"
trap 'cd /; rm -rf "$scratch"' EXIT
out=$scratch/.out
err=$scratch/.err
work=$scratch/work
mkdir "$work"
chmod 1777 "$work"
cd "$work" || exit 1

number=0
failures=0

report() { # RESULT NAME
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		failures=$((failures + 1))
	fi
}

complain() { # what was wrong, for the log
	echo "# $*"
	for written in "$out" "$err"; do
		[ -f "$written" ] && head -c 1000 "$written" | tr -c '[:print:]\n' '?' | sed "s|^|#   ${written##*/.}: |"
	done
	echo
}

# A minute, so that a hang is a failure and not a mystery.
run() {
	status=0
	# shellcheck disable=SC2086 # BVISOR_FLAGS is a list
	timeout -k 5 60 "$BVISOR" run $BVISOR_FLAGS "$@" >"$out" 2>"$err" </dev/null || status=$?
}

bvisor() {
	status=0
	timeout -k 5 60 "$BVISOR" "$@" >"$out" 2>"$err" </dev/null || status=$?
}

status() {
	if [ "$status" = "$1" ]; then
		report 0 "$2"
	else
		complain "status $status, wanted $1"
		report 1 "$2"
	fi
}

is() { # FILE TEXT NAME
	if [ "$(cat "$1")" = "$2" ]; then
		report 0 "$3"
	else
		complain "wanted: $2"
		report 1 "$3"
	fi
}

has() { # FILE TEXT NAME
	if grep -qF -e "$2" "$1"; then
		report 0 "$3"
	else
		complain "wanted in it: $2"
		report 1 "$3"
	fi
}

lacks() { # FILE TEXT NAME
	if grep -qF -e "$2" "$1"; then
		complain "not wanted in it: $2"
		report 1 "$3"
	else
		report 0 "$3"
	fi
}

out_is() { is "$out" "$1" "$2"; }
err_is() { is "$err" "$1" "$2"; }
out_has() { has "$out" "$1" "$2"; }
err_has() { has "$err" "$1" "$2"; }
out_lacks() { lacks "$out" "$1" "$2"; }
err_lacks() { lacks "$err" "$1" "$2"; }

# One sentence that names what is wrong, and a remedy where there is one; nothing else.
refused() {
	if [ "$status" = 125 ] && [ ! -s "$out" ] && [ "$(grep -c '^bvisor: ' "$err")" = 1 ] &&
		[ "$(grep -vc '^bvisor: \|^        remedy: ' "$err")" = 0 ] && grep -qF -e "$1" "$err"; then
		report 0 "$2"
	else
		complain "status $status; wanted 125 and one sentence with: $1"
		report 1 "$2"
	fi
}

check() {
	what=$1
	shift
	if "$@"; then
		report 0 "$what"
	else
		complain "failed: $*"
		report 1 "$what"
	fi
}

skip() {
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

# Waits until a command succeeds, at most ten seconds.
await() {
	for _ in $(seq 100); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}

gone() { # no process holds the lock on FILE any more
	flock -n "$1" true
}

held() {
	! flock -n "$1" true
}

finish() {
	echo "1..$number"
	[ "$failures" = 0 ]
	exit
}
