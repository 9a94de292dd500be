#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Every flag of bvisor run does what it says.
. "$(dirname "$0")/tap.sh"

mkdir granted outside readable
chmod 777 granted outside
echo inside >granted/file
echo secret >outside/file
cp /bin/true granted/tool

namespaces=yes
case " $BVISOR_FLAGS " in *" --without namespaces "*) namespaces=no ;; esac

# ---- files
run -- cat granted/file
status 1 "nothing is readable that was not granted"
run --read granted -- cat granted/file
out_is inside "--read lets it read"
run --read=granted -- cat "$work/granted/file"
out_is inside "--read=PATH is the same"
run --read granted -- cat outside/file
check "--read of one directory leaves another alone" test "$status" != 0
out_lacks secret "and its content unread"
run --read granted/file -- cat granted/file
out_is inside "--read takes a file"
run --read granted -- sh -c 'echo no >granted/new'
check "--read does not imply --write" test ! -e granted/new
run --write granted -- sh -c "echo yes >$work/granted/new"
check "--write lets it write" grep -qx yes granted/new
run --write granted -- cat "$work/granted/file"
check "--write does not imply --read" test "$status" != 0
run --read granted --write granted --runtime system -- sh -c "$work/granted/tool"
status 126 "neither implies --exec"
run --read granted --exec granted --runtime system -- sh -c "$work/granted/tool"
status 0 "--exec lets it execute"
run --read . -- cat granted/file
out_is inside "it starts where we are, if that is granted"
run --read . --cwd granted -- cat file
out_is inside "--cwd says otherwise"
run --read . -- pwd
out_is "$work" "pwd is the same inside"

if [ $namespaces = yes ]; then
	run --read . --deny outside -- cat outside/file
	check "--deny takes a path out of reach" test "$status" != 0
	out_lacks secret "and hides its content"
	run --read . --deny outside -- cat granted/file
	out_is inside "and leaves the rest"
	run --expose granted:/shown -- cat /shown/file
	out_is inside "--expose shows a path elsewhere"
	run --expose granted:/shown -- sh -c 'echo no >/shown/exposed'
	check "for reading" test ! -e granted/exposed
	run --expose granted:/shown:rw -- sh -c 'echo yes >/shown/exposed'
	check ":rw for writing too" grep -qx yes granted/exposed
	run --tmp 1M -- sh -c 'echo x >/tmp/mine && read -r line </tmp/mine && echo "$line"'
	out_is x "--tmp gives a /tmp"
	check "that is not ours" test ! -e /tmp/mine
	run --tmp 1M -- dd if=/dev/zero of=/tmp/big bs=65536 count=64
	check "and ends where it was told to" test "$status" != 0
	run --tmp 1M:5 -- sh -c 'cd /tmp && : >1 && : >2 && : >3 && : >4 && : >5 && echo five; : >6'
	out_is five "--tmp SIZE:FILES bounds their number"
	check "too" test "$status" != 0
	run --tmp 1M:many -- true
	refused "1M:many" "and takes a number there"
else
	run --tmp 1M -- true
	refused "TempRoot" "--tmp is refused where there is no private /tmp"
	run --expose granted:/shown -- true
	refused "ExposePath" "--expose is refused where a path cannot be shown elsewhere"
fi

run --runtime none -- cat granted/file
check "--runtime none leaves a dynamic program without its libraries" test "$status" != 0
run --runtime system -- sh -c 'ls /usr/bin >/dev/null && id -u >/dev/null'
status 0 "--runtime system lets it use every program"

# ---- process
run --net none -- true
status 0 "--net none is what it is anyway"
run --net example.com:443 -- true
refused "not available yet" "--net HOST:PORT is not available yet"
err_has "--net none" "and says what to do instead"
PLANTED=x run -- env
out_is "" "nothing of the environment is inherited"
PLANTED=x run --env PLANTED -- env
out_is "PLANTED=x" "--env NAME passes ours on"
run --env "A=b c=d" --env EMPTY= -- env
out_is "A=b c=d
EMPTY=" "--env NAME=VALUE sets it"
run --env A=1 --env A=2 -- env
out_is "A=2" "the last --env of a name wins"
run --env NOT_SET_HERE -- true
refused "NOT_SET_HERE" "--env of what is not set is refused"

echo "s3cret value" >token
run --secret TOKEN=token -- env
out_is "TOKEN=s3cret value" "--secret sets a variable to a file's content, without the last newline"
run --secret TOKEN=token --report secret.json -- true
check "which is in no report" sh -c '! grep -q s3cret secret.json'
bvisor run --print-spec --secret TOKEN=token -- true
out_lacks s3cret "and in no spec"
out_has '"SecretLease": "TOKEN"' "where only its name is"
run --secret TOKEN=nosuchfile -- true
refused "nosuchfile" "--secret of a missing file is refused"
printf 'a\0b' >nul
run --secret TOKEN=nul -- true
refused "NUL" "--secret with a NUL byte is refused"
run --secret TOKEN -- true
refused "NAME=FILE" "--secret without a file is refused"

run --spawn processes -- sh -c '(echo spawned)'
out_is spawned "--spawn processes allows one"
run --spawn none -- sh -c '(echo spawned)'
check "--spawn none refuses a process" test "$status" != 0
out_lacks spawned "and it does nothing"
run --spawn threads -- sh -c '(echo spawned)'
out_lacks spawned "--spawn threads refuses a process"
run --spawn some -- true
refused "none, threads, processes" "--spawn of something else is refused"

exec 7<granted/file
run --runtime system -- sh -c 'cat <&7'
out_lacks inside "a descriptor of ours is not inherited"
run --runtime system --fd 7 -- sh -c 'cat <&7'
out_is inside "--fd N passes it on"
exec 7<&-
run --fd 1 -- true
refused "--fd" "--fd of a standard stream is refused"
run --fd 999 -- true
check "--fd of a closed descriptor is refused" test "$status" = 125

# ---- limits: what this machine cannot hold is refused, and never ignored
for limit in "--wall 20s" "--cpu 20s" "--memory 512M" "--processes 64" "--handles 64" "--storage 100M" "--net-bytes 10M"; do
	# shellcheck disable=SC2086 # flag and value
	run $limit -- true
	if [ "$status" = 125 ]; then
		refused "budgets." "$limit is refused, because it cannot be held here"
	else
		status 0 "$limit lets an honest program run"
	fi
done
run --grace 1h --wall 20s -- true
status 0 "--grace lets an honest program run"
run --grace 2h -- true
refused "more than an hour" "--grace of hours is refused"
run --grace soon -- true
refused "--grace: 'soon' is not a duration" "--grace of something else is refused"
many='exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null 7</dev/null 8</dev/null 9</dev/null; echo opened'
run --handles 64 -- sh -c "$many"
out_is opened "--handles of many allows some"
run --handles 6 -- sh -c "$many"
out_lacks opened "--handles of few does not"

run --storage 100 -- true
refused "below 4096" "--storage of less than a page is refused"
run --write granted --storage 1000000T -- true
refused "budgets.storage_bytes" "--storage of more than there is is refused"
run --runtime system --write granted --cwd granted --storage 1M -- sh -c 'head -c 4000000 /dev/zero >much'
check "--storage bounds a file of a granted directory" test "$(stat -c %s granted/much)" -le 1114112
rm -f granted/much
run --runtime system --write granted --cwd granted -- sh -c 'head -c 4000000 /dev/zero >much'
check "which grows without it" test "$(stat -c %s granted/much)" = 4000000
rm -f granted/much
if [ $namespaces = yes ]; then
	run --storage 1M --require enforced --runtime system -- sh -c 'head -c 4000000 /dev/zero >/tmp/much; stat -c %s /tmp/much'
	out_is 1048576 "--storage bounds the private /tmp"
	run --write granted --cwd granted --stage --commit never --storage 1M --require enforced --runtime system -- sh -c 'head -c 4000000 /dev/zero >much; stat -c %s much'
	out_is 1048576 "--storage bounds what is staged, and that is enforced"
	run --write granted --storage 1M --require enforced -- true
	refused "only looked at" "--storage of a granted directory is not enforced"
	run --storage 1M --tmp 2M -- true
	refused "larger than the limit" "--tmp of more than --storage is refused"
fi

# ---- streams
printf 'from a file' >input
run --stdin input -- cat
out_is "from a file" "--stdin FILE is relayed"
run --stdin none -- cat
out_is "" "--stdin none is empty"
run --stdin nosuch -- cat
refused "nosuch" "--stdin of a missing file is refused"
run --stdout o --stderr e -- sh -c 'echo out; echo err >&2'
check "--stdout goes to its file" grep -qx out o
check "--stderr goes to its file" grep -qx err e
out_is "" "and not to ours"
run --stdout /nonexistent/o -- true
refused "/nonexistent/o" "--stdout that cannot be opened is refused"
run --output-limit 5 -- printf 'abcdefghij'
out_is abcde "--output-limit cuts what is passed on"
run --capture-limit 3 --report cut.json -- printf 'abcdefghij'
out_is abcdefghij "--capture-limit does not cut what is passed on"
check "but what is kept" grep -q '"kept_bytes": 3,' cut.json

# ---- how it is held
run --require enforced:NetworkDenyAll -- true
status 0 "--require enforced:KIND admits what is enforced"
run --require enforced:Nonsense -- true
refused "Nonsense" "--require of an unknown kind is refused"
run --require enforced:Filesytem -- true
err_has "did you mean Filesystem?" "and the near one suggested"
run --require mediated -- true
refused "mediated" "--require of something else is refused"
run --without namespaces --require enforced -- true
refused "only Mediated" "what is only mediated is refused under --require enforced"
err_has "Filesystem" "by name"
run --without nonsense -- true
refused "namespaces, netns or landlock" "--without of an unknown layer is refused"
run --without landlock -- true
check "--without landlock runs, or is refused" test "$status" = 0 -o "$status" = 125

# ---- spec and report
bvisor run --print-spec --read granted --env A=1 --wall 9s -- /bin/cat "$work/granted/file"
cp "$out" spec.json
status 0 "--print-spec runs nothing and succeeds"
run --spec spec.json
out_is inside "--spec runs what the spec names"
run --spec spec.json -- env
out_is "A=1" "a program on the command line comes before that of the spec"
run --env B=2 --spec spec.json -- env
out_is "A=1
B=2" "other flags add to a spec, wherever they stand"
bvisor run --print-spec --spec spec.json
check "a spec printed again is the same" cmp -s "$out" spec.json
sed 's/"capabilities"/"capabilites"/' spec.json >typo.json
run --spec typo.json
refused "capabilites" "a spec with an unknown key is refused"
err_has "capabilities" "and the near one suggested"
echo '{' >broken.json
run --spec broken.json
refused "broken.json" "a spec that is no JSON is refused"
run --spec nosuch.json -- true
refused "nosuch.json" "a missing spec is refused"

run --report r.bin -- true
check "--report FILE is canonical" sh -c 'head -c1 r.bin | od -An -tx1 | grep -q 82'
run --report r.json -- true
check "--report FILE.json is JSON" sh -c 'head -c1 r.json | grep -q "{"'
run --json -- true
check "--json without --report goes to standard error" grep -q '"body_hash"' "$err"
out_is "" "and not to standard output"
run --report /nonexistent/r -- sh -c "echo ran >$work/ran"
refused "/nonexistent/r" "--report that cannot be written is refused"
run --report granted --write granted -- sh -c "echo ran >$work/granted/ran"
check "--report onto a directory is refused before anything runs" test ! -e granted/ran

# ---- sets of system calls
run --syscalls strict --report strict.json -- sh -c 'echo calls'
status 0 "--syscalls strict runs a program"
out_is "calls" "which works"
check "and the report says so" grep -q 'launcher+seccomp_strict' strict.json
run --syscalls baseline --report baseline.json -- true
check "--syscalls baseline is what there is without it" grep -q 'launcher+seccomp_baseline' baseline.json
run --syscalls loose -- true
refused "neither baseline nor strict" "a set that is none is refused"
bvisor plan --syscalls strict -- true
out_has "launcher+seccomp_strict" "plan names the set"
bvisor run --syscalls strict --print-spec -- true
out_has '"syscalls": "Strict"' "and --print-spec writes it"
run --backend inert --spec "$top/inert.json" --syscalls strict -- true
refused "filters no system calls" "a backend without a filter refuses it"

# ---- what is not there yet says so
for flag in "--profile p"; do
	# shellcheck disable=SC2086 # flag and value
	run $flag -- true
	refused "not available yet" "$flag is not available yet"
done
finish
