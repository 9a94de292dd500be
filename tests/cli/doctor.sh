#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# doctor tries what it claims, and its verdict is that of the world outside.
. "$(dirname "$0")/tap.sh"

# One's own, so that what another doctor has there at the same time does not count.
mkdir "$scratch/t"
TMPDIR=$scratch/t
export TMPDIR
status=0
timeout -k 5 100 "$BVISOR" doctor --json >"$out" 2>"$err" </dev/null || status=$?
status 0 "everything that is claimed holds here"
check "doctor --json is JSON with two worlds" python3 - "$out" <<'P'
import json, sys
worlds = json.load(open(sys.argv[1]))["worlds"]
assert len(worlds) == 2
for world in worlds:
	assert len(world["rows"]) == 24
	for row in world["rows"]:
		assert row["result"] in ("holds", "partly", "refused", "not available", "not tried"), row
		if row["result"] == "not available":
			assert row["reason"] or row["requirement"].startswith("Budget"), row
P
check "nothing is taken for changed that was there before a staged run" sh -c "! grep -q 'changed on the host' '$out'"
check "most acts were tried with a control that worked" python3 - "$out" <<'P'
import json, sys
trials = [t for r in json.load(open(sys.argv[1]))["worlds"][0]["rows"] for t in r["trials"]]
without = [t["act"] for t in trials if t["free"] != "happened"]
assert len(trials) > 35 and len(without) <= 2, without
P
if python3 -c 'import json, sys; sys.exit(all(r["claimed"] == "Unsupported" for r in json.load(open(sys.argv[1]))["guests"]["rows"]))' "$out"; then
	check "acts of WebAssembly guests too, each with a control that worked" python3 - "$out" <<'P'
import json, sys
rows = json.load(open(sys.argv[1]))["guests"]["rows"]
trials = [t for r in rows for t in r["trials"] if r["claimed"] != "Unsupported"]
assert len(rows) == 24 and len(trials) > 15, len(trials)
assert not [t["act"] for t in trials if t["free"] != "happened"], trials
for row in rows:
	wanted = ("not available",) if row["claimed"] == "Unsupported" else ("holds", "partly", "refused") if row["trials"] else ("not tried",)
	assert row["result"] in wanted, row
assert [r["result"] for r in rows if r["requirement"] in ("Filesystem", "Budget wall", "Budget cpu")] == ["holds"] * 3, rows
P
else
	skip "acts of WebAssembly guests" "bvisor was built without the engine"
fi
check "it leaves no file" test -z "$(ls -A "$scratch/t")"
check "and no process" sh -c "! pgrep -f '$scratch/t/.*[_]_probe' >/dev/null"
# In the middle of it: what the trials are made with is there, and has to go.
"$BVISOR" doctor >"$out" 2>"$err" </dev/null &
doctor=$!
for _ in $(seq 100); do
	pgrep -f "$scratch/t/.*[_]_probe victim" >/dev/null && break
	sleep 0.1
done
check "control: half-way it has files and a process" sh -c "[ -n \"\$(ls -A '$scratch/t')\" ] && pgrep -f '$scratch/t/.*[_]_probe victim' >/dev/null"
kill -TERM $doctor
status=0
wait $doctor || status=$?
status 143 "stopped half-way it says by what"
check "it leaves no file then either" test -z "$(ls -A "$scratch/t")"
check "and no process" sh -c "! pgrep -f '$scratch/t/.*[_]_probe' >/dev/null"
TMPDIR=/$(head -c 200 /dev/zero | tr '\0' a)
bvisor doctor
refused "TMPDIR" "a TMPDIR that is too long is refused"
TMPDIR=$scratch/nosuch
bvisor doctor
refused "doctor" "and one that is not there"
TMPDIR=$scratch/t

# The one that confines nothing must be found out: a doctor that cannot say no says nothing.
status=0
timeout -k 5 100 "$BVISOR" doctor --backend sim >"$out" 2>"$err" </dev/null || status=$?
status 1 "a backend that claims and does not hold is found out"
out_has "DOES NOT HOLD" "in words"
status=0
timeout -k 5 100 "$BVISOR" doctor --without namespaces >"$out" 2>"$err" </dev/null || status=$?
status 0 "one world alone"
out_has "As asked" "under its own title"
out_lacks "Without namespaces" "and no other"
finish
