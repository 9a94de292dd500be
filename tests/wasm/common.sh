# SPDX-License-Identifier: MIT OR Apache-2.0
# What the tests of WebAssembly share, beside tap.sh.
. "$(dirname "$0")/tap.sh"

# Runs a module with BVISOR_FLAGS; leaves a report in $work/report.json.
wasm() {
	status=0
	# shellcheck disable=SC2086 # BVISOR_FLAGS is a list
	timeout -k 5 60 "$BVISOR" wasm $BVISOR_FLAGS --report "$work/report.json" "$@" >"$out" 2>"$err" </dev/null || status=$?
}

# The report has TEXT somewhere; blanks and lines do not count.
flat() { tr -d ' \t\n' <"$work/report.json" >"$work/report.flat"; }
report_has() { flat && has "$work/report.flat" "$(echo "$1" | tr -d ' ')" "$2"; }
report_lacks() { flat && lacks "$work/report.flat" "$(echo "$1" | tr -d ' ')" "$2"; }

# The first number of the report's fact of that kind: fact wasm_fuel.
fact() {
	flat
	sed -n 's/.*"kind":"'"$1"'","detail":"\([0-9]*\).*/\1/p' "$work/report.flat"
}

# A module that calls what WASI function with nothing and ends: module NAME BODY
module() {
	cat >"$1" <<END
(module
 (import "wasi_snapshot_preview1" "fd_write" (func \$write (param i32 i32 i32 i32) (result i32)))
 (import "wasi_snapshot_preview1" "proc_exit" (func \$exit (param i32)))
 (memory (export "memory") 1)
 (data (i32.const 16) "hello\n")
 (func \$hello (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 6))
  (drop (call \$write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
 $2)
END
}
