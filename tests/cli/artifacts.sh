#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# --output, --delta, --keep-output and `bvisor artifacts`: what a run left, and what becomes of it.
. "$(dirname "$0")/tap.sh"

b=$BVISOR
f=$BVISOR_FLAGS
j=$scratch/journal/j.db
newline='
'

mkdir in in/out dest elsewhere
chmod 777 in in/out dest elsewhere
usual="--journal $j --read in --write in --cwd in --runtime system --output in/out"

newest() {
	"$b" journal ls --journal "$j" --json | sed -n 's/.*"attempt":"\([0-9a-f]*\)".*/\1/p' | head -1
}
blob() { # the file that holds these bytes
	for kept in "$j".blobs/*; do
		[ "$(cat "$kept")" = "$1" ] && echo "$kept"
	done
}

# ---- left, listed, read
# shellcheck disable=SC2086 # a list
run $usual --keep-output --report r.json -- sh -c 'echo said; echo alpha >out/a; mkdir out/d; echo beta >out/d/b'
status 0 "a program leaves artifacts"
out_is said "its output is passed on as ever"
id=$(newest)
err_has "2 artifacts kept: bvisor artifacts ls $(echo "$id" | cut -c1-12)" "what was kept is counted, and where to look is said"
check "the report names them" grep -q '"name": *"d/b"' r.json
digest=$("$b" artifacts ls --journal "$j" --json "$id" | sed -n 's/.*"content_hash":"\([0-9a-f]*\)".*"name":"a".*/\1/p')
check "with their digests" grep -q "$digest" r.json
check "whose file is there, the owner's alone" test "$(stat -c %a "$j.blobs/$digest")" = 600
check "in a directory that is too" test "$(stat -c %a "$j.blobs")" = 700
bvisor artifacts ls --journal "$j"
out_has "d/b" "ls lists what is undecided"
out_lacks "/stdout" "and not captured output"
bvisor artifacts ls "$id" --journal "$j"
out_has "/stdout" "of one attempt, captured output too"
bvisor artifacts show "$id" a --journal "$j"
out_is alpha "show writes an artifact"
bvisor artifacts show "$id" /stdout --journal "$j"
out_is said "and captured output"
bvisor artifacts show "$id" c --journal "$j"
refused "left no artifact 'c'" "show of what is not there is refused"
bvisor journal verify --journal "$j"
status 0 "the journal verifies"
out_has "files kept beside it, each read: 3" "with all that is kept beside it"
err_lacks "verifying [" "and without a terminal nothing else is said"
timeout -k 5 60 "$PTY" 24x100 -- "$b" journal verify --journal "$j" >"$out" 2>"$err" </dev/null
out_has "verifying [####" "on a terminal a bar shows how far it is"
out_has "$(printf '\033[K')verified: " "and is wiped at the end"
run --output in/out --write in --runtime system -- true
refused "kept beside a journal, and there is none" "without a journal nothing can be left"
run --journal "$j" --output elsewhere --write in --runtime system -- true
refused "may not write there" "nor where the program may not write"
run --journal "$j" --delta --write in --runtime system -- true
refused "nothing is kept apart to compare" "a delta needs staging"

# ---- committed
bvisor artifacts commit "$id" --journal "$j"
refused "committed with --to DIR" "commit wants a directory"
bvisor artifacts commit "$id" --journal "$j" --to missing
refused "cannot be committed to" "that is there"
echo mine >dest/a
bvisor artifacts commit "$id" --journal "$j" --to dest
refused "there is a 'a' already" "what is there does not give way"
check "and nothing was committed" test "$(cat dest/a)" = mine -a ! -e dest/d
bvisor artifacts commit "$id" d/b --journal "$j" --to dest
status 0 "one by its name is committed"
check "to its place" test "$(cat dest/d/b)" = beta -a "$(cat dest/a)" = mine
bvisor artifacts commit "$id" --journal "$j" --to dest --replace --json
check "--replace lets files give way" test "$(cat dest/a)" = alpha
out_has '"state":"Committed"' "and --json tells"
bvisor artifacts commit "$id" --journal "$j" --to dest
refused "nothing that is undecided" "what is decided is decided"
bvisor journal show "$id" --json --journal "$j"
for kind in kept decision disposition; do
	out_has "\"kind\":\"$kind\"" "the journal has a record '$kind'"
done
bvisor journal verify --journal "$j"
status 0 "and verifies"

# ---- discarded, collected
# shellcheck disable=SC2086 # a list
run $usual -- sh -c 'rm -r out/*; echo gamma >out/g; echo delta >out/h'
id=$(newest)
kept=$(blob gamma)
bvisor artifacts discard "$id" g --journal "$j"
check "discard removes the bytes" test "$status" = 0 -a ! -e "$kept"
bvisor artifacts show "$id" g --journal "$j"
refused "was discarded" "and says so later"
bvisor journal gc --until 2999-01-01 --journal "$j"
check "gc leaves what nobody decided about" test -n "$(blob delta)"
check "and removes what was decided" test -z "$(blob alpha)"
bvisor artifacts discard "$id" --journal "$j" --quiet
check "discard --quiet says nothing" test "$status" = 0 -a ! -s "$out"
bvisor journal verify --journal "$j"
status 0 "the journal verifies after all that"

# ---- altered
# shellcheck disable=SC2086 # a list
run $usual -- sh -c 'rm -r out/*; echo gamma >out/g'
id=$(newest)
kept=$(blob gamma)
cp "$kept" good
printf 'gamm_\n' >"$kept"
bvisor journal verify --journal "$j"
status 1 "altered bytes do not verify"
err_has "were altered" "and the message says what"
bvisor artifacts show "$id" g --journal "$j"
status 1 "they are not shown"
out_is "" "not even in part"
bvisor artifacts commit "$id" --journal "$j" --to elsewhere
check "nor committed" test "$status" != 0 -a ! -e elsewhere/g
rm "$kept"
bvisor journal verify --journal "$j"
status 1 "missing bytes do not verify"
cp good "$kept"
chmod 600 "$kept"
bvisor journal verify --journal "$j"
status 0 "restored ones do (control)"
bvisor artifacts commit "$id" --journal "$j" --to elsewhere
check "and are committed" test "$(cat elsewhere/g)" = gamma
bvisor artifacts discard "$id" g --journal "$j"
status 0 "what was committed may lose its kept bytes"
check "and stays where it went" test "$(cat elsewhere/g)" = gamma

# ---- hostile names and things
rm -rf in/out elsewhere
mkdir in/out elsewhere
chmod 777 in/out elsewhere
echo outside >in/outside
mkfifo in/out/fifo
ln -s /etc/hostname in/out/link
ln in/outside in/out/linked
# shellcheck disable=SC2016,SC2086 # the inner shell's; a list
run $usual -- sh -c '
	cd out
	echo x >"$(printf "esc\033[31m\nline")"
	echo x >"$(printf "turn\342\200\256gnp.exe")"
	echo x >"$(printf "bad\377name")"
	echo x >-rf
	echo y >one; ln one same
	truncate -s 3G huge
	truncate -s 50M sparse
	ln -s ../outside inner
'
status 0 "a hostile program leaves things"
err_has "link: a symbolic link" "links are left out"
err_has "inner: a symbolic link" "whatever they lead to"
err_has "fifo: a device, FIFO or socket" "FIFOs are left out"
err_has "linked: it has a name elsewhere too" "a second name for a file outside is left out"
err_has "huge: more than is kept" "more than the limit is left out"
err_has "name is not UTF-8" "a name nobody can write is left out"
err_lacks "$(printf '\033')" "no control character reaches the terminal"
id=$(newest)
bvisor artifacts ls "$id" --journal "$j"
out_has "same" "two names in the directory are two artifacts"
out_has "esc" "a name with control characters is listed"
out_lacks "$(printf '\033')" "without any"
out_lacks "$(printf '\342\200\256')" "nor marks that turn the writing"
check "one line each" test "$(grep -c . "$out")" = 7
bvisor artifacts commit "$id" --journal "$j" --to elsewhere
status 0 "they can all be committed"
check "under their own names" test "$(cat "elsewhere/esc$(printf '\033')[31m${newline}line")" = x -a "$(cat elsewhere/-rf)" = x
check "holes stay holes" test "$(du -k elsewhere/sparse | cut -f1)" -lt 1000
check "nothing else is there" test "$(find elsewhere -mindepth 1 | tr -cd '/' | wc -c)" = 6

# ---- a destination that leads elsewhere
rm -rf in/out/*
# shellcheck disable=SC2086 # a list
run $usual -- sh -c 'mkdir out/d; echo beta >out/d/b'
id=$(newest)
mkdir trap victim
ln -s "$work/victim" trap/d
bvisor artifacts commit "$id" --journal "$j" --to trap
refused "cannot look at" "a link inside the destination is not followed"
check "and nothing went through it" test -z "$(ls victim)"
rm trap/d
bvisor artifacts commit "$id" --journal "$j" --to trap
check "without the link it goes (control)" test "$(cat trap/d/b)" = beta

# ---- somebody else rearranges the directory while it is looked through
rm -rf in/out/*
mkdir secret in/out/d
echo "nobody's business" >secret/x
chmod 700 secret
(while :; do
	mv in/out/d in/out/.aside && ln -s "$work/secret" in/out/d
	rm -f in/out/d && mv in/out/.aside in/out/d
	echo $$ >in/out/changing
	head -c 300000 /dev/zero >>in/out/changing
done) 2>/dev/null &
racer=$!
for _ in 1 2 3 4 5 6; do
	# shellcheck disable=SC2086 # a list
	run $usual -- sh -c 'echo x >out/steady; true'
done
kill $racer
wait $racer 2>/dev/null
check "links put in its way are never followed" test -z "$(blob "nobody's business")"
bvisor journal verify --journal "$j"
status 0 "and what was kept is what its digest says"
rm -rf in/out/*
ln -s "$work/secret" in/out/d
check "a reader that follows links does see it (control)" grep -q business in/out/d/x
rm -rf in/out/*

# ---- out of the program's reach
run --journal "$j" --runtime system --read "$scratch/journal" --write in -- ls "$j.blobs"
check "no program reaches what is kept" test "$status" != 0 -a ! -s "$out"
check "which is there (control)" test -n "$(ls "$j.blobs")"

# ---- caps
rm -rf in/out/*
# shellcheck disable=SC2086 # a list
run $usual --output-size 10 --report r.json -- sh -c 'echo 12345 >out/a; echo 12345 >out/b'
err_has "1 artifact kept" "--output-size bounds all of them together"
err_has "b: more than is kept" "and the rest is named"
check "the report says so too" grep -q '"cause": *"Limit"' r.json
# shellcheck disable=SC2086 # a list
run $usual -- sh -c 'i=0; while [ $i -lt 4200 ]; do : >out/n$i; i=$((i + 1)); done'
err_has "4096 artifacts kept" "more files than a report holds are left out"

case " $f " in *" --without namespaces "*)
	finish
	;;
esac

# ---- with staging nothing of it is on the host
rm -rf in/out
# shellcheck disable=SC2086 # a list
run $usual --stage --commit never --delta --report r.json -- sh -c 'mkdir out; echo gamma >out/g; echo changed >outside'
if grep -q "cannot be staged\|overlay" "$err"; then
	skip "artifacts of a staged run" "this machine cannot stage"
	finish
fi
err_has "1 artifact kept" "artifacts of a staged run are kept"
check "and not on the host" test ! -e in/out
check "the report lists what changed" grep -q '"path": *"[^"]*in/out/g"' r.json
check "with digests" test "$(sed -n '/"delta"/,$p' r.json | grep -c '"content_hash"')" = 2
bvisor artifacts commit "$(newest)" --journal "$j" --to elsewhere --replace
check "until they are committed" test "$(cat elsewhere/g)" = gamma
bvisor journal verify --journal "$j"
status 0 "the journal verifies at the end"
finish
