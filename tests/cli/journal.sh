#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The journal as people and scripts see it.
. "$(dirname "$0")/tap.sh"
unset BVISOR_JOURNAL
XDG_STATE_HOME=$scratch/state
export XDG_STATE_HOME
chmod 1777 "$scratch"
db=$XDG_STATE_HOME/bvisor/journal.db

number_of() { # FIELD of the newest attempt
	bvisor journal ls --json --last 1
	python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[0][sys.argv[2]])' "$out" "$1"
}
records() { # kinds of all records, in order
	bvisor journal show --json
	python3 -c 'import json,sys; print(" ".join(r["kind"] for r in json.load(open(sys.argv[1]))))' "$out"
}

bvisor journal ls
refused "there is no journal" "without a run there is no journal"
run --env WORD=swordfish -- sh -c 'exit 7'
status 7 "a run is recorded and its status stays its own"
check "at the default place" test -f "$db"
check "for its owner alone" test "$(stat -c %a "$db" "$db-wal" "$db.key" | tr '\n' ' ')" = "600 600 600 "
check "in a directory for its owner alone" test "$(stat -c %a "$XDG_STATE_HOME/bvisor")" = 700
check "in the promised order" test "$(records)" = "started request bound report anchor"
check "the value of a variable is not kept" sh -c "! grep -rq swordfish '$XDG_STATE_HOME'"
run --env WORD=swordfish --journal-values -- true
check "unless that is asked for" grep -rq swordfish "$XDG_STATE_HOME"
printf 'sesame' >word
run --secret WORD=word --journal-values -- true
check "a secret's never" sh -c "! grep -rq sesame '$XDG_STATE_HOME'"
run --journal none -- true
check "--journal none leaves no trace" test "$(records | wc -w)" = 15
BVISOR_JOURNAL=none run -- true
check "nor does BVISOR_JOURNAL=none" test "$(records | wc -w)" = 15
run --journal own/j.db -- true
check "--journal PATH is elsewhere" test -f own/j.db
bvisor journal ls --journal own/j.db
out_has "/true" "and ls --journal lists it"

# ---- looking
run --wall 200ms -- sleep 20
bvisor journal ls
out_has "Timeout" "ls shows an outcome"
out_has "code 7" "and an exit code"
bvisor journal ls --outcome failed
check "ls --outcome" test "$(grep -c . "$out")" = 2
bvisor journal ls --program sleep
check "ls --program" test "$(grep -c . "$out")" = 2
bvisor journal ls --until 1h
check "ls --until" test "$(grep -c . "$out")" = 1
bvisor journal ls --since 1h
check "ls --since" test "$(grep -c . "$out")" = 5
bvisor journal ls --since yesterday
refused "is not a time" "a time that is none is refused"
id=$(number_of attempt)
bvisor journal show "$id"
out_has "wall limit" "show shows the report"
bvisor journal show "$(echo "$id" | cut -c1-8)" --report of.report
check "show --report writes it" test -s of.report
bvisor report verify of.report
status 0 "and its seal holds"
bvisor journal show zz
refused "has no attempt" "an attempt that is not there is refused"

# ---- whole
bvisor journal verify
status 0 "verify succeeds"
out_has "verified: 20 records of 4 attempts" "and says over what"
out_has "cut off" "and what it cannot see"
bvisor journal verify --public-key "$db.key.pub"
status 0 "with the public key"
bvisor journal verify --public-key 0000000000000000000000000000000000000000000000000000000000000000
status 1 "another key is not accepted"
bvisor journal anchor
status 0 "anchor writes one"
cp "$out" kept
mkdir old
cp "$db" "$db-wal" old
run -- true
bvisor journal anchor
cp "$out" newer
bvisor journal verify --anchor kept
status 0 "an anchor kept elsewhere still holds after more runs"
cp "$db" "$db-wal" "$work"
cp old/* "$XDG_STATE_HOME/bvisor"
rm -f "$db-shm"
bvisor journal verify
status 0 "an earlier state of the journal is whole in itself"
bvisor journal verify --anchor newer
status 1 "and the anchor shows that it is an earlier one"
cp journal.db journal.db-wal "$XDG_STATE_HOME/bvisor"
rm -f "$db-shm"
bvisor journal verify --anchor newer
status 0 "put back, it holds"

# ---- for others
verifier=$(dirname "$BVISOR")/bvisor-verify
bvisor journal export all.bvj
status 0 "export succeeds"
check "and is for its owner alone" test "$(stat -c %a all.bvj)" = 600
bvisor journal export all.bvj
refused "exists" "an export is not written over another file"
bvisor journal export --attempt "$id" proof.bvj
status 0 "the proof of one report"
check "is small" test "$(stat -c %s proof.bvj)" -lt "$(stat -c %s all.bvj)"
bvisor report verify of.report --proof proof.bvj --public-key "$db.key.pub"
status 0 "report verify takes it"
out_has "proven" "and says so"
run --report other.report --journal own/j.db -- true
bvisor report verify other.report --proof proof.bvj --public-key "$db.key.pub"
status 1 "a report that is not in it is not proven"
bvisor report verify of.report --proof proof.bvj --public-key own/j.db.key.pub
status 1 "nor by another's key"
bvisor report verify of.report --proof proof.bvj
refused "--public-key is missing" "nor without a key"
try() { # bvisor-verify, alone, without any of bvisor's environment
	status=0
	env -i "$verifier" "$@" >"$out" 2>"$err" </dev/null || status=$?
}
try --public-key "$db.key.pub" all.bvj
status 0 "bvisor-verify verifies the export"
out_has "verified: records 1 to 25" "all of it"
try --public-key "$db.key.pub" --anchor newer --report of.report all.bvj
status 0 "with an anchor and a report"
out_has "attempt $id" "and says whose it is"
try --public-key "$db.key.pub" --report of.report proof.bvj
status 0 "and a proof"
try --public-key own/j.db.key.pub all.bvj
status 1 "another key is not accepted"
try --public-key "$db.key.pub" --report other.report all.bvj
status 1 "nor a report that is not in it"
# Nothing but the program and what it checks: no libraries, no /proc, no bvisor.
mkdir empty
cp "$verifier" all.bvj "$db.key.pub" empty
if ldd "$verifier" >/dev/null 2>&1; then
	skip "bvisor-verify in an empty root" "it is not static here"
elif [ "$(id -u)" = 0 ] || unshare -r true 2>/dev/null; then
	alone="chroot empty"
	[ "$(id -u)" = 0 ] || alone="unshare -r chroot empty"
	status=0
	$alone /bvisor-verify --public-key /journal.db.key.pub --whole /all.bvj >"$out" 2>"$err" || status=$?
	status 0 "bvisor-verify verifies in a root where there is nothing else"
	printf x | dd of=empty/all.bvj bs=1 seek=3000 conv=notrunc 2>/dev/null
	status=0
	$alone /bvisor-verify --public-key /journal.db.key.pub /all.bvj >"$out" 2>"$err" || status=$?
	status 1 "and sees there what was changed"
else
	skip "bvisor-verify in an empty root" "no other root can be had here"
fi
try --public-key "$db.key.pub" --whole proof.bvj
status 1 "--whole takes no part"
err_has "its beginning is left out" "and says why"
check "a signature whose contents were taken out shows" python3 - "$verifier" "$db.key.pub" all.bvj <<'PY'
import struct, subprocess, sys
verifier, key, name = sys.argv[1:]
data = open(name, "rb").read()

def without(kinds):
	"""The export with the contents of those kinds left out; its own digest is no secret, but BLAKE3 is not in Python."""
	out, at, count = bytearray(data[:72]), 72, 0
	while data[at:at + 1] == b"R":
		size = struct.unpack(">I", data[at + 149:at + 153])[0]
		size = 0 if size == 0xffffffff else size
		kind = struct.unpack(">H", data[at + 41:at + 43])[0]
		gone = kind in kinds
		count += gone
		out += data[at:at + 149] + b"\xff" * 4 if gone else data[at:at + 153 + size]
		at += 153 + size
	return bytes(out + data[at:]), count

cut, count = without({0xe106})
r = subprocess.run([verifier, "--public-key", key, "-"], input=cut, capture_output=True, text=False)
if count == 0 or r.returncode != 1 or b"contents of a signature are missing" not in r.stderr:
	sys.exit(f"{count} {r}")
PY
head -c 5000 all.bvj >cut.bvj
try --public-key "$db.key.pub" cut.bvj
status 1 "nor one that was cut off"
check "every flipped byte shows" python3 - "$verifier" "$db.key.pub" all.bvj <<'PY'
import subprocess, sys
verifier, key, name = sys.argv[1:]
data = open(name, "rb").read()
for at in range(0, len(data), max(1, len(data) // 300)):
	bad = bytearray(data)
	bad[at] ^= 1 << at % 8
	r = subprocess.run([verifier, "--public-key", key, "-"], input=bad, capture_output=True)
	if r.returncode != 1:
		sys.exit(f"byte {at}: {r.returncode} {r.stdout} {r.stderr}")
PY

# ---- refusals before anything runs
echo 'this is no database, and long enough to be seen as none' >own/text.db
run --journal own/text.db -- sh -c 'echo ran >ran'
refused "journal" "a file that is no database refuses the run"
mkdir own/dir.db
run --journal own/dir.db -- true
refused "not a regular file" "a directory too"
cp own/j.db own/loose.db
chmod 666 own/loose.db
run --journal own/loose.db -- true
refused "others than its owner" "a journal that others may write too"
cp own/j.db.key own/loose.key
chmod 644 own/loose.key
run --journal own/j.db --journal-key own/loose.key -- true
refused "for its owner alone" "a key that others may read too"
check "and nothing ran" test ! -e ran
mkfifo own/fifo.db
bvisor journal ls --journal own/fifo.db
refused "not a regular file" "nor is a FIFO waited for"
mkdir open
chmod 777 open
run --journal open/j.db -- true
refused "anybody may write the directory" "nor is a journal kept where anybody may put another in its place"
mkdir -m 700 open/sub
run --journal open/sub/j.db -- true
refused "anybody may write the directory" "nor below such a directory"
check "and nothing was made there" test -z "$(ls -A open/sub)"
chmod 755 open
ln -s "$work/own" open/link
run --journal open/link/j.db -- true
status 0 "a link of one's own leads to it"
chmod 777 open
run --journal open/link/j.db -- true
refused "anybody may write the directory" "but not one that anybody may turn"
if [ "$(id -u)" = 0 ]; then
	mkdir home
	chown 12345 home
	status=0
	# shellcheck disable=SC2086 # a list
	env -u XDG_STATE_HOME HOME="$work/home" "$BVISOR" run $BVISOR_FLAGS -- true >"$out" 2>"$err" </dev/null || status=$?
	refused "is another user's" "root makes no journal in a user's home"
	check "nor a directory on the way" test -z "$(ls -A home)"
fi
mkdir old.keys
mv own/j.db.key own/j.db.key.pub old.keys
run --journal own/j.db -- true
refused "signed with a key that is not at" "a journal that lost its key is not signed with another"
run --journal own/j.db --journal-key nokey -- true
refused "signed with a key that is not at" "nor with one that would have to be made"
check "and none is made in its place" test ! -e own/j.db.key -a ! -e own/j.db.key.pub -a ! -e nokey -a ! -e nokey.pub
run --journal other.keys/j.db -- true
run --journal own/j.db --journal-key other.keys/j.db.key -- true
refused "signed with another key" "nor with the key of another journal"
mv old.keys/* own
run --journal own/j.db -- true
status 0 "and with its own it is"

# ---- once
run --idempotency-key pay-1 --write . --read . -- sh -c 'echo paid >>paid; exit 5'
status 5 "the first of a key runs"
run --idempotency-key pay-1 --write . --read . -- sh -c 'echo paid >>paid; exit 5'
status 5 "the second has the first one's status"
err_has "not run again" "and says that it ran nothing"
check "and it ran nothing" test "$(grep -c paid paid)" = 1
run --idempotency-key pay-1 --write . --read . -- sh -c 'echo other >>paid; exit 5'
refused "another request" "another request under that key is refused"
for _ in 1 2 3 4; do
	# shellcheck disable=SC2086 # a list
	"$BVISOR" run $BVISOR_FLAGS --idempotency-key pay-2 --write . --read . -- sh -c 'echo once >>once; sleep 0.2' >/dev/null 2>>"$err" &
done
wait
check "of four at once with one key one runs" test "$(grep -c once once)" = 1
run --journal none --idempotency-key pay-1 -- true
refused "without a journal" "a key without a journal is refused"

# ---- a host that dies
lock=$work/lock
: >"$lock"
chmod 666 "$lock"
before=$(records | wc -w)
# shellcheck disable=SC2086 # a list
"$BVISOR" run $BVISOR_FLAGS --idempotency-key lost-1 --read . --write . --runtime system -- flock -n lock sleep 600 >/dev/null 2>&1 &
host=$!
if await held "$lock"; then
	kill -9 $host
	wait $host 2>/dev/null
	lost=1
	bvisor journal recover
	out_has "RolledBack: its host ended" "recover says what was lost"
	check "what a dead host ran is gone" await gone "$lock"
	bvisor journal ls --last 1
	out_has "RolledBack" "and told as rolled back"
	check "with what was done" test "$(records | cut -d' ' -f$((before + 1))-)" = "started request bound recovery-intent recovery-result recovery anchor"
	bvisor journal recover
	out_is "nothing was lost" "a second recovery changes nothing"
	check "not one record" test "$(records | wc -w)" = $((before + 7))
else
	kill -9 $host
	skip "recovery" "the program was not seen to run"
fi
: >"$lock"
before=$(records | wc -w)
# shellcheck disable=SC2086 # a list
"$BVISOR" run $BVISOR_FLAGS --read . --write . --runtime system -- flock -n lock sleep 600 >/dev/null 2>&1 &
host=$!
if await held "$lock"; then
	bvisor journal recover
	out_is "nothing was lost" "a run that another process has is left alone"
	check "and goes on" held "$lock"
	kill -9 $host
	wait $host 2>/dev/null
	for one in 1 2 3 4; do
		"$BVISOR" journal recover >recovered.$one 2>&1 &
	done
	wait
	check "of four who recover at once one says what was lost" test "$(cat recovered.* | grep -c RolledBack)" = 1
	check "and one verdict is written" test "$(records | cut -d' ' -f$((before + 1))- | tr ' ' '\n' | grep -c '^recovery$')" = 1
else
	kill -9 $host
	skip "four recoveries" "the program was not seen to run"
fi
bvisor journal verify
status 0 "and the journal is whole"

# ---- gc
bvisor journal gc
refused "nothing says" "gc wants to be told what may go"
bvisor journal gc --until 1h
out_has "contents of 0 attempts" "gc leaves what is younger"
sleep 1
bvisor journal gc --until 0s
status 0 "gc removes contents"
bvisor journal verify
status 0 "and the chain still holds"
out_has "removed by decision" "which verify says"
bvisor journal show "$id"
status 125 "what was removed cannot be shown"

run --idempotency-key pay-1 --write . --read . -- sh -c 'echo paid >>paid; exit 5'
refused "its report was removed by bvisor journal gc" "a key whose report was removed stays used, and says so"
check "with a remedy" grep -q "remedy: choose another key" "$err"
if [ -n "${lost-}" ]; then
	run --idempotency-key lost-1 --read . --write . --runtime system -- flock -n lock sleep 600
	refused "may have done its work" "nor is one run again that was lost while it ran, whatever was removed"
fi
check "and nothing runs again" test "$(grep -c paid paid)" = 1

# ---- many at once
for _ in 1 2 3 4 5 6; do
	# shellcheck disable=SC2086 # a list
	"$BVISOR" run $BVISOR_FLAGS -- true >/dev/null 2>>"$err" &
done
wait
bvisor journal verify
status 0 "six runs at once leave a whole journal"
check "with all six" test "$("$BVISOR" journal ls --last 6 | grep -c Completed)" = 6
# ---- refused requests
r=$scratch/refusals/j.db
run --journal "$r" --storage 1 -- true
status 125 "a request that no plan can be made of is refused"
bvisor journal ls --journal "$r" --outcome Refused
out_has true "and recorded as such"
run --journal "$r" --write . --output /etc -- true
bvisor journal show --json --journal "$r"
out_has '"code":"budget-refused"' "with the reason as a code"
out_has "may not write there" "what turns out at the start has its reason too"
run --journal "$r" --idempotency-key k -- true
run --journal "$r" --idempotency-key k -- false
bvisor journal ls --journal "$r" --json --outcome Refused
out_has false "so has a key that was used for something else"
bvisor journal verify --journal "$r"
status 0 "and all of it verifies"
finish
