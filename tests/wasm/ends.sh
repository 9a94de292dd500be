#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# How a module ends: as it says, or with a code and a sentence that say why not.
. "$(dirname "$0")/common.sh"

module hello.wat '(func (export "_start") (call $hello))'
wasm hello.wat
status 0 "a module that returns is 0"
out_is hello "and what it wrote comes back"
report_has '"outcome":"Completed"' "and it completed"
report_has 'wasmtime ' "and the report names the engine and its version"
report_has 'before the first instruction' "and the helper was locked first"

for code in 0 1 42 124 125 255; do
	module exit.wat "(func (export \"_start\") (call \$exit (i32.const $code)))"
	wasm exit.wat
	status $code "exit code $code comes back"
done
module exit.wat '(func (export "_start") (call $exit (i32.const 70000)))'
wasm exit.wat
report_has '"exit":{"Code":70000}' "the report has all of an exit code"

module trap.wat '(func (export "_start") unreachable)'
wasm trap.wat
status 134 "a trap is 134"
err_has "trapped: wasm trap: wasm \`unreachable\` instruction executed" "and is said"
report_has '"outcome":"Failed"' "and is a failure"
report_has '"exit":null' "without an exit"
module deep.wat '(func $deep (export "_start") (call $deep))'
wasm deep.wat
status 134 "recursion without end is 134"
err_has "call stack exhausted" "and is said"
module outside.wat '(func (export "_start") (drop (i32.load (i32.const 65536))))'
wasm outside.wat
status 134 "a load behind the memory is 134"
module starts.wat '(func $first unreachable) (start $first) (func (export "_start"))'
wasm starts.wat
status 134 "a trap in the start function is 134"

module spin.wat '(func (export "_start") (loop (br 0)))'
wasm --wall 300ms spin.wat
status 124 "a loop without end is 124 at the wall limit"
err_has "was stopped at the wall limit of 300 ms" "and is said"
report_has '"stopped_by":"Wall"' "and reported"
wasm --cpu 200ms --wall 30s spin.wat
status 137 "and 137 at the cpu limit"
report_has '"stopped_by":"Cpu"' "and reported"
wasm --fuel 1000000 spin.wat
status 137 "and 137 when its fuel is used up"
err_has "was stopped when its fuel was used up" "and is said"
report_has '"stopped_by":"Fuel"' "and reported"

wasm --fuel 1000000 hello.wat
cold=$(fact wasm_fuel)
wasm --fuel 1000000 hello.wat
check "the same module uses the same fuel, cold and warm: $cold" test "$cold" = "$(fact wasm_fuel)"
check "and it is more than nothing" test "$cold" -gt 0
report_has "kept from an earlier run" "and the second was warm"
wasm --fuel $((cold - 10)) hello.wat
status 137 "less than that is not enough"

module grow.wat '(func (export "_start") (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (call $exit (i32.lt_u (i32.const 1024) (memory.size))))'
wasm --memory 64M grow.wat
status 0 "memory stops growing within its limit"
module large.wat '(func (export "_start"))'
sed -i 's/(memory (export "memory") 1)/(memory (export "memory") 2000)/' large.wat
wasm --memory 64M large.wat
status 125 "a memory that is too large from the start is refused"

printf 'no module' >garbage.wasm
wasm garbage.wasm
status 125 "what is no module is 125"
err_has "nothing ran" "and nothing ran"
report_has '"outcome":"Unsupported"' "and the report says so"
printf '\000asm\001\000\000\000\001\200' >cut.wasm
wasm cut.wasm
status 125 "a module that was cut short is 125"
printf '\000asm\001\000\000\000' >empty.wasm
wasm empty.wasm
status 125 "a module without _start is 125"
err_has "exports no function '_start'" "and says what it lacks"
echo '(module (import "env" "system" (func)) (func (export "_start")))' >import.wat
wasm import.wat
status 125 "an import that nobody has is 125"
err_has "env::system" "and is named"
wasm nosuch.wasm
status 125 "a module that is not there is 125"
: >nothing.wasm
wasm nothing.wasm
refused "is empty" "an empty file is refused"
wasm --exec /usr/bin hello.wat
refused "there is no flag '--exec'" "a guest executes nothing"
wasm --read /etc/passwd hello.wat
refused "is not a directory" "a guest is given directories"
wasm --read / hello.wat
refused "cannot be granted to a WebAssembly guest" "but not /"
wasm --read /proc hello.wat
refused "cannot be granted to a WebAssembly guest" "nor /proc"

BVISOR_CACHE=none wasm --read /proc hello.wat
refused "cannot be granted to a WebAssembly guest" "before anything is compiled"
BVISOR_CACHE=none wasm --expose nosuch:/x hello.wat
refused "nosuch' cannot be used" "and so is a directory that is not there"

# Gone while the code is made: the guest cannot start any more.  A compiler that is seen has been started,
# and this module takes it a while.
{
	echo "(module"
	for i in $(seq 100); do
		echo "(func (param i64) (result i64) (local i64)"
		seq -f " (local.set 1 (i64.add (i64.mul (local.get 0) (local.get 1)) (i64.const %.0f)))" "$i" 1500
		echo " (local.get 1))"
	done
	echo '(func (export "_start")) (memory (export "memory") 1))'
} >slow.wat
compiling() { grep -qs '^bvisor-wasm-com' /proc/[0-9]*/comm; }
mkdir gone journal; chmod 700 journal
{
	await compiling
	rmdir gone
} &
BVISOR_CACHE=none wasm --journal "$work/journal/j.db" --expose gone:/x slow.wat
wait
refused "gone' cannot be used" "a directory that goes away while the module is compiled is missed"
"$BVISOR" journal ls --journal "$work/journal/j.db" >"$out" 2>&1
out_lacks Started "and the attempt has ended"

# Not a run: what is planned.
"$BVISOR" wasm --plan --json hello.wat >plan.json
check "a plan has the digest of the module" grep -q '"digest": *"[0-9a-f]\{64\}"' plan.json
"$BVISOR" wasm --print-spec hello.wat >spec.json
wasm --spec spec.json
out_is hello "a module runs from a spec"
bvisor wasm --without namespaces --require enforced hello.wat
refused "only Mediated by wasm" "one wall is not enforced"

finish
