#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# How bvisor run ends: always as its program did, or with a code that says why not.
. "$(dirname "$0")/tap.sh"

for code in 0 1 2 42 123 124 125 126 127 128 200 255; do
	run -- sh -c "exit $code"
	status $code "exit code $code comes back"
done
for signal in 1 2 3 4 6 7 8 9 10 11 12 13 14 31 15 24 25; do
	run -- sh -c "kill -$signal \$\$"
	status $((128 + signal)) "signal $signal comes back as $((128 + signal))"
done
err_is "" "a program killed by its own signal needs no word of ours"

run --wall 200ms -- sleep 20
status 124 "the wall limit is 124"
err_has "was stopped at the wall limit of 200 ms" "and is said"
run --quiet --wall 200ms -- sleep 20
status 124 "the wall limit is 124 when quiet too"
err_is "" "and quiet is quiet"

run --wall 20s --cpu 200ms -- sh -c 'while :; do :; done'
status 137 "the cpu limit is 137"
err_has "was stopped at the cpu limit of 200 ms (used " "and is said, with what was used"
run --wall 20s --memory 64M -- sh -c 'x=x; while :; do x=$x$x; done'
status 137 "the memory limit is 137"
err_has "was stopped at the memory limit of 64 MiB (used " "and is said, with what was used"
run --wall 200ms --grace 20s -- sh -c 'trap "echo cleaned; exit 0" TERM; while :; do sleep 0.05; done'
status 124 "the wall limit is 124, however the program ends in its grace"
out_is cleaned "and it can clean up"
err_has "was stopped at the wall limit of 200 ms, and exited with code 0" "and how it ended is said"
run --wall 20s --cpu 200ms --grace 20s -- sh -c 'trap "exit 0" TERM; while :; do :; done'
status 137 "the cpu limit is 137, however the program ends in its grace"

run -- nosuch-program
status 127 "a program that is not in PATH is 127"
err_has "nosuch-program: not found in PATH" "and is named"
err_has "remedy: " "with a remedy"
run -- ./nosuch
status 127 "a path that does not exist is 127"
run -- ""
status 127 "an empty name is 127"

echo 'echo hi' >plain
run -- ./plain
status 126 "a file without execute permission is 126"
err_has "chmod +x" "and says how to mend it"
run -- "$work"
status 126 "a directory is 126"
err_has "is a directory" "and said to be one"

printf '\001\002\003\004' >garbage
chmod 755 garbage
run -- ./garbage
status 126 "what is no program is 126"
err_has "neither a program for this machine nor a script" "and says what it is not"
printf '#!/no/such/interpreter\n' >orphan
chmod 755 orphan
run -- ./orphan
status 126 "a script without its interpreter is 126"
err_has "interpreter" "and says what is missing"
printf '#!/bin/sh\necho from "$0"\n' >script
chmod 755 script
run --read . -- ./script
status 0 "a script with its interpreter runs"
out_is "from $work/script" "and knows its name"

run --read /nonexistent -- true
refused "/nonexistent" "a root that does not exist is refused by name"
bvisor run
refused "no program" "no program is refused"
bvisor run --backend nosuch -- true
refused "nosuch" "an unknown backend is refused"
bvisor frobnicate
refused "frobnicate" "an unknown command is refused"
bvisor learn x
refused "not available yet" "a command to come is refused as such"

BVISOR_LAUNCHER_BIN=$work/nowhere run -- true
status 125 "a missing launcher is 125"
check "and is said with a remedy" grep -q "remedy: " "$err"
finish
