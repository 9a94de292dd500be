# SPDX-License-Identifier: MIT OR Apache-2.0
"""The `bvisor` profile of the acceptance attacks: how the canonical spec is said on our command line.

tools/shared-suites adds it to the profiles of the shared harness.  BVISOR_CLI is the command to
test, BVISOR_WITHOUT a comma-separated list of layers to leave out on purpose, BVISOR_REPORTS a
directory for the reports of attacks that are judged by them.
"""
import json, os, shutil, subprocess

# The limits of the canonical spec.  What this machine cannot hold is refused before anything runs,
# and then asked for by no attack: what that lets through has to be in known.tsv, with its cell.
LIMITS = {
	"--cpu": "4s",
	"--memory": "256M",
	"--processes": "64",
	"--handles": "256",
	"--storage": "64M",
}


def layers():
	return [word for word in os.environ.get("BVISOR_WITHOUT", "").split(",") if word]


def without():
	return [flag for layer in layers() for flag in ("--without", layer)]


def boundary(binaries, read_only, work, spawn="processes"):
	"""The canonical spec but for its limits.  The runtime set is left at what people use."""
	return [
		"--read", binaries, "--exec", binaries,
		"--read", read_only,
		"--read", work, "--write", work,
		"--cwd", work,
		"--env", "PATH", "--net", "none", "--spawn", spawn,
		"--wall", "5s",
	]


def limits(cli, uid, cache={}):
	"""The limits that are admitted here, as flags."""
	key = (uid, tuple(layers()))
	if key not in cache:
		become = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []
		cache[key] = []
		for flag, limit in LIMITS.items():
			tried = subprocess.run([*become, cli, "run", "--journal", "none", *without(), flag, limit, "--", "/bin/true"],
				stdin=subprocess.DEVNULL, capture_output=True, cwd="/")
			if tried.returncode == 0:
				cache[key] += [flag, limit]
	return cache[key]


def protect(work, uid):
	"""The one part of the workspace that is not granted; a workspace that is a repository has it already."""
	git = os.path.join(work, ".git")
	os.mkdir(git)
	os.chown(git, uid, uid)
	return ["--deny", git]


# Attacks on what is believed of a run: the harness has no view of that and leaves it to the report.
JUDGED_BY_REPORT = ("PR-17", "SU-02", "SU-03")


def report_of(attack):
	return os.path.join(os.environ["BVISOR_REPORTS"], attack + ".json")


# And on what is collected of it.
ARTIFACTS = ("SU-03", "SU-04")


def journal_of(attack):
	return os.path.join(os.environ["BVISOR_REPORTS"], attack + ".db")


def artifacts(uid, *words):
	become = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []
	return subprocess.run([*become, os.environ["BVISOR_CLI"], "artifacts", *words], stdin=subprocess.DEVNULL, capture_output=True, cwd="/")


def collect(fixture):
	"""What the run left in work/out, committed elsewhere: whether the secret is in it, and whether it was told."""
	journal, report = (place("SU-04") for place in (journal_of, report_of))
	copied = os.path.join(os.environ["BVISOR_REPORTS"], "collected")
	os.mkdir(copied)
	os.chown(copied, fixture.uid, fixture.uid)
	with open(report, encoding="utf-8") as file:
		left_out = "result.txt" in file.read()
	listed = json.loads(artifacts(fixture.uid, "ls", "--journal", journal, "--json").stdout or "[]")
	for artifact in listed:
		artifacts(fixture.uid, "commit", artifact["attempt"], "--to", copied, "--journal", journal)
	taken = [name for name in os.listdir(copied) if fixture.token in open(os.path.join(copied, name), encoding="utf-8", errors="replace").read()]
	shutil.rmtree(copied)
	if taken:
		return True, f"collected: {taken}"
	return (False, "left out, and the report says so") if left_out else (True, "nothing says that result.txt was left out")


def wrap(context, argv):
	cli, uid = os.environ["BVISOR_CLI"], context["UID"]
	# Without namespaces nothing maps root's files to the unprivileged id that stands in for root.
	# Attacks that could not even use their own workspace would prove nothing.
	if uid == 0 and "namespaces" in layers():
		os.chmod(context["WORK"], 0o777)
	# PR-15 asks for a workload that may make no process at all, FS-20 for one that may plant no hook.
	spawn = "none" if context["ID"] == "PR-15" else "processes"
	deny = protect(context["WORK"], uid) if context["ID"] == "FS-20" else []
	report = ["--report", report_of(context["ID"])] if context["ID"] in (*JUDGED_BY_REPORT, *ARTIFACTS) else []
	journal = ["--journal", "none"]
	if context["ID"] in ARTIFACTS:
		journal = ["--journal", journal_of(context["ID"]), "--output", os.path.join(context["WORK"], "out")]
	return [
		cli, "run", *journal, *report, *without(), *boundary(context["BIN"], context["RO"], context["WORK"], spawn), *deny,
		*limits(cli, uid), "--output-limit", "1M", "--stdin", "none", "--", *argv,
	]


def cleanup(fixture):
	"""Nothing of ours may be left in the temporary folder once a run is over."""
	return not [name for name in os.listdir("/tmp") if name.startswith("bvisor-")]


PROFILE = dict(mntns="namespaces" not in layers(), wrap=wrap, collect=collect, cleanup=cleanup)
