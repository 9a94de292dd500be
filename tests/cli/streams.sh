#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Streams: relayed both ways, whole, without waiting and without a descriptor handed over.
. "$(dirname "$0")/tap.sh"

flags=$BVISOR_FLAGS
confined() {
	# shellcheck disable=SC2086 # BVISOR_FLAGS is a list
	timeout -k 5 60 "$BVISOR" run $flags "$@"
}

printf 'one\ntwo\n' | confined -- cat >"$out" 2>"$err"
out_is "one
two" "a pipe on standard input is relayed"
confined -- cat <"$top/tap.sh" >"$out" 2>"$err"
check "a file on standard input is relayed whole" cmp -s "$out" "$top/tap.sh"
confined -- cat </dev/null >"$out" 2>"$err"
check "an empty input is empty" test ! -s "$out"
printf x | confined -- sh -c 'readlink /proc/self/fd/0; echo' >"$out" 2>"$err"
mkfifo endless
exec 8<>endless
status=0
confined -- true <endless >"$out" 2>"$err" || status=$?
status 0 "an input that never ends does not keep a run that did"
exec 8>&-

head -c 20000000 /dev/urandom >big
confined -- cat <big >"$out" 2>"$err"
check "20 MB pass in and out unchanged" cmp -s "$out" big
confined -- cat <big 2>"$err" | { sleep 0.5; cat; } >slow
check "and a slow reader gets them too" cmp slow big
confined --report r.json -- cat <big >/dev/null 2>"$err"
check "the report counts all of them" grep -q '"total_bytes": 20000000,' r.json
check "and keeps a bounded part" grep -q '"kept_bytes": 1048576,' r.json

# `yes | head`: the reader leaves, and the writer is told as it always is.
{ confined -- yes 2>"$err"; echo $? >status; } | head -n 1 >"$out"
out_is y "a reader that leaves gets what it wanted"
check "and the program gets its SIGPIPE" grep -qx 141 status
check "of which we say nothing" test ! -s "$err"

confined -- sh -c 'echo out; echo err >&2' >"$out" 2>"$err"
out_is out "standard output and"
err_is err "standard error stay apart"
confined -- sh -c 'echo both; echo both >&2' >"$out" 2>&1
check "and come together where they are the same" test "$(grep -cx both "$out")" = 2

status=0
confined -- sh -c 'echo lost; exit 3' >&- 2>"$err" || status=$?
check "a closed standard output is an error" test "$status" = 125
err_has "standard output" "that is named"
status=0
confined -- sh -c 'cat; exit 3' <&- >"$out" 2>"$err" || status=$?
status 3 "a closed standard input is an empty one"
status=0
confined -- sh -c 'echo ok; exit 4' >"$out" 2>&- || status=$?
status 4 "a closed standard error is of no account while nobody uses it"
out_is ok "and takes nothing else with it"

status=0
confined -- sh -c 'echo x' >/dev/full 2>"$err" || status=$?
status 125 "a full disk under standard output is our failure"
err_has "No space left on device" "and is told"
run --stdout /dev/full -- sh -c 'echo x'
status 125 "so it is under --stdout"
run --report /dev/full -- true
status 125 "and under --report"
err_has "report could not be written" "which is told"
if unshare -rm true 2>/dev/null; then
	mkdir tiny
	status=0
	unshare -rm sh -c "mount -t tmpfs -o size=4096,nr_inodes=4 tmpfs tiny && echo old >tiny/r.json &&
		'$BVISOR' run $flags --backend inert --spec '$top/inert.json' --report tiny/r.json -- true
		s=\$?; cat tiny/r.json; ls -A tiny | wc -l; exit \$s" >"$out" 2>"$err" || status=$?
	status 125 "a report that does not fit is our failure"
	out_is "old
1" "and leaves the old one, and no rest"
else
	skip "a report that does not fit" "no tmpfs can be mounted here"
fi

# Descriptors: nothing of ours reaches the program, neither by number nor by name.
echo planted >planted
confined -- sh -c 'for n in 3 4 5 6 7 8 9; do eval "exec 9<&$n" 2>/dev/null && echo "$n is open"; done; true' \
	3<planted 5<planted 8<planted >"$out" 2>"$err"
out_lacks "is open" "no descriptor but the standard three is open"

# A daemon that keeps the output open does not keep the run.
touch lock
chmod 666 lock
run --runtime system --read . --write . -- sh -c 'setsid sh -c "flock -n 9 && echo up >up && sleep 30" 9>lock >/dev/null 2>&1 & while [ ! -e up ]; do sleep 0.05; done; (sleep 30) & echo done'
out_is done "a daemon does not keep the run"
check "and does not survive it" gone lock
check "although it was there" test -e up
finish
