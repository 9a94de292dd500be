#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Signals: Ctrl-C is a request, twice an order; whatever ends bvisor leaves nothing behind.
. "$(dirname "$0")/tap.sh"

# Starts bvisor in the background with a workload that holds a lock and says when it is ready:
# $pid is bvisor's, `ended` waits for it and leaves $status.
start() { # SCRIPT
	rm -f lock ready
	touch lock
	chmod 666 lock
	# shellcheck disable=SC2086 # BVISOR_FLAGS is a list
	env --default-signal "$BVISOR" run $BVISOR_FLAGS --runtime system --read . --write . -- \
		sh -c 'exec 9>lock; flock 9; '"$1" >"$out" 2>"$err" </dev/null &
	pid=$!
	await test -e ready 2>/dev/null || complain "the workload did not start"
}

ended() {
	status=0
	wait "$pid" || status=$?
}

start 'trap "echo interrupted; exit 5" INT; : >ready; while :; do sleep 0.1; done'
kill -INT "$pid"
ended
status 5 "a workload that handles SIGINT ends in its own way"
out_is interrupted "and says what it wants to"
check "nothing is left" await gone lock

start ': >ready; while :; do sleep 0.1; done'
kill -INT "$pid"
ended
status 130 "a workload that dies of it gives 130"
check "nothing is left" await gone lock

start 'trap "" INT; : >ready; while :; do sleep 0.1; done'
kill -INT "$pid"
sleep 0.5
check "one that ignores it goes on" held lock
kill -INT "$pid"
ended
status 130 "until the second"
check "nothing is left" await gone lock

for signal in TERM HUP; do
	start 'trap "" TERM HUP INT; : >ready; while :; do sleep 0.1; done'
	kill -$signal "$pid"
	ended
	case $signal in TERM) wanted=143 ;; HUP) wanted=129 ;; esac
	status $wanted "SIG$signal ends it whatever it ignores"
	check "nothing is left" await gone lock
done

# With a grace, who wants it gone asks first.
BVISOR_FLAGS_BEFORE=$BVISOR_FLAGS
BVISOR_FLAGS="$BVISOR_FLAGS --grace 30s"
start 'trap "rm -f left; exit 5" TERM; : >left; : >ready; while :; do sleep 0.1; done'
kill -TERM "$pid"
ended
status 143 "with a grace SIGTERM is still the end"
check "and the workload has cleaned up" test ! -e left
check "nothing is left" await gone lock
start 'trap "" INT TERM; : >ready; while :; do sleep 0.1; done'
kill -INT "$pid"
sleep 0.3
kill -INT "$pid"
sleep 0.5
check "the second Ctrl-C begins the grace" held lock
kill -INT "$pid"
ended
status 130 "and the third ends it"
check "nothing is left" await gone lock
BVISOR_FLAGS=$BVISOR_FLAGS_BEFORE

start 'setsid sh -c "trap \"\" TERM HUP INT; while :; do sleep 0.1; done" & : >ready; while :; do sleep 0.1; done'
kill -KILL "$pid"
ended
status 137 "bvisor itself can be killed"
check "and nothing is left even then" await gone lock

# The shell that waits for us must see the death by a signal, or its script would go on.
start ': >ready; while :; do sleep 0.1; done'
kill -INT "$pid"
ended
sh -c 'kill -INT $$' 2>/dev/null || reference=$?
check "the status is that of a death by SIGINT" test "$status" = "${reference:-0}"

# nohup: what our caller ignores stays ignored.
rm -f lock ready
touch lock
chmod 666 lock
# shellcheck disable=SC2086 # BVISOR_FLAGS is a list
env --ignore-signal=HUP "$BVISOR" run $BVISOR_FLAGS --runtime system --read . --write . -- \
	sh -c 'exec 9>lock; flock 9; : >ready; sleep 1; echo survived' >"$out" 2>"$err" </dev/null &
pid=$!
await test -e ready
kill -HUP "$pid"
ended
status 0 "under nohup a hangup is nothing"
out_is survived "and the workload goes on"

# The report of a run that was killed is written all the same.
rm -f lock ready
touch lock
chmod 666 lock
# shellcheck disable=SC2086 # BVISOR_FLAGS is a list
env --default-signal "$BVISOR" run $BVISOR_FLAGS --report killed.json --runtime system --read . --write . -- \
	sh -c ': >ready; while :; do sleep 0.1; done' >"$out" 2>"$err" </dev/null &
pid=$!
await test -e ready
kill -TERM "$pid"
ended
status 143 "a run that was killed"
check "is reported as killed" grep -q '"outcome": "Killed"' killed.json
bvisor report verify killed.json
status 0 "by a report that verifies"

# Stopping (Ctrl-Z) stops the workload with us, and continuing continues it.
start ': >ready; n=0; while [ $n -lt 8 ]; do sleep 0.1; n=$((n + 1)); echo $n >count; done; echo counted'
await test -s count
kill -TSTP "$pid"
check "SIGTSTP stops us" await sh -c "grep -q '^State:.T' /proc/$pid/status"
sleep 0.3
before=$(cat count)
check "in the middle" test "$before" -lt 8
sleep 0.5
check "and the workload" test "$before" = "$(cat count)"
kill -CONT "$pid"
ended
status 0 "SIGCONT lets both go on"
out_is counted "to the end"
finish
