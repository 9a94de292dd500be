# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a run must not leave behind, seen from outside, and how runs are made here."""
import glob, os, shutil, subprocess, sys, tempfile, time


class Tap:
	"""Tests, numbered; the plan comes at the end."""

	def __init__(self):
		self.count, self.failed = 0, 0
		print("TAP version 13", flush=True)

	def row(self, passed, name, detail=""):
		self.count += 1
		self.failed += not passed
		print(f"{'ok' if passed else 'not ok'} {self.count} - {name}", flush=True)
		if detail:
			print("# " + str(detail).strip().replace("\n", "\n# "), flush=True)

	def skip(self, name, why):
		self.count += 1
		print(f"ok {self.count} - {name} # SKIP {why}", flush=True)

	def end(self):
		print(f"1..{self.count}", flush=True)
		sys.exit(1 if self.failed else 0)


def processes():
	"""pid to arguments of everything that lives; kernel threads and zombies have none."""
	found = {}
	for name in os.listdir("/proc"):
		if name.isdigit():
			try:
				with open(f"/proc/{name}/cmdline", "rb") as file:
					found[int(name)] = file.read()
			except OSError:
				pass  # it has ended since
	return found


def marked(mark):
	"""What lives with `mark` in its arguments, this process's own helpers left out."""
	return [pid for pid, line in processes().items() if mark.encode() in line and b"bvisor\0" not in line and b"strace" not in line]


def zombies():
	count = 0
	for path in glob.glob("/proc/[0-9]*/stat"):
		try:
			with open(path, encoding="utf-8", errors="replace") as file:
				count += file.read().rsplit(")", 1)[1].split()[0] == "Z"
		except OSError:
			pass
	return count


def namespaces():
	found = set()
	for path in glob.glob("/proc/[0-9]*/ns/*"):
		try:
			found.add(os.readlink(path))
		except OSError:
			pass
	return len(found)


def isolate():
	"""As root, this program once more where nobody else's processes, mounts and temporary files are."""
	if os.environ.get("BV_ISOLATED") and os.getpid() == 1:
		# Orphans are ours to reap here, as they are init's outside.
		worker = os.fork()
		while worker:
			pid, status = os.wait()
			if pid == worker:
				sys.exit(os.waitstatus_to_exitcode(status))
	if os.geteuid() != 0 or os.environ.get("BV_ISOLATED") or shutil.which("unshare") is None:
		return
	os.environ["BV_ISOLATED"] = "1"
	script = "mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /var/tmp && exec \"$@\""
	os.execvp("unshare", ["unshare", "--mount", "--pid", "--ipc", "--net", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", script, "sh", sys.executable, *sys.argv])


def hierarchy():
	"""Where control groups (v2) are mounted; None."""
	with open("/proc/self/mountinfo", encoding="utf-8") as file:
		for line in file:
			if " - cgroup2 " in line:
				return line.split()[4]
	return None


def snapshot():
	"""Everything that must not grow, by name."""
	with open("/proc/self/mountinfo", encoding="utf-8") as file:
		mounts = len(file.readlines())
	with open("/proc/net/unix", encoding="utf-8") as file:
		sockets = len(file.readlines())
	found = {
		"launchers": sum(b"bvisor-linux-launcher" in line or b"bvisor-init" in line for line in processes().values()),
		"zombies": zombies(),
		"namespaces": namespaces(),
		"mounts": mounts,
		"unix sockets": sockets,
	}
	for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run"):
		found[f"entries of {folder}"] = len(os.listdir(folder))
	for kind in ("shm", "msg", "sem"):
		with open(f"/proc/sysvipc/{kind}", encoding="utf-8") as file:
			found[f"SysV {kind}"] = len(file.readlines()) - 1
	return found


def growth(before, after):
	return {name: after[name] - before[name] for name in after if after[name] > before[name]}


def settles(check, seconds=1.0):
	"""Whether `check` comes true within the time."""
	until = time.monotonic() + seconds
	while True:
		if check():
			return True
		if time.monotonic() > until:
			return False
		time.sleep(0.02)


class Place:
	"""The programs under test where every uid may look, and a folder outside of every boundary."""

	def __init__(self, bvisor, launcher, user=False):
		self.dir = tempfile.mkdtemp(prefix="bv-reliability-", dir="/var/tmp")
		os.chmod(self.dir, 0o755)
		self.bvisor = shutil.copy(bvisor, self.dir)
		self.launcher = shutil.copy(launcher, self.dir)
		self.become = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"] if user and os.geteuid() == 0 else []
		self.secret = os.path.join(self.dir, "outside")
		with open(self.secret, "w", encoding="utf-8") as file:
			file.write("SECRET-OUTSIDE\n")
		os.chmod(self.secret, 0o644)
		self.work = os.path.join(self.dir, "work")
		os.mkdir(self.work)
		os.chmod(self.work, 0o777)
		self.environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "BVISOR_JOURNAL": "none",
			"BVISOR_LAUNCHER_BIN": self.launcher}
		self.group = None
		point = hierarchy()
		if os.geteuid() == 0 and not user and point:
			# Groups of its own, so that those of other runs on this machine do not count.
			self.group = os.path.join(point, os.path.basename(self.dir))
			os.mkdir(self.group)
			self.environment["BVISOR_CGROUP"] = self.group

	def leaves(self):
		"""Control groups of runs that are left."""
		return glob.glob(os.path.join(glob.escape(self.group), "bvisor/run-*")) if self.group else []

	def command(self, flags, program):
		return [*self.become, self.bvisor, "run", *flags, "--", *program]

	def run(self, flags, program, before=(), timeout=60):
		"""The finished process of one run; `before` comes in front of it all, as strace does."""
		return subprocess.run([*before, *self.command(flags, program)], cwd=self.dir, env=self.environment,
			stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)

	def clear(self):
		for group in (os.path.join(self.group, "bvisor"), self.group) if self.group else ():
			if os.path.isdir(group):
				os.rmdir(group)
		shutil.rmtree(self.dir, ignore_errors=True)
