#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Whole runs whose journal is on a disk that is full, filled by the program, out of files, or read-only: either
# nothing runs and the reason is told, or the report the caller has is the one in the journal.
if [ -z "${BVISOR_OWN_MOUNTS-}" ] && unshare -m true 2>/dev/null; then
	BVISOR_OWN_MOUNTS=1
	export BVISOR_OWN_MOUNTS
	exec unshare -m sh "$0"
fi
. "$(dirname "$0")/tap.sh"
disk=$work/disk
j=$disk/j/j.db
mkdir "$disk" private
chmod 777 private # the program may be another user
if ! mount -t tmpfs -o size=3m,mode=0755 none "$disk" 2>/dev/null; then
	echo "1..0 # SKIP no small disk can be mounted here"
	exit 0
fi
umount "$disk"

recorded=0 refused=0 ran=0 reasons=
# What is wrong with a run that is over, or nothing.
look() {
	bvisor_status=$status
	left=$(df -k --output=avail "$disk" | tail -1)
	rm -f "$disk/filler" "$disk/w/fill"
	"$BVISOR" journal ls --journal "$j" --json >listed 2>/dev/null || [ ! -e "$j" ] || [ "$bvisor_status" = 125 ] || echo "the journal cannot be listed"
	if [ -e private/of.report ]; then
		id=$("$BVISOR" journal ls --journal "$j" --json --last 1 | sed -n 's/.*"attempt":"\([0-9a-f]*\)".*/\1/p')
		"$BVISOR" journal show "$id" --journal "$j" --report private/recorded.report 2>/dev/null
		cmp -s private/of.report private/recorded.report || echo "the caller has a report that is not in the journal ($left KiB were left)"
		"$BVISOR" journal verify --journal "$j" --quiet || echo "the journal does not verify"
	elif [ -e private/marker ]; then
		echo "it ran, and there is no report ($left KiB were left)"
	elif [ "$bvisor_status" != 125 ] || ! grep -q remedy "$err"; then
		echo "it was refused with $bvisor_status and without a remedy"
	fi
}
one() { # OPTIONS-FOR-tmpfs MADE-BEFORE KIB-LEFT SCRIPT [FLAG...]: mounts, fills, runs, looks
	mount -t tmpfs -o "mode=0755,$1" none "$disk"
	mkdir "$disk/j" "$disk/w" "$disk/w/out"
	chmod 777 "$disk/w" "$disk/w/out"
	rm -f private/*
	[ "$2" = 0 ] || run --journal "$j" --runtime system -- true
	left=$3 script=$4
	shift 4
	free=$(df -k --output=avail "$disk" | tail -1)
	[ "$left" = all ] || head -c $((free - left))k /dev/zero >"$disk/filler"
	run --journal "$j" --runtime system --write private --write "$disk/w" --report private/of.report "$@" -- sh -c "$script"
	found=$(look)
	if [ -e private/of.report ]; then recorded=$((recorded + 1)); else
		refused=$((refused + 1))
		reasons=$(printf '%s\n%s' "$reasons" "$(head -1 "$err")")
	fi
	[ ! -e private/marker ] || ran=$((ran + 1))
	umount "$disk"
	[ -z "$found" ] || echo "# $left KiB left: $found" >>"$scratch/wrong"
}
all_is_well() {
	if [ -e "$scratch/wrong" ]; then
		cat "$scratch/wrong"
		rm "$scratch/wrong"
		return 1
	fi
}

for before in 0 1; do
	recorded=0 refused=0 ran=0 reasons=
	for left in 0 4 8 16 28 40 60 80 100 140 180 240 264 280 300 312 324 360 396 408 420 480 560 700 900; do
		one size=3m $before $left "echo ran >$work/private/marker"
	done
	what=$([ $before = 0 ] && echo "a journal that is not there yet" || echo "a journal that is there")
	check "a full disk, and $what: no report is lost, and none is told of that is not recorded" all_is_well
	check "some ran and some were refused (control)" test $ran -gt 2 -a $refused -gt 2
	check "and every refusal says what is full" test -z "$(printf '%s' "$reasons" | grep . | grep -v 'No space left\|is full')"
done
recorded=0
for _ in 1 2 3; do
	one size=3m 1 all "echo ran >$work/private/marker; head -c 4m /dev/zero >$disk/w/fill; exit 3"
done
check "a program that fills the disk of the journal does not keep its report from it" all_is_well
check "which it did fill, each time" test $recorded = 3
one size=3m 1 all "echo kept; head -c 4m /dev/zero >$disk/w/out/fill; exit 3" --keep-output --output "$disk/w/out"
check "nor when there is no room for what it left" all_is_well
err_has "what it left is not kept" "and that is told"
for files in 4 5 6 7 8 9 10 11 12 13; do
	one size=3m,nr_inodes=$files 0 all "echo ran >$work/private/marker"
done
check "without room for another file it is the same" all_is_well

# ---- read-only
mount -t tmpfs -o size=3m,mode=0755 none "$disk"
run --journal "$j" --runtime system -- true
mount -o remount,ro "$disk"
rm -f private/*
run --journal "$j" --runtime system --write private -- sh -c "echo ran >$work/private/marker"
refused "journal" "a disk that cannot be written refuses the run"
check "and nothing ran" test ! -e private/marker
bvisor journal verify --journal "$j"
status 0 "what is on it is read"
umount "$disk"
finish
