#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# What cannot be meant is refused: one sentence that says where, what is wrong, how to mend it.
. "$(dirname "$0")/tap.sh"

# FLAG VALUE: refused, and the flag is named
bad() {
	run "$1" "$2" -- true
	refused "$1" "$1 '$2' is refused"
}

for flag in --memory --storage --net-bytes --tmp --output-limit --capture-limit; do
	for value in "" x -1 1.5G 10X 99999999999999999999 99999999T "1 G" 0x10; do
		bad "$flag" "$value"
	done
done
for flag in --wall --cpu; do
	for value in "" 10 x -1s 1.5s 10sec 99999999999999999999s 99999999999999h; do
		bad "$flag" "$value"
	done
done
for flag in --processes --handles --fd; do
	for value in "" x -1 1.5 1K 99999999999999999999; do
		bad "$flag" "$value"
	done
done
bad --runtime everything
bad --runtime ""
bad --spawn ""
bad --env ""
bad --env =x
bad --secret =x
bad --read ""
bad --read /no/../such
bad --exec ""
bad --deny ""
bad --cwd ""
bad --expose granted
bad --expose .:relative
bad --expose .:
bad --report ""
bad --spec ""

for flag in --read --wall --env --report; do
	bvisor run $flag -- true
	refused "$flag: its value is missing" "$flag without a value before -- is refused"
	bvisor run $flag
	refused "$flag: its value is missing" "$flag at the end is refused"
done
bvisor run --json=yes -- true
refused "takes no value" "a switch with a value is refused"

# Unknown flags: the near one is suggested.
near() { # WRITTEN MEANT
	run "$1" -- true
	refused "$1" "$1 is refused"
	err_has "did you mean $2?" "and $2 suggested"
}
near --raed --read
near --wirte --write
near --memroy --memory
near --envv --env
near --timeout --wall
near --allow-read --read
near --allow-net --net
near --volume --expose
near --workdir --cwd
near -it --tty
near -v --read
near --proc --processes
near --cap --capture-limit
run --frobnicate-everything -- true
refused "--frobnicate-everything" "a flag like none of ours is refused"
err_has "--help" "and --help named"
err_lacks "did you mean" "without a guess"

# Control characters of others never reach the terminal through a message.
run --read "$(printf 'a\033[31mb')" -- true
check "an escape sequence in an argument is not passed on" sh -c "! grep -q '$(printf '\033')' '$err'"
run -- "$(printf 'x\033]0;title\007y\nz')"
check "nor in a program's name" sh -c "! grep -q '$(printf '\033')' '$err'"
check "which stays on its line" test "$(wc -l <"$err")" = 2

long=$(head -c 5000 /dev/zero | tr '\0' a)
run --read "/$long" -- true
refused "--read" "a path longer than any can be is refused"
run --env "$long=x" -- true
check "a very long name passes or is refused, but does not crash" test "$status" = 0 -o "$status" = 125

bvisor report
refused "report show" "report alone is refused"
bvisor report show
refused "0 files" "report show without a file is refused"
bvisor report show a b
refused "2 files" "report show of two files is refused"
bvisor doctor now
refused "'now'" "doctor takes no operand"
bvisor
check "no command prints the usage on standard error" grep -q "^Usage: " "$err"
status 125 "and is 125"
finish
