#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# What is meant to take for ever, or everything: an outcome that is named, near its limit.
. "$(dirname "$0")/common.sh"

now() { date +%s%N | cut -c 1-13; }

# Milliseconds a command may take beyond its limit: a tenth, and what a loaded machine takes to start.
within() { # LIMIT_MS NAME
	took=$(($(now) - began))
	check "$2: $took ms of $1" test "$took" -le $(($1 + $1 / 10 + 2000))
}

# A thousand nested blocks are nothing; a row of empty ones is what a compiler takes long for.
python3 - >blocks.wasm <<'END'
import sys
def leb(n):
    out = b""
    while True:
        byte = n & 127; n >>= 7
        out += bytes([byte | (128 if n else 0)])
        if not n: return out
def section(kind, body): return bytes([kind]) + leb(len(body)) + body
body = b"\x00" + b"\x41\x00\x04\x40\x0b" * 1000000 + b"\x0b"
sys.stdout.buffer.write(b"\0asm\1\0\0\0" + section(1, b"\x01\x60\0\0") + section(3, b"\x01\0")
    + section(7, b"\x01\x06_start\0\0") + section(10, b"\x01" + leb(len(body)) + body))
END
began=$(now)
wasm --wall 3s blocks.wasm
status 125 "a bomb for the compiler is refused"
within 3000 "within its limit"
err_has "compiling it takes more than it may" "and it is said"
report_has '"outcome":"Unsupported"' "and reported"
check "and nothing is kept of it" test "$(find "$BVISOR_CACHE" -type f ! -name key | wc -l)" = 0

# Text is taken apart by the compiler too.
text() { # NAME PROGRAM
	python3 -c "import sys; sys.stdout.write($2)" >text.wat
	began=$(now)
	wasm --wall 3s --memory 256M text.wat
	within 3000 "$1"
}
text "five million parentheses" "'(' * 5000000"
status 125 "are refused"
text "comments in comments" "'(;' * 3000000"
status 125 "are refused"
text "more functions than there may be" "'(module ' + '(func)' * 1500000 + ' (func (export \"_start\")))'"
status 125 "are refused"
text "200000 blocks in blocks" "'(module (func (export \"_start\") ' + '(block ' * 200000 + ')' * 200000 + '))'"
check "have an outcome with a name" test "$status" = 0 -o "$status" = 125

module spin.wat '(func (export "_start") (loop (br 0)))'
wasm --fuel 1 spin.wat
began=$(now)
wasm --wall 2s spin.wat
status 124 "a loop"
within 2000 "within its limit"
report_has '"wasm_fuel","detail":"atleast' "with what it had used at its last call"
began=$(now)
wasm --cpu 1s --wall 60s spin.wat
status 137 "a loop, by processor time"
report_has '"stopped_by":"Cpu"' "and reported"
module fill.wat '(func (export "_start") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br 0)))'
wasm --fuel 1000000000 fill.wat
status 137 "memory that is filled for ever costs fuel"
report_has '"stopped_by":"Fuel"' "and it runs out"
module calls.wat '(func (export "_start") (loop (drop (call $write (i32.const 9) (i32.const 0) (i32.const 0) (i32.const 8))) (br 0)))'
wasm --fuel 10000000 calls.wat
status 137 "functions of the host cost fuel"
report_has '"stopped_by":"Fuel"' "and it runs out"
module tables.wat '(table $t 1 funcref) (func (export "_start") (loop (br_if 0 (i32.ne (table.grow $t (ref.null func) (i32.const 100000)) (i32.const -1)))) (call $exit (i32.gt_u (table.size $t) (i32.const 1048576))))'
wasm --memory 256M --wall 20s tables.wat
status 0 "tables stop growing too"
finish
