#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# What a C guest sees and does; judged by what is there afterwards.
. "$(dirname "$0")/common.sh"

if [ -z "$GUEST" ]; then
	echo "1..0 # SKIP no clang and wasi-libc to make a guest with"
	exit 0
fi
mkdir in out secret
echo content >in/file
echo SECRET >secret/file
ln -s ../secret/file in/link
ln -s "$work/secret" out/door
echo victim >secret/victim
chmod 755 in secret; chmod 777 out

wasm "$GUEST" args one "two words"
out_is "arg guest.wasm
arg args
arg one
arg two words" "arguments arrive as they are"
SOME=thing wasm --env NAME=value --env EMPTY= "$GUEST" env
out_is "env EMPTY=
env NAME=value" "the environment is what is given, and nothing else"
printf 'hidden' >secret/token
wasm --secret TOKEN=secret/token "$GUEST" env
out_is "env TOKEN=hidden" "a secret arrives"
report_lacks hidden "and stands in no report"
status=0
printf 'a\nb\n' | timeout 60 "$BVISOR" wasm $BVISOR_FLAGS "$GUEST" in >"$out" 2>"$err" || status=$?
out_is "in a
in b" "standard input is relayed"
wasm "$GUEST" nonsense
err_is "guest: what is 'nonsense'?" "standard error comes back"
status 2 "and the status"

wasm --read in "$GUEST" read "$work/in/file" list "$work/in"
out_is "read $work/in/file: content
list $work/in: 4" "what is granted can be read and listed"
wasm --read . "$GUEST" read in/file
out_is "read in/file: content" "relative paths begin in the working directory"
wasm --read in "$GUEST" read in/file read in/../secret/file
out_has "read in/file: content" "also where only what lies below it is granted"
out_lacks SECRET "and then too lead nowhere else"
wasm --expose "$work/in:/data" "$GUEST" read /data/file read "$work/in/file"
out_has "read /data/file: content" "an exposed directory stands where it is shown"
out_lacks "read $work/in/file: content" "and not where it is"
wasm --expose "$work/in:/" "$GUEST" read /file read file read /link read /etc/passwd read /../secret/file list /
out_is "read /file: content
read file: content
$(sed -n '3,5p' "$out")
list /: 4" "also as /"
out_lacks SECRET "and then too leads nowhere else"
out_lacks root: "nor to the host's /"
wasm --expose "$work/in:/" "$GUEST" write /file x write file x read /file
status 0 "what is shown as / can be run with"
out_has "read /file: content" "and read"
out_lacks ": ok" "and is only read, if it is shown to be read"
report_has "$work/in at / read" "and the report calls it /"
report_lacks bvisor-wasm-root "and nothing else"
wasm --expose "$work/out:/:rw" "$GUEST" write /shown text rm /shown
out_has "write /shown: ok" "and written, if it is shown for that"
wasm --expose "$work/in:/" --expose "$work/out:/second:rw" "$GUEST" write /shown x read /file \
	write /second/shown text rm /second/shown
out_has "read /file: content" "what is shown beside / does not hide it"
out_has "write /second/shown: ok" "and is written, if it is shown for that"
out_lacks "write /shown: ok" "which does not make / writable"

# Where the boundary keeps what is shown as "/": shown or granted there, it would be the same place.
for others in "--expose $work/out:/.bvisor-wasm-root:rw" "--expose $work/out:/.bvisor-wasm-root/sub:rw" \
	"--write /.bvisor-wasm-root"; do
	# shellcheck disable=SC2086 # it is two words
	wasm $others --expose "$work/in:/" "$GUEST" write /evil x write /.bvisor-wasm-root/evil x
	refused "is kept for what a WebAssembly guest is shown as /" "nothing else may be there: ${others#"--"}"
	check "and nothing was written" test ! -e in/evil -a ! -e out/evil
done
mkdir low high; chmod 755 low; chmod 777 high; ln -s "$work/high" high.link
wasm --expose "$work/low:$work/high" --write "$work/high.link" "$GUEST" write "$work/high/evil" x
refused "would be shown at one place" "two directories are not shown at one place, whatever link leads there"
check "and neither was written" test ! -e low/evil -a ! -e high/evil

# By whatever name, link or mount it comes: each is refused for where it leads.
ln -s / rootlink; ln -s /proc proclink; ln -s /sys/kernel syslink
for place in rootlink:/ rootlink:/x proclink:/x syslink:/x /proc/self/root:/ /dev:/x; do
	wasm --expose "$place" "$GUEST" read etc/passwd read /etc/passwd read /x/etc/passwd read /x/self/status
	refused "${place%%:*}' cannot be granted to a WebAssembly guest" "a guest is not shown $place"
done
wasm --read rootlink "$GUEST" read "$work/rootlink/etc/passwd"
refused "cannot be granted to a WebAssembly guest: the host's / is in it" "nor is a link to / granted"
wasm --expose in/file:/ "$GUEST" list /
refused "/in/file' is not a directory" "and it is told which file is none"
if [ "$WHO" = root ] && unshare -m true 2>/dev/null; then
	mkdir -p mounted/below
	# `mount` decides what is at mounted/below when the guest is to be shown mounted, or that.
	mounting() { # MOUNT'S ARGUMENTS
		(
			export BVISOR BVISOR_FLAGS BVISOR_LAUNCHER_BIN BVISOR_CACHE
			# shellcheck disable=SC2016 # the inner shell's
			unshare -m sh -c 'guest=$1; shift; mount "$@" mounted/below || exit 9
				for shown in mounted/below mounted; do
					timeout 60 "$BVISOR" wasm $BVISOR_FLAGS --expose "$PWD/$shown:/" "$guest" \
						read etc/passwd read below/etc/passwd read self/status read below/self/status \
						read file read below/file
				done' sh "$GUEST" "$@"
		) >"$out" 2>"$err"
	}
	for args in "--bind /" "--rbind /" "-t proc proc" "-t sysfs sysfs"; do
		# shellcheck disable=SC2086 # a list
		mounting $args
		if grep -q '^mount:' "$err"; then
			skip "a guest is not shown what $args mounts" "no such mount here"
			continue
		fi
		check "a guest is not shown what $args mounts" test "$(grep -c 'cannot be granted to a WebAssembly guest' "$err")" = 2
		check "and ran with none of it ($args)" test ! -s "$out"
	done
	mounting --bind "$work/in"
	out_has "read file: content" "control: another mount may be shown"
	out_has "read below/file: content" "and what it lies in"
else
	skip "a guest is not shown what is mounted" "no mounts for this user"
fi
wasm --write out --read out "$GUEST" write "$work/out/new" text read "$work/out/new"
out_is "write $work/out/new: ok
read $work/out/new: text" "what is granted for both is written and read"
check "and the host sees it" test "$(cat out/new)" = text
wasm --write out "$GUEST" write "$work/out/blind" text read "$work/out/blind"
out_has "write $work/out/blind: ok" "what is granted for writing alone is written"
out_lacks "text" "and not read"
wasm --tmp 1M "$GUEST" write /tmp/x y read /tmp/x
out_has "read /tmp/x: y" "there is a private /tmp where it is asked for"

# Each has its control: the guest can do the act where it is granted, or node's host lets it.
wasm --read in "$GUEST" write "$work/in/file" x trunc "$work/in/file" rm "$work/in/file" \
	rename "$work/in/file" "$work/in/other" link "$work/in/file" "$work/in/hard" write "$work/in/new" x
out_lacks ": ok" "a directory to be read is not written, in any way"
check "and is as it was" test "$(cat in/file)" = content -a ! -e in/new -a ! -e in/other -a ! -e in/hard
report_has "is not granted for writing" "and the attempts are in the report"
wasm --read in --write out --read out "$GUEST" read "$work/secret/file" read "$work/in/link" \
	read "$work/in/../secret/file" read ../secret/file read "$work/out/door/file" read /etc/passwd \
	symlink ../secret/file "$work/out/way" read "$work/out/way" symlink /etc "$work/out/etc" \
	read "$work/out/etc/passwd" write "$work/out/door/new" x rename "$work/out/new" "$work/out/door/moved" \
	link "$work/in/file" "$work/out/hard" list "$work/secret" list / read /proc/self/environ
out_lacks SECRET "no way leads to a file outside"
out_lacks root: "nor to /etc/passwd"
check "and nothing outside was made" test "$(ls secret)" = "file
token
victim"
check "and nothing was linked out of what is to be read" test ! -e out/hard -o "$(stat -c %h in/file)" = 1
report_has "leads out of its directory" "and the attempts are in the report"
report_has '"source":"Guest"' "with who said it"
if command -v node >/dev/null 2>&1; then
	cat >naive.mjs <<'END'
import { WASI } from 'node:wasi'; import fs from 'node:fs';
const wasi = new WASI({ version: 'preview1', args: process.argv.slice(2), env: process.env, preopens: { '/': '/' } });
const instance = await WebAssembly.instantiate(await WebAssembly.compile(fs.readFileSync(process.argv[2])), wasi.getImportObject());
wasi.start(instance);
END
	node --no-warnings naive.mjs "$GUEST" read "$work/secret/file" read "$work/in/link" >"$out" 2>&1
	out_has "read $work/secret/file: SECRET" "control: a host that grants all lets the same guest read it"
else
	skip "control: a host that grants all" "no node"
fi

mkdir results private; chmod 777 results; chmod 700 private
wasm --journal "$work/private/journal.db" --write results --output results "$GUEST" write "$work/results/made" artifact
status 0 "what it leaves can be kept"
report_has '"name":"made"' "and the report has it, with its digest"

mkfifo in/pipe
wasm --wall 5s --read in "$GUEST" read "$work/in/pipe" exit 7
status 7 "a pipe with a name does not hang the guest"
start=$(date +%s)
wasm --wall 500ms "$GUEST" sleep 60000
status 124 "a sleep ends at the wall limit"
check "and not later" test $(($(date +%s) - start)) -le 5
wasm --wall 20s --output-limit 1M "$GUEST" flood 20000000
check "a flood is cut at its limit" test "$(wc -c <"$out")" = 1048576
wasm --memory 64M "$GUEST" grow
out_has "grow: refused after" "memory is refused at its limit, and the guest goes on"
status 0 "to its end"
wasm --wall 2s --read in "$GUEST" read "$work/in/link" spin
status 124 "a loop ends at the wall limit"
report_has "leads out of its directory" "and what it was refused before is in the report"
report_has '"kind":"wasi_calls","detail":"' "with the calls it made"
check "and the fuel that it had used at the last of them" test "$(sed -n 's/.*"wasm_fuel","detail":"atleast\([0-9]*\).*/\1/p' "$work/report.flat")" -gt 0
wasm --storage 100K --write out --read out "$GUEST" write "$work/out/small" x
out_has "ok" "storage within its limit is granted"

wasm --deterministic "$GUEST" time random
cp "$out" first
wasm --deterministic "$GUEST" time random
check "a deterministic run is the same again" cmp -s first "$out"
wasm "$GUEST" time random
check "control: another run is not" test "$(cat first)" != "$(cat "$out")"

wasm --stage --read out --write out --commit never "$GUEST" write "$work/out/staged" x
if grep -q "cannot hold\|overlay" "$err"; then
	skip "staged writes stay apart" "no overlay here"
else
	out_has "staged: ok" "a guest writes to a staged directory"
	check "and the host's is as it was" test ! -e out/staged
fi
finish
