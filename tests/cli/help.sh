#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Help, version, plan, doctor and report as people and programs see them.
. "$(dirname "$0")/tap.sh"

bvisor --version
check "--version says it" grep -qx 'bvisor [0-9.]*' "$out"
bvisor --help
status 0 "--help succeeds"
for command in run plan doctor report journal artifacts; do
	out_has "  $command " "--help lists $command"
	bvisor $command --help
	status 0 "$command --help succeeds"
	out_has "Usage: bvisor $command" "and shows how to use it"
	out_has "Examples" "with examples"
	check "within 100 columns" sh -c "! grep -q '.\{101\}' '$out'"
	bvisor --help
done
bvisor run --help
for flag in --profile --backend; do
	check "run --help does not offer $flag" sh -c "! grep -q -- '^  $flag ' '$out'"
done
bvisor report show --help
out_has "Usage: bvisor report show" "report show --help is its own"
status=0
"$BVISOR" --help >/dev/full 2>"$err" || status=$?
status 125 "help that cannot be written is a failure"

# ---- plan
bvisor plan $BVISOR_FLAGS --read . --wall 9s -- true
status 0 "plan succeeds"
out_has "Filesystem" "and names a requirement"
out_has "read $work" "what exactly"
out_has "Budget wall" "a limit"
out_has "9 s" "and how much"
bvisor plan $BVISOR_FLAGS --json -- sh -c 'echo ran >ran'
check "plan --json is JSON" python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); assert d["backend"]=="linux" and len(d["plan_id"])==64' "$out"
check "plan runs nothing" test ! -e ran
one=$(sed -n 's/.*"plan_id": "\(.*\)".*/\1/p' "$out")
bvisor plan $BVISOR_FLAGS --json -- sh -c 'echo ran >ran'
check "equal requests have equal plans" test "$one" = "$(sed -n 's/.*"plan_id": "\(.*\)".*/\1/p' "$out")"
bvisor plan $BVISOR_FLAGS --env A=1 --env B=2 --read /etc --read /usr --json -- true
one=$(sed -n 's/.*"plan_id": "\(.*\)".*/\1/p' "$out")
bvisor plan $BVISOR_FLAGS --read /usr --env B=2 --read /etc --env A=1 --json -- true
check "in whatever order they are said" test "$one" = "$(sed -n 's/.*"plan_id": "\(.*\)".*/\1/p' "$out")"
run --report of-plan.json --env A=1 --env B=2 --read /etc --read /usr -- true
bvisor plan --backend windows -- true
refused "cannot hold" "plan says why not"
bvisor plan --json --backend windows -- true
check "in JSON too" python3 -c 'import json,sys; d=json.load(open(sys.argv[1]))["refused"]; assert d["code"]=="unsupported" and d["message"] and d["remedy"]' "$out"
status 125 "with 125"
bvisor plan -- nosuch-program
status 127 "plan of a program that is not there is 127"

# ---- report
run --report r.json -- sh -c 'echo hello; exit 3'
run --report r.bin -- sh -c 'echo hello; exit 3'
for file in r.json r.bin; do
	bvisor report show $file
	status 0 "report show $file"
	out_has "exited with code 3" "tells the end"
	out_has "6 bytes written" "the streams"
	out_has "Held" "and what was held"
	bvisor report verify $file
	status 0 "report verify $file"
	out_has "verified: " "says so"
	bvisor report verify --quiet $file
	out_is "" "or nothing when quiet"
	bvisor report show --json $file
	check "show --json is JSON" python3 -c 'import json,sys; assert json.load(open(sys.argv[1]))["body"]["exit"]["Code"]==3' "$out"
done
bvisor report show r.bin --json
cp "$out" again.json
bvisor report verify again.json
status 0 "canonical and JSON are the same report"
"$BVISOR" report verify - <r.json >"$out" 2>"$err"
out_has "verified: " "- is standard input"
sed 's/"Code": 3/"Code": 0/' r.json >forged.json
bvisor report verify forged.json
status 1 "a forged JSON report does not verify"
err_has "altered" "and is said to be altered"
bvisor report verify --json forged.json
check "--json says false" grep -q '"verified":false' "$out"
bvisor report show forged.json
status 1 "a forged report is shown, but not without a word"
err_has "altered" "of warning"

# Every byte of the canonical report counts.
size=$(wc -c <r.bin)
passed=0
at=0
while [ "$at" -lt "$size" ]; do
	cp r.bin mutant
	old=$(dd if=r.bin bs=1 skip="$at" count=1 2>/dev/null | od -An -tu1 | tr -d ' ')
	# shellcheck disable=SC2059 # the octal is made just here
	printf "\\$(printf %o $((old ^ 1)))" | dd of=mutant bs=1 seek="$at" conv=notrunc 2>/dev/null
	if "$BVISOR" report verify --quiet mutant; then
		complain "byte $at changed and it verified"
		passed=$((passed + 1))
	fi
	at=$((at + 97))
done
check "a changed byte anywhere is found" test "$passed" = 0
head -c 100 r.bin >short
bvisor report verify short
status 125 "a torn report is none"
echo '{}' >empty.json
bvisor report verify empty.json
refused "empty.json" "nor is JSON of something else"
bvisor report verify nosuch
refused "nosuch" "nor is a file that is not there"
finish
