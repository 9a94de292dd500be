#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The code that is kept: used again, never believed, and gone when it is told to go.
. "$(dirname "$0")/common.sh"

entry() { find "$BVISOR_CACHE/wasm" -type f -name '????????????????????????????????????????????????????????????????' | head -n 1; }
count() { find "$BVISOR_CACHE/wasm" -type f ! -name key 2>/dev/null | wc -l; }

module hello.wat '(func (export "_start") (call $hello))'
wasm hello.wat
report_has "compiled in" "the first run compiles"
check "and keeps the code" test "$(count)" = 1
check "in a directory of the user's alone" test "$(stat -c %a "$BVISOR_CACHE/wasm")" = 700
check "in a file of the user's alone" test "$(stat -c %a "$(entry)")" = 600
check "with a key of the user's alone" test "$(stat -c '%a %s' "$BVISOR_CACHE/wasm/key")" = "600 32"
wasm hello.wat
report_has "kept from an earlier run" "the second takes it"
out_is hello "and it is the same module"

spoiled() { # HOW: whatever is wrong with an entry, it is compiled again
	wasm hello.wat
	report_has "compiled in" "$1: compiled again"
	out_is hello "$1: and it is the right module"
	wasm hello.wat
	report_has "kept from an earlier run" "$1: and kept again"
}

size=$(stat -c %s "$(entry)")
# The last bytes of the code, and some in the middle.
printf '\314\314\314\314' | dd of="$(entry)" bs=1 seek=$((size - 8)) conv=notrunc 2>/dev/null
spoiled "its end was overwritten"
printf '\314\314\314\314' | dd of="$(entry)" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
spoiled "its middle was overwritten"
printf '\377' | dd of="$(entry)" bs=1 seek=7 conv=notrunc 2>/dev/null
spoiled "another version"
truncate -s $((size / 2)) "$(entry)"
spoiled "it was cut short"
truncate -s 10 "$(entry)"
spoiled "hardly anything is left"
truncate -s 0 "$(entry)"
spoiled "nothing is left"
head -c 32 /dev/zero >key.new && cat key.new >"$BVISOR_CACHE/wasm/key"
spoiled "another key"
truncate -s 5 "$BVISOR_CACHE/wasm/key"
wasm hello.wat
report_has "compiled in" "a key that was cut short: compiled again"
out_is hello "and it is the right module"
rm "$BVISOR_CACHE/wasm/key"
spoiled "no key"
name=$(entry)
cp "$name" other && rm "$name" && ln -s "$work/other" "$name"
wasm hello.wat
report_has "compiled in" "a link instead of an entry: compiled again"
rm -f "$name"
wasm hello.wat
chmod 644 "$(entry)"
wasm hello.wat
report_has "compiled in" "an entry others may read was not made by bvisor: compiled again"
chmod 777 "$BVISOR_CACHE/wasm"
wasm hello.wat
report_has "compiled in" "a directory others may write: compiled again"
chmod 700 "$BVISOR_CACHE/wasm"

# Whatever else may lie where an entry or the key is looked for: nobody waits for it, and the module runs.
mkdir -m 700 target
for what in "mkfifo -m 600" "mkdir -m 700" "ln -s /dev/zero" "ln -s $work/target" "truncate -s 1T"; do
	for place in "$(entry)" "$BVISOR_CACHE/wasm/key"; do
		rm -f "$place"
		(umask 077 && $what "$place")
		began=$(date +%s)
		wasm hello.wat
		out_is hello "$what in the place of $(basename "$place" | cut -c 1-8): the module runs"
		check "and soon" test $(($(date +%s) - began)) -le 10
		rm -rf "$place"
		bvisor wasm cache clear
		wasm hello.wat
	done
done
rm -rf "$BVISOR_CACHE/wasm"
ln -s "$work/target" "$BVISOR_CACHE/wasm"
wasm hello.wat
out_is hello "a link in the place of the directory: the module runs"
check "and nothing is put where it leads" test -z "$(ls -A target)"
rm "$BVISOR_CACHE/wasm"
wasm hello.wat

# One module's code under the name of another.
module bye.wat '(func (export "_start") (call $hello) (call $exit (i32.const 3)))'
bvisor wasm cache clear
wasm hello.wat
hello=$(entry)
cp "$hello" kept
bvisor wasm cache clear
wasm bye.wat
status 3 "another module"
cat kept >"$(entry)"
wasm bye.wat
status 3 "code of another module is not taken for it"

wasm hello.wat
bvisor wasm cache ls
check "cache ls lists both" test "$(wc -l <"$out")" = 2
bvisor wasm cache ls --json
out_has '"bytes":' "and as JSON"
bvisor wasm cache clear
status 0 "cache clear clears"
err_has "removed the code of 2 modules" "and says so"
check "and nothing is left" test "$(count)" = 0
bvisor wasm cache
refused "say what to do with it" "cache alone is refused"

for i in 1 2 3; do
	module "one$i.wat" "(func (export \"_start\") (call \$exit (i32.const $i)))"
	wasm "one$i.wat"
	status $i "module $i runs"
done
check "each has its entry" test "$(count)" = 3
BVISOR_CACHE=none wasm one1.wat
status 1 "without a cache a module runs"
report_has "compiled in" "and is compiled"
wasm one1.wat
report_has "kept" "with it, taken from there"
# What was compiled, when and by what stands in the journal, cold and warm.
mkdir -m 700 private
recorded() { # NAME TEXT
	wasm --journal "$work/private/journal.db" one1.wat
	attempt=$("$BVISOR" journal ls --journal "$work/private/journal.db" | awk 'NR == 2 { print $2 }')
	"$BVISOR" journal show --journal "$work/private/journal.db" "$attempt" >"$out"
	out_has "wasm_module: $work/one1.wat, $(stat -c %s one1.wat) bytes, BLAKE3 " "$1: the journal has the module and its digest"
	out_has "wasm_engine: wasmtime " "$1: the engine and its version"
	out_has "wasm_code: $2" "$1: and where its code came from"
	sed -n 's/.*wasm_fuel: \([0-9]*\).*/\1/p' "$out" >"$3"
}
bvisor wasm cache clear
recorded cold "compiled in " cold.fuel
recorded warm "kept from an earlier run" warm.fuel
check "and both used the same" cmp -s cold.fuel warm.fuel
check "which is something" test -s cold.fuel
wasm --deterministic one1.wat
report_has "compiled in" "other settings, other code"

# The cache lies in what is granted: the guest does not get it.
if [ -n "$GUEST" ]; then
	mkdir home
	BVISOR_CACHE=$work/home/.cache wasm "$GUEST" args
	BVISOR_CACHE=$work/home/.cache wasm --read home --write home "$GUEST" list "$work/home/.cache/wasm" write "$work/home/.cache/wasm/key" x
	check "a guest that is granted the directory above does not reach it" test "$(stat -c %s home/.cache/wasm/key)" = 32
	out_lacks "write $work/home/.cache/wasm/key: ok" "and is told so"
fi
finish
