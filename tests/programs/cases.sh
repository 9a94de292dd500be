# SPDX-License-Identifier: MIT OR Apache-2.0
# The programs, one function each; sourced by run, which says what the words mean.
# shellcheck shell=sh disable=SC2086,SC2154 # $grants and $scratch are flags; $W, $C and others come from run

# ---- shells and what they are glued from --------------------------------------------------------------

case_sh_pipeline() {
	confined --runtime system -- sh -c 'printf "%s\n" c a b a | sort -u | tr a-z A-Z | paste -sd,'
	status_is 0
	says A,B,C
	quiet
}

case_bash_process_substitution() {
	need bash || return
	confined --runtime system -- bash -c 'diff <(printf "1\n2\n") <(printf "1\n3\n"); a=(x y z); echo ${#a[@]}'
	status_is 0
	says "$(printf '2c2\n< 2\n---\n> 3\n3')"
	quiet
}

case_script_with_shebang() {
	printf '#!/bin/sh\necho "$0 got $# arguments: $*"\nexit 7\n' >"$W/script"
	chmod 755 "$W/script"
	# Its interpreter is no grant of the caller's: who may run a script may run what it names.
	confined --read "$W/script" -- "$W/script" one 'two three'
	status_is 7
	says "$W/script got 2 arguments: one two three"
	quiet
}

case_script_with_env_shebang() {
	printf '#!/usr/bin/env python3\nimport sys\nprint(sys.argv[1:])\n' >"$W/script"
	chmod 755 "$W/script"
	confined --runtime system --read "$W" -- "$W/script" a b
	status_is 0
	says "['a', 'b']"
	quiet
}

case_environment_is_exact() {
	confined --runtime system --env GREETING=hello -- env
	status_is 0
	sort "$C/got" >"$C/sorted"
	printf 'GREETING=hello\nPATH=/usr/bin:/bin\n' >"$C/wanted"
	same "other variables than those named" "$C/sorted" "$C/wanted"
}

case_awk_sed_sort_big() {
	cat >"$W/work.sh" <<-'END'
		set -e
		awk 'BEGIN { x = 1; for (i = 0; i < 300000; i++) { x = (x * 16807) % 2147483647; print x, "line", i } }' >numbers
		sort -n -S 4M -o sorted numbers
		sed -n '/7 line/s/line/LINE/p' sorted | awk '{ sum += $1 % 1000; n++ } END { print n, sum }'
	END
	plain sh work.sh
	mkdir "$C/plain"
	mv "$W/numbers" "$W/sorted" "$C/plain/"
	confined --runtime system $grants $scratch -- sh work.sh
	status_is 0
	same "another result than without bvisor" "$C/out" "$C/got"
	same "numbers differ" "$C/plain/numbers" "$W/numbers"
	same "sorted differs" "$C/plain/sorted" "$W/sorted"
	owned
}

case_gzip_and_xz() {
	need gzip xz || return
	head -c 3000000 /dev/zero | tr '\0' 'z' >"$W/plain"
	head -c 1000000 /dev/urandom >>"$W/plain"
	cp "$W/plain" "$C/plain"
	confined --runtime system $grants -- \
		sh -c 'gzip -k plain && xz -c plain >plain.xz && rm plain && gzip -dc plain.gz >from-gz && xz -dc plain.xz >from-xz'
	status_is 0
	same "gzip's round trip" "$C/plain" "$W/from-gz"
	same "xz's round trip" "$C/plain" "$W/from-xz"
	holds "gzip outside reads what was packed inside" gzip -t "$W/plain.gz"
	lacks "the file removed inside is still there" test -e "$W/plain"
	owned
}

case_tar_keeps_permissions() {
	mkdir -p "$W/tree/folder/deep"
	echo one >"$W/tree/one"
	echo two >"$W/tree/folder/two"
	chmod 640 "$W/tree/one"
	chmod 751 "$W/tree/folder"
	chmod 755 "$W/tree/folder/two"
	ln -s folder/two "$W/tree/link"
	ln "$W/tree/one" "$W/tree/hard"
	touch -d '2020-02-02 02:02:02 UTC' "$W/tree/one"
	confined --runtime system $grants -- sh -c 'tar -cf tree.tar tree && mkdir out && tar -xpf tree.tar -C out'
	status_is 0
	quiet
	list() { (cd "$1" && find . -printf '%P %y %m %s %l %n\n' | grep -v '^tmp' | sort); }
	list "$W/tree" | sed 's/^ d [0-9]* [0-9]*/ d/' >"$C/wanted"
	list "$W/out/tree" | sed 's/^ d [0-9]* [0-9]*/ d/' >"$C/listed"
	same "what came out of the archive: $(diff "$C/wanted" "$C/listed" | head -5 | tr '\n' ';')" "$C/wanted" "$C/listed"
	same "content" "$W/tree/folder/two" "$W/out/tree/folder/two"
	holds "the time was kept" test "$(stat -c %Y "$W/out/tree/one")" = 1580608922
	holds "tar outside reads the archive" tar -tf "$W/tree.tar"
	owned
}

# ---- languages -------------------------------------------------------------------------------------------

case_python_threads() {
	cat >"$W/threads.py" <<-'END'
		import hashlib, queue, threading
		todo, done, lock, total = queue.Queue(), queue.Queue(), threading.Lock(), 0
		def worker():
		    global total
		    while (item := todo.get()) is not None:
		        digest = hashlib.sha256(bytes([item]) * 1000000).hexdigest()
		        with lock:
		            total += item
		        done.put((item, digest[:8]))
		workers = [threading.Thread(target=worker) for _ in range(8)]
		[w.start() for w in workers]
		[todo.put(n) for n in range(1, 65)]
		[todo.put(None) for _ in workers]
		[w.join() for w in workers]
		print(total, len({done.get()[0] for _ in range(done.qsize())}))
	END
	confined --spawn threads --read "$W" -- /usr/bin/python3 "$W/threads.py"
	status_is 0
	says "2080 64"
	quiet
}

case_python_subprocess() {
	cat >"$W/children.py" <<-'END'
		import asyncio, os, subprocess
		print(subprocess.run(["tr", "a-z", "A-Z"], input="shout", text=True, capture_output=True, check=True).stdout)
		print(subprocess.run(["sh", "-c", "exit 9"]).returncode, subprocess.run(["sh", "-c", "kill -9 $$"]).returncode)
		async def many():
		    made = [await asyncio.create_subprocess_exec("printf", str(n), stdout=subprocess.PIPE) for n in range(10)]
		    return [(await child.communicate())[0].decode() for child in made]
		print("".join(asyncio.run(many())))
		pid = os.fork()
		if pid == 0:
		    os._exit(5)
		print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
	confined --runtime system --spawn processes --read "$W" -- /usr/bin/python3 -u "$W/children.py"
	status_is 0
	says "$(printf 'SHOUT\n9 -9\n0123456789\n5')"
	quiet
}

case_python_multiprocessing() {
	cat >"$W/pool.py" <<-'END'
		import multiprocessing
		def square(n):
		    return n * n
		if __name__ == "__main__":
		    with multiprocessing.Pool(3) as pool:
		        print(sum(pool.map(square, range(100))))
		    shared = multiprocessing.Value("i", 41)
		    with shared.get_lock():
		        shared.value += 1
		    print(shared.value)
	END
	# Its locks are files below /dev/shm: private where there are namespaces, else to be granted.
	if [ "$world" = bare ]; then
		confined --runtime system --read "$W" --read /dev/shm --write /dev/shm $scratch --write "$W/tmp" -- \
			/usr/bin/python3 "$W/pool.py"
	else
		confined --runtime system --read "$W" -- /usr/bin/python3 "$W/pool.py"
	fi
	status_is 0
	says "$(printf '328350\n42')"
}

case_python_sqlite3() {
	cat >"$W/base.py" <<-'END'
		import sqlite3
		base = sqlite3.connect("base.sqlite")
		print(base.execute("pragma journal_mode=wal").fetchone()[0])
		base.execute("create table entry(n integer primary key, word text)")
		with base:
		    base.executemany("insert into entry values(?, ?)", ((n, "word%d" % n) for n in range(20000)))
		other = sqlite3.connect("base.sqlite")
		print(other.execute("select count(*), sum(n) from entry where word like '%9'").fetchone())
		base.execute("delete from entry where n % 2"); base.commit(); base.execute("vacuum"); base.close(); other.close()
	END
	confined $grants -- /usr/bin/python3 base.py
	status_is 0
	says "$(printf 'wal\n(2000, 20008000)')"
	quiet
	holds "the database outside has what was written inside" /usr/bin/python3 -c "
import sqlite3
base = sqlite3.connect('file:$W/base.sqlite?mode=ro', uri=True)
assert base.execute('pragma integrity_check').fetchone() == ('ok',)
assert base.execute('select count(*), min(n), max(n) from entry').fetchone() == (10000, 0, 19998)"
	owned
}

case_call_outside_the_strict_set() {
	cat >"$W/batch.py" <<-'END'
		import os
		for _ in range(2):
		    try:
		        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
		        print("scheduled")
		    except PermissionError:
		        print("refused")
	END
	misses=sched_setscheduler
	confined --read "$W" --report "$C/report.json" -- /usr/bin/python3 "$W/batch.py"
	status_is 0
	if [ "$syscalls" = strict ]; then
		says "$(printf 'refused\nrefused')"
		reported "who was refused, and how often" \
			'[d["count"] for d in body["denied"] if d["detail"].startswith("sched_setscheduler ")] == [2]'
		reported "which set was in force" 'any(f["kind"] == "syscalls" and f["detail"].startswith("strict") for f in body["observed"])'
	else
		says "$(printf 'scheduled\nscheduled')"
		reported "nobody was refused" 'not any(d["detail"].startswith("sched_") for d in body["denied"])'
		reported "which set was in force" 'any(f["kind"] == "syscalls" and f["detail"].startswith("baseline") for f in body["observed"])'
	fi
}

case_perl() {
	need perl || return
	cat >"$W/count.pl" <<-'END'
		use strict; use warnings; use POSIX qw(floor);
		my %seen; open my $in, '<', 'words' or die "words: $!";
		while (<$in>) { $seen{lc $1}++ while /(\w+)/g }
		open my $out, '>', 'counts' or die "counts: $!";
		printf $out "%s %d\n", $_, $seen{$_} for sort { $seen{$b} <=> $seen{$a} || $a cmp $b } keys %seen;
		close $out or die; print floor(7.9), ' ', scalar(keys %seen), ' ', `echo sub`;
	END
	for n in 1 2 3 4 5 6 7 8 9; do printf 'The quick brown fox, and the %s dogs\n' $n; done >"$W/words"
	confined --runtime system $grants -- perl count.pl
	status_is 0
	says "7 15 sub"
	quiet
	holds "the file has the counts" grep -qx 'the 18' "$W/counts"
	owned
}

case_node() {
	need node || return
	cat >"$W/main.js" <<-'END'
		const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
		const fs = require('fs'), crypto = require('crypto'), child = require('child_process');
		if (!isMainThread) {
			parentPort.postMessage(crypto.createHash('sha256').update('x'.repeat(workerData)).digest('hex').slice(0, 8));
		} else {
			const jobs = [1, 2, 3].map(n => new Promise((done, fail) => new Worker(__filename, { workerData: n * 1000 }).on('message', done).on('error', fail)));
			Promise.all(jobs).then(async found => {
				await fs.promises.writeFile('result.json', JSON.stringify(found));
				let heat = 0;
				for (let i = 0; i < 3e6; i++) heat = (heat * 31 + i) | 0;
				console.log(heat, child.execFileSync('echo', ['from a child']).toString().trim());
			});
		}
	END
	plain node main.js
	mv "$W/result.json" "$C/plain.json"
	confined --runtime system $grants -- node main.js
	status_is 0
	same "another output than without bvisor" "$C/out" "$C/got"
	same "another file than without bvisor" "$C/plain.json" "$W/result.json"
	quiet
	owned
}

case_java() {
	need java javac || return
	cat >"$W/Main.java" <<-'END'
		import java.nio.file.*;
		import java.util.stream.*;
		public class Main {
			public static void main(String[] words) throws Exception {
				int sum = IntStream.range(0, 1000000).parallel().map(n -> n % 7).sum();
				Files.writeString(Path.of("sum.txt"), Integer.toString(sum));
				System.out.println(words[0] + " " + sum);
			}
		}
	END
	as_caller javac Main.java >"$C/javac" 2>&1 || { wrong "javac: $(head -3 "$C/javac" | tr '\n' ' ')"; return; }
	settings=$(readlink -f "$(command -v java)" | sed 's,/bin/java$,/conf,')
	extra=
	# Debian keeps the settings of its Java in /etc.
	[ ! -d "$settings" ] || extra=$(find "$settings/" -type l -lname '/etc/*' -printf '%l\n' | sed 's,^\(/etc/[^/]*\).*,--read \1,' | sort -u)
	confined --runtime system $grants $scratch $extra -- java -Xmx128m -cp "$W" Main sum
	status_is 0
	says "sum 2999997"
	holds "the file has the sum" grep -qx 2999997 "$W/sum.txt"
	owned
}

# ---- compilers and building ---------------------------------------------------------------------------------

case_gcc_compiles_and_runs() {
	need gcc || return
	cat >"$W/main.c" <<-'END'
		#include <math.h>
		#include <pthread.h>
		#include <stdio.h>
		#include <unistd.h>
		static void *half(void *n) { *(double *)n /= 2; return NULL; }
		int main(void)
		{
			pthread_t thread;
			double n = sqrt(7056);
			if (pthread_create(&thread, NULL, half, &n) || pthread_join(thread, NULL))
				return 1;
			printf("%.0f %d\n", n, getuid() != 0);
			return 3;
		}
	END
	confined --runtime system $grants --exec "$W" $scratch -- sh -c 'gcc -O1 -o main main.c -lm -pthread && exec ./main'
	status_is 3
	says "42 1"
	quiet
	as_caller "$W/main" >"$C/out" 2>&1
	holds "what was compiled inside runs outside" grep -q '^42' "$C/out"
	owned
}

case_make_builds_a_project() {
	need make gcc || return
	mkdir "$W/src"
	for n in 1 2 3 4; do printf 'int f%s(void) { return %s; }\n' $n $n >"$W/src/f$n.c"; done
	printf '#include <stdio.h>\nint f1(void), f2(void), f3(void), f4(void);\nint main(void) { printf("%%d\\n", f1() + f2() + f3() + f4()); return 0; }\n' >"$W/src/main.c"
	cat >"$W/Makefile" <<-'END'
		.RECIPEPREFIX := >
		objects := $(patsubst src/%.c,build/%.o,$(wildcard src/*.c))
		check: build/program
		>	@test "$$(build/program)" = 10 && echo built and checked
		build/program: build/libf.a build/main.o
		>	@$(CC) -o $@ build/main.o build/libf.a
		build/libf.a: $(filter-out build/main.o,$(objects))
		>	@$(AR) rcs $@ $^
		build/%.o: src/%.c
		>	@mkdir -p build && $(CC) -c -o $@ $<
	END
	confined --runtime system $grants --exec "$W" $scratch -- make -j2
	status_is 0
	says "built and checked"
	quiet
	as_caller make -q build/program >/dev/null 2>&1 || wrong "make outside does not see it as built"
	owned
}

case_git() {
	need git || return
	cat >"$W/session.sh" <<-'END'
		set -e
		git init -q -b main repo
		cd repo
		git config user.name Tester
		git config user.email tester@example.org
		printf 'first\n' >file
		git add file
		git commit -q -m 'first commit'
		git checkout -q -b topic
		printf 'second\n' >>file
		git commit -q -a -m 'second commit'
		git checkout -q main
		git merge -q --no-edit topic
		git gc -q
		git log --format=%s
		git status --short
	END
	# Where its absence cannot be shown, git insists on reading the system's configuration.
	confined --runtime system $grants $scratch --env HOME="$W" --env GIT_CONFIG_NOSYSTEM=1 -- sh session.sh
	status_is 0
	says "$(printf 'second commit\nfirst commit')"
	quiet
	# A repository of root's stand-in is not root's own to git, and rightly so.
	trust="-c safe.directory=*"
	as_caller git $trust -C "$W/repo" fsck --strict >"$C/out" 2>&1 || wrong "git fsck outside: $(head -c 200 "$C/out")"
	as_caller git $trust -C "$W/repo" log --format='%s %an' >"$C/out" 2>&1
	holds "git outside sees the commits" grep -qx 'second commit Tester' "$C/out"
	owned
}

case_static_binary() {
	need gcc || return
	cat >"$C/static.c" <<-'END'
		#include <stdio.h>
		#include <string.h>
		int main(int argc, char **argv)
		{
			FILE *passwd = fopen("/etc/passwd", "r");
			printf("%d %s %s\n", argc, argv[argc - 1], passwd ? "reads /etc/passwd" : "sees no /etc/passwd");
			return 0;
		}
	END
	gcc -static -O1 -o "$W/static" "$C/static.c" || { skipped="no static C library"; return; }
	# Nothing is granted at all: the executable alone is enough.
	confined --runtime none -- "$W/static" word
	status_is 0
	says "2 word sees no /etc/passwd"
	quiet
}

case_go_program() {
	need go || return
	cat >"$C/main.go" <<-'END'
		package main

		import (
			"fmt"
			"os"
			"sync"
		)

		func main() {
			var group sync.WaitGroup
			parts := make([]int, 100)
			for i := range parts {
				group.Add(1)
				go func(i int) { defer group.Done(); parts[i] = i * i }(i)
			}
			group.Wait()
			sum := 0
			for _, part := range parts {
				sum += part
			}
			if err := os.WriteFile(os.Args[1], []byte(fmt.Sprintln(sum)), 0o600); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			_, err := os.ReadFile("/etc/shadow")
			fmt.Println(sum, err != nil)
		}
	END
	(cd "$C" && GO111MODULE=off CGO_ENABLED=0 go build -o "$W/program" main.go) >"$C/go" 2>&1 ||
		{ skipped="go build does not work here: $(head -1 "$C/go")"; return; }
	confined --runtime none $grants -- "$W/program" "$W/sum"
	status_is 0
	says "328350 true"
	quiet
	holds "the file has the sum" grep -qx 328350 "$W/sum"
	[ "$world-$uid" = bare-0 ] || holds "the file has its mode" test "$(stat -c %a "$W/sum")" = 600
}

# ---- streams, network, endings -----------------------------------------------------------------------------

case_curl_fails_cleanly() {
	need curl || return
	/usr/bin/python3 -u -c '
import http.server, threading
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"reached"); open("'"$C"'/visits", "a").write("x")
    def log_message(self, *words): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
print(server.server_port)
threading.Timer(60, server.shutdown).start()
server.serve_forever()' >"$C/port" 2>"$C/server" &
	server=$!
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ -s "$C/port" ] && break
		sleep 0.25
	done
	url=http://127.0.0.1:$(cat "$C/port")/
	plain curl -sS --max-time 10 "$url"
	[ "$(cat "$C/out")" = reached ] || wrong "even without bvisor the server is not reached: $(head -1 "$C/err")"
	rm -f "$C/visits"
	started=$(date +%s)
	confined --runtime system -- curl -sS --max-time 10 "$url"
	[ "$status" = 7 ] || wrong "exit status is $status; curl's for 'cannot connect' is 7"
	says ""
	confined --runtime system -- curl -sS --max-time 10 http://bvisor.example/
	[ "$status" = 6 ] || wrong "exit status is $status; curl's for 'cannot resolve' is 6"
	[ $(($(date +%s) - started)) -le 15 ] || wrong "it took more than 15 s to fail"
	lacks "the server was reached" test -e "$C/visits"
	kill "$server"
	wait "$server" 2>/dev/null
}

case_output_of_1_gib() {
	cat >"$C/watch.py" <<-'END'
		import hashlib, os, subprocess, sys
		# Runs a command, swallows its output, and prints how much there was and the most memory any
		# process of bvisor's ever had resident, in MiB.
		def peak(pid):
		    most = 0
		    try:
		        for line in open(f"/proc/{pid}/status"):
		            if line.startswith("VmHWM:"): most = int(line.split()[1]) // 1024
		        for task in os.listdir(f"/proc/{pid}/task"):
		            for child in open(f"/proc/{pid}/task/{task}/children").read().split():
		                most = max(most, peak(child))
		    except OSError: pass
		    return most
		child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
		total, most, zero = 0, 0, True
		while data := child.stdout.read1(1 << 20):
		    if total >> 26 != (total + len(data)) >> 26: most = max(most, peak(child.pid))
		    total += len(data)
		    zero = zero and not data.strip(b"\0")
		code = child.wait()
		print(total, "zeros" if zero else "other", "small" if 0 < most <= 16 else f"{most} MiB", code)
	END
	status=0
	as_caller timeout -k 5 120 /usr/bin/python3 "$C/watch.py" "$bvisor" run $without --wall 100s --runtime system \
		--report "$C/report.json" -- head -c 1073741824 /dev/zero >"$C/got" 2>"$C/said" || status=$?
	status_is 0
	says "1073741824 zeros small 0"
	quiet
	reported "how much was written, and how little of it was kept" \
		'[(s["total_bytes"], s["forwarded_bytes"], s["kept_bytes"] <= 1 << 20, s["complete"]) for s in body["streams"] if s["name"] == "stdout"] == [(1 << 30, 1 << 30, True, True)]'
}

case_input_of_64_mib() {
	head -c 67108864 /dev/urandom >"$C/input"
	input=$C/input
	plain sha256sum
	confined --runtime system -- sha256sum
	status_is 0
	same "another digest than without bvisor" "$C/out" "$C/got"
	quiet
}

case_reader_that_leaves_early() {
	# The workload's reader goes away: it must end of SIGPIPE as it would in a pipe of its own.
	status=0
	as_caller timeout -k 5 60 sh -c '"$@" | head -n 1' sh "$bvisor" run $without --wall 50s --runtime system -- yes \
		>"$C/got" 2>"$C/said" || status=$?
	status_is 0
	says y
}

case_core_dumper() {
	need gcc || return
	printf '#include <stdlib.h>\nint main(void) { abort(); }\n' >"$C/abort.c"
	gcc -O1 -o "$W/abort" "$C/abort.c"
	plain sh -c 'ulimit -c unlimited; ./abort'
	[ "$control" = 134 ] || wrong "without bvisor the status is $control, not 134"
	case $(cat /proc/sys/kernel/core_pattern) in
	core*) holds "without bvisor it leaves a core" sh -c 'ls "$1"/core*' sh "$W" ;;
	esac
	rm -f "$W"/core*
	(ulimit -c unlimited && confined $grants --report "$C/report.json" -- "$W/abort"; echo "$status" >"$C/status")
	status=$(cat "$C/status")
	status_is 134
	lacks "a core was left" sh -c 'ls "$1"/core*' sh "$W"
	reported "signal 6" 'body["exit"] == {"Signal": 6}'
}

case_daemon_left_behind() {
	confined --runtime system -- sh -c "(setsid sleep 300.$$ >/dev/null 2>&1 &); echo started"
	status_is 0
	says started
	lacks "the daemon outlives the run" running "300[.]$$"
}

case_wall_limit() {
	started=$(date +%s)
	status=0
	as_caller timeout -k 5 60 "$bvisor" run $without --wall 1s --runtime system -- \
		sh -c 'trap "" TERM INT HUP; sleep 301.'$$' & wait' >"$C/got" 2>"$C/said" </dev/null || status=$?
	status_is 124
	[ $(($(date +%s) - started)) -le 10 ] || wrong "it took more than 10 s"
	lacks "something outlives the run" running "301[.]$$"
	holds "the reason is said" grep -q 'wall' "$C/said"
}

case_readers_cannot_write() {
	# What everything above takes for granted: the same shell, the folder granted for reading alone.
	echo keep >"$W/file"
	plain sh -c 'echo tried >file && cat file'
	[ "$(cat "$W/file")" = tried ] || wrong "even without bvisor it cannot be written"
	echo keep >"$W/file"
	confined --runtime system --read "$W" --cwd "$W" -- sh -c 'cat file; echo broken >file; echo new >new; rm -f file; cat file'
	status_is 0
	says "$(printf 'keep\nkeep')"
	holds "the file is as it was" grep -qx keep "$W/file"
	lacks "a file was made" test -e "$W/new"
}
