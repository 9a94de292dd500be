#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# A flaw in the engine is survivable: native code of an attacker's choice runs in the helper, and the
# second wall holds.  Each act has its control: the same code, run here without a wall.
. "$(dirname "$0")/common.sh"

if [ "${BVISOR_FLAGS#*pulley}" != "$BVISOR_FLAGS" ]; then
	echo "1..0 # SKIP interpreted code is data: there is none to poison"
	exit 0
fi
if ! command -v cc >/dev/null 2>&1; then
	echo "1..0 # SKIP no C compiler"
	exit 0
fi
mkdir granted
echo INSIDE >granted/file
echo SECRET >secret
sleep 300 &
victim=$!
trap 'kill $victim 2>/dev/null; cd /; rm -rf "$scratch"' EXIT

# Enough code for the attacker's to fit over it.
body=
for i in $(seq 400); do body="$body (i32.store (i32.const 0) (i32.add (i32.load (i32.const $i)) (i32.const $i)))"; done
module host.wat "(func (export \"_start\") $body (call \$hello))"
entry() { find "$BVISOR_CACHE/wasm" -type f ! -name key | head -n 1; }

attack() { # ACT: leaves $out and $status of the attacker's code in the helper
	cc -Os -fPIC -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -nostdlib -static \
		-DACT="$1" -DSECRET="\"$work/secret\"" -DINSIDE="\"$work/granted/file\"" -DVICTIM="$victim" \
		-Wl,-N,--build-id=none,--oformat=binary,-Ttext=0,-e,first -o code.bin "$(dirname "$0")/shell.c" || exit 1
	bvisor wasm cache clear
	wasm --read granted host.wat
	"$POISON" "$(basename "$(entry)")" code.bin || exit 1
	wasm --wall 20s --read granted host.wat
}

control() { # ACT
	attack "$1"
	mv "$out" confined.out
	confined=$status
	timeout 20 "$POISON" run code.bin >"$out" 2>"$err" || :
	mv "$out" free.out
	cp confined.out "$out"
	status=$confined
}

attack hello
out_is "attacker runs
done" "the attacker's code runs in the helper"
report_has "kept from an earlier run" "out of the cache, under its own key"
control inside
out_has INSIDE "it reads what the guest was granted"

control secret
out_lacks SECRET "it reads no file beside"
out_has "attacker runs" "although it ran"
has free.out SECRET "control: without a wall it does"
control old_open
out_lacks done "nor in another way"
has free.out done "control: without a wall it does"
control network
out_lacks done "it has no network"
has free.out done "control: without a wall it has"
control new_code
out_lacks done "it makes no new code"
has free.out done "control: without a wall it does"
control execute
out_is "attacker runs" "it starts no program"
status 159 "and ends by the filter's signal"
report_has '"outcome":"Denied"' "which the report has"
attack trace
out_lacks done "it traces nobody"
attack signal_out
out_lacks done "it signals nobody"
check "and the process outside lives" kill -0 $victim
timeout 20 "$POISON" run code.bin >"$out" 2>"$err" || :
out_has done "control: without a wall it does"
ended=0
wait $victim || ended=$?
check "and that one is dead" test $ended = 137

echo SECRET >secret
attack write_out
check "it writes no file beside" test "$(cat secret)" = SECRET
timeout 20 "$POISON" run code.bin >"$out" 2>"$err" || :
check "control: without a wall it does" test ! -s secret
finish
