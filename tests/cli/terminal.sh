#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Terminals: never handed over, never obeyed by what the program prints; with --tty a private one.
# PTY is the program of pty.c.
. "$(dirname "$0")/tap.sh"
: "${PTY:?names the program made of pty.c}"

# pty STEP... -- bvisor flags: leaves $status and $out
pty() {
	status=0
	timeout -k 5 60 "$PTY" 31x97 "$@" >"$out" 2>"$err" </dev/null || status=$?
}
b=$BVISOR
f=$BVISOR_FLAGS
esc=$(printf '\033')

# shellcheck disable=SC2086 # BVISOR_FLAGS is a list, everywhere below
pty -- "$b" run $f -- sh -c 'test -t 0 || test -t 1 || test -t 2 || echo no terminal'
out_has "no terminal" "the program gets no terminal of ours"
pty -- "$b" run $f -- sh -c 'cat; echo end of input'
out_has "end of input" "nor our keyboard: its input is empty"
pty "send:typed\n" "sleep:200" "send:\x04" -- "$b" run $f --stdin - -- cat
out_has "typed" "--stdin - relays what is typed"
pty -- "$b" run $f -- sh -c 'echo x >/dev/tty' 2>/dev/null
check "there is no /dev/tty to write to" test "$status" != 0

# Control characters are shown, not obeyed.
pty -- "$b" run $f -- printf 'a\033]0;title\007b\033[2Jc\bd\177e\302\233f\377g\rh\r\ni\tj\303\244\n'
lacks "$out" "$esc" "no escape character reaches the terminal"
out_has 'a^[]0;title^Gb^[[2Jc^Hd^?e<U+009B>f<FF>g^Mh' "they are shown instead"
out_has "$(printf 'i\tjä')" "text and tabs are not"
pty -- "$b" run $f -- sh -c "printf '\\033[31mred\\033[0m' >&2"
lacks "$out" "$esc" "nor on standard error"
pty -- "$b" run $f --raw -- printf 'a\033[1mb\n'
out_has "a$esc[1mb" "--raw lets them through"
run -- printf 'a\033[1mb\r'
check "a pipe gets every byte as it is" test "$(cat "$out")" = "$(printf 'a\033[1mb\r')"
pty -- "$b" run $f --report esc.json -- printf '\033[1m'
check "and so does the report" grep -q '"total_bytes": 4,' esc.json

# --tty
pty -- "$b" run $f --tty -- sh -c 'test -t 0 && test -t 1 && test -t 2 && echo a terminal'
out_has "a terminal" "--tty gives it a terminal"
pty -- "$b" run $f --tty --runtime system -- stty size
out_has "31 97" "of our size"
pty wait:ready size:20x50 wait:resized -- "$b" run $f --tty --runtime system -- \
	sh -c 'trap "stty size; echo resized; exit 0" WINCH; echo ready; while :; do sleep 0.1; done'
out_has "20 50" "that follows ours"
pty wait:ready "send:\x03" wait:interrupted -- "$b" run $f --tty --runtime system -- \
	sh -c 'trap "echo interrupted; exit 7" INT; echo ready; while :; do sleep 0.1; done'
status 7 "Ctrl-C in it is the program's own"
pty wait:ready modes "send:x" wait:got modes -- "$b" run $f --tty --runtime system -- \
	sh -c 'echo ready; stty -icanon -echo; dd bs=1 count=1 2>/dev/null; echo got; sleep 1'
out_has "[raw]" "our terminal is raw meanwhile"
pty wait:done modes -- sh -c "'$b' run $f --tty -- true; echo done; sleep 0.3"
out_has "[cooked]" "and as it was afterwards"
pty wait:ready modes -- sh -c "'$b' run $f --tty --runtime system -- sh -c 'echo ready; sleep 1'; echo back; stty -a"
check "even its flags" grep -q ' icanon' "$out"
pty wait:'$ ' 'send:echo $((6*7)) >/dev/tty\n' wait:42 'send:exit 3\n' -- "$b" run $f --tty --runtime system --env "PS1=\$ " -- sh -i
status 3 "a shell in it is usable"
out_lacks "job control turned off" "with job control"
pty -- "$b" run $f --tty -- printf 'a\033[1mb\n'
out_has "a$esc[1mb" "what it prints there reaches our terminal"
pty wait:up -- sh -c "'$b' run $f --tty --runtime system -- sh -c 'echo up; sleep 30' & p=\$!; sleep 1; kill -TERM \$p; wait \$p; echo; stty -a"
check "a killed run leaves the terminal as it was" grep -q ' icanon' "$out"
printf 'from a pipe\n' | timeout 60 "$b" run $f --tty --runtime system -- sh -c 'read -r line && echo "got $line"' >"$out" 2>"$err"
out_has "got from a pipe" "--tty without a terminal of ours takes a pipe"

# Colour only where it is wanted.
pty -- "$b" plan $f -- true
out_has "$esc[" "plan has colour on a terminal"
pty -- env NO_COLOR=1 "$b" plan $f -- true
out_lacks "$esc[" "and none under NO_COLOR"
bvisor plan -- true
out_lacks "$esc[" "nor in a file"
finish
