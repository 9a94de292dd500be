#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# --stage: what the program writes is shown, and committed or discarded.
. "$(dirname "$0")/tap.sh"
: "${PTY:?names the program made of pty.c}"

b=$BVISOR
f=$BVISOR_FLAGS
esc=$(printf '\033')

mkdir in
echo before >in/file
echo old >in/old

case " $f " in *" --without namespaces "*)
	run --stage --write in -- true
	refused "left out on request" "--stage is refused where nothing can be kept apart"
	check "and says what to do" grep -q "remedy: drop 'without namespaces'" "$err"
	finish
	;;
esac

again() { # the directory as it was
	rm -rf in
	mkdir in
	echo before >in/file
	echo old >in/old
}

# shellcheck disable=SC2016 # the inner shell's
act='echo after >file; rm old; mkdir new; echo x >new/x; exit ${1:-0}'
staged="--read in --write in --cwd in --runtime system --stage"

# shellcheck disable=SC2086 # lists
run $staged -- sh -c "$act"
status 0 "a staged program runs"
check "and changes nothing" test "$(cat in/file)" = before -a -e in/old -a ! -e in/new
err_has "4 changes staged" "what it would have changed is counted"
err_has "modified    $work/in/file, 6 bytes" "and shown: a change"
err_has "removed     $work/in/old" "a removal"
err_has "added       $work/in/new/" "a new directory"
err_has "added       $work/in/new/x, 2 bytes" "and what is in it"
err_has "discarded: there is no terminal to ask on" "without a terminal it is discarded, and said so"
out_is "" "nothing of it is written to standard output"

run $staged --commit always -- sh -c "$act" sh 3
status 3 "the status is the program's"
err_has "committed" "--commit always commits whatever the status"
check "and then it is there" test "$(cat in/file)" = after -a ! -e in/old -a "$(cat in/new/x)" = x
again
run $staged --commit ok -- sh -c "$act" sh 3
check "--commit ok does not when the program fails" test "$(cat in/file)" = before
err_has "discarded: the program did not exit with 0" "and says why"
run $staged --commit ok -- sh -c 'echo x >killed; kill -9 $$'
check "nor when it is killed" test ! -e in/killed -a "$status" = 137
run $staged --commit ok -- sh -c "$act"
check "it does when the program succeeds" test "$(cat in/file)" = after
again
run $staged --commit never -- sh -c "$act"
check "--commit never does not" test "$(cat in/file)" = before
err_has "discarded" "and says that it is gone"
run $staged --commit sometimes -- true
refused "ask, always, ok, never" "--commit of something else is refused"
run --commit always -- true
refused "nothing is staged" "--commit without --stage is refused"
run $staged --commit always -- true
check "a program that changes nothing needs no decision" test ! -s "$err"
run $staged --quiet -- sh -c "$act"
check "--quiet says nothing, and commits nothing" test ! -s "$err" -a "$(cat in/file)" = before
run $staged --commit never --report r.json -- sh -c "$act"
check "the report counts the changes" grep -q '"4: 2 added, 1 modified, 1 removed' r.json
run $staged --wall 300ms --commit never -- sh -c 'echo x >late; sleep 20'
status 124 "a program stopped at a limit"
err_has "added       $work/in/late" "leaves its changes to be seen"
bvisor run --print-spec $staged -- true
out_has '"stage": true' "it is part of a spec"

# ---- what others did meanwhile
again
timeout -k 5 60 "$b" run $f $staged --commit always --expose .:/outside -- \
	sh -c 'echo mine >file; echo new >added; echo ready; while ! test -e /outside/go; do sleep 0.1; done' \
	>"$out" 2>"$err" </dev/null &
pid=$!
await grep -q ready "$out"
echo theirs >in/file
: >go
status=0
wait $pid || status=$?
status 125 "what changed on the host meanwhile is not written over"
err_has "'$work/in/file' changed on the host meanwhile" "and named"
check "nothing at all is" test "$(cat in/file)" = theirs -a ! -e in/added
again

# ---- names that are meant to deceive
run $staged --commit never -- sh -c 'printf x >"$(printf "a\033[2J\nb\r\303\244\302\233\377\342\200\256c")"'
lacks "$err" "$esc" "no escape character of a name reaches the terminal"
err_has 'a^[[2J^Jb^Mä<U+009B><FF><E2><80><AE>c' "a name is spelled out on one line"

# ---- asking
pty() {
	status=0
	timeout -k 5 60 "$PTY" 24x200 "$@" >"$out" 2>"$err" </dev/null || status=$?
}
pty "wait:commit these 4 changes? [y/N] " "send:y\n" -- "$b" run $f $staged -- sh -c "$act"
check "on a terminal a yes commits" test "$status" = 0 -a "$(cat in/file)" = after
out_has "committed" "and says so"
again
for answer in n '' yess no; do
	pty "wait:[y/N] " "send:$answer\n" -- "$b" run $f $staged -- sh -c "$act"
	check "'$answer' does not" test "$status" = 0 -a "$(cat in/file)" = before
done
out_has "discarded" "and says so"
pty "wait:[y/N] " "send:\x04" -- "$b" run $f $staged -- sh -c "$act"
check "nor does the end of input" test "$(cat in/file)" = before
pty "wait:[y/N] " "send:\x03" -- "$b" run $f $staged -- sh -c "$act"
check "nor an interrupt" test "$(cat in/file)" = before -a "$status" = 130
pty "wait:[y/N] " "send:yes\n" -- "$b" run $f $staged -- sh -c "$act" sh 7
check "the status stays the program's" test "$status" = 7 -a "$(cat in/file)" = after
again
pty "wait:[y/N] " "send:y\n" -- sh -c "echo from a pipe | '$b' run $f $staged -- sh -c 'cat >file'"
check "with a pipe on standard input the terminal is asked all the same" test "$(cat in/file)" = "from a pipe"
again
pty "wait:[y/N] " "send:y\n" -- "$b" run $f $staged --tty -- sh -c "$act"
check "and after a private terminal" test "$(cat in/file)" = after
check "nothing is left over" test -z "$(find . -name '.bvisor-*')"
# ---- decided later, from the journal
j=$scratch/journal/j.db
again
newest() {
	"$b" journal ls --journal "$j" --json | sed -n 's/.*"attempt":"\([0-9a-f]*\)".*/\1/p' | head -1
}
# shellcheck disable=SC2086 # lists
run $staged --journal "$j" -- sh -c "$act"
err_has "kept: bvisor artifacts commit" "with a journal and without a terminal they are kept"
check "and nothing is on the host" test "$(cat in/file)" = before -a ! -e in/new
id=$(newest)
bvisor artifacts ls --journal "$j"
out_has "/changes" "they wait for a decision"
bvisor artifacts show "$id" --journal "$j"
out_has "modified    $work/in/file" "and are listed"
bvisor journal verify --journal "$j"
status 0 "the journal verifies with them"
bvisor artifacts diff "$id" --journal "$j"
out_has "-before" "and shown line by line: what goes"
out_has "+after" "and what comes"
bvisor artifacts diff "$id" in/nothing --journal "$j"
refused "nothing was changed there" "but where nothing was changed"
bvisor artifacts commit "$id" in/new --journal "$j"
check "some are committed" test "$status" = 0 -a "$(cat in/new/x)" = x -a "$(cat in/file)" = before
bvisor artifacts commit "$id" in/nothing --journal "$j"
refused "nothing was changed at" "what is not among them cannot be"
bvisor artifacts commit "$id" --journal "$j"
check "and then the others" test "$status" = 0 -a "$(cat in/file)" = after -a ! -e in/old
bvisor artifacts commit "$id" --journal "$j"
refused "were committed" "once"
again
# shellcheck disable=SC2086 # lists
run $staged --journal "$j" --commit later -- sh -c "$act"
id=$(newest)
echo theirs >in/file
bvisor artifacts commit "$id" --journal "$j"
check "what the host changed meanwhile is not written over" test "$status" = 125 -a "$(cat in/file)" = theirs -a ! -e in/new
err_has "changed on the host" "and the message says so"
bvisor artifacts commit "$id" in/new --journal "$j"
check "what is beside it can be had" test "$(cat in/new/x)" = x
bvisor artifacts discard "$id" --journal "$j"
check "the rest is discarded" test "$status" = 0 -a -z "$("$b" artifacts ls --journal "$j" | sed 1d)"
check "with its bytes" test "$(find "$j.blobs" -type f ! -name .deciding | wc -l)" = "$("$b" journal verify --journal "$j" --json | sed 's/.*"files":\([0-9]*\).*/\1/')"
again
for commit in always never; do
	# shellcheck disable=SC2086 # lists
	run $staged --journal "$j" --commit $commit -- sh -c "$act"
	bvisor journal show "$(newest)" --json --journal "$j"
	out_has '"Decided"' "--commit $commit records what was decided"
	out_has '"Applied"' "and that it was done"
done
# shellcheck disable=SC2086 # lists
again
seq 300 >in/lines
cp in/lines was
# shellcheck disable=SC2016,SC2086 # the inner shell's; lists
run $staged --journal "$j" --commit later -- sh -c '
	awk "NR % 37 == 5 { next } NR % 41 == 7 { print \"new\" NR } NR % 29 == 3 { \$0 = \"other\" } { print }" lines >l && cat l >lines && rm l
	printf "\033[2Jevil\n" >esc; printf "a\0b" >bin; seq 60000 >many; seq 3000 >some'
bvisor artifacts diff "$(newest)" in/lines --journal "$j"
grep '^[-+]' "$out" | sort >ours
bvisor artifacts diff "$(newest)" --journal "$j"
out_lacks "$(printf '\033')" "a diff has no control character"
out_has "binary: 0 bytes before, 3 now" "what is no text is told by its size"
out_has "too different to show" "so is what is too long"
out_has "+3000" "a new file of many lines is shown whole"
bvisor artifacts commit "$(newest)" in/lines --journal "$j"
diff -d was in/lines | sed -n 's/^< /-/p; s/^> /+/p' | sort >theirs
check "a diff has as few lines as diff(1) finds" test "$(wc -l <ours)" = "$(wc -l <theirs)" -a -s ours
again
mkdir -m 755 in/d
# shellcheck disable=SC2086 # lists
run $staged --journal "$j" --commit later -- sh -c 'chmod 775 d; echo new >d/new; echo other >d/other'
id=$(newest)
bvisor artifacts commit "$id" in/d/new --journal "$j"
check "an entry of a directory is committed before its rights" test "$status" = 0 -a "$(stat -c %a in/d)" = 755
chmod 700 in/d
touch in/d/private
bvisor artifacts commit "$id" --journal "$j"
err_has "'$work/in/d' changed on the host meanwhile" "rights that the host gave meanwhile, then an entry, are a conflict"
check "and the host's rights stay" test "$status" = 125 -a "$(stat -c %a in/d)" = 700 -a ! -e in/d/other
chmod 755 in/d
bvisor artifacts commit "$id" --journal "$j"
check "with those it had it gets the others" test "$status" = 0 -a "$(stat -c %a in/d)" = 775 -a "$(cat in/d/other)" = other
again
mkdir -m 755 in/d
# shellcheck disable=SC2086 # lists
run $staged --journal "$j" --commit later -- sh -c 'chmod 775 d; echo new >d/new'
chmod 700 in/d
touch in/d/private
bvisor artifacts commit "$(newest)" --journal "$j"
err_has "'$work/in/d' changed on the host meanwhile" "so they are where nothing was committed before"
# shellcheck disable=SC2086 # lists
run $staged --commit later -- true
refused "no journal to keep changes for" "without a journal nothing can be kept"
bvisor journal verify --journal "$j"
status 0 "the journal verifies at the end"
finish
