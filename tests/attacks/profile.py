# SPDX-License-Identifier: MIT OR Apache-2.0
"""The `bvisor` profile of the acceptance attacks: how the canonical spec is said on our command line.

tools/shared-suites adds it to the profiles of the shared harness.  BVISOR_CLI is the command to
test, BVISOR_WITHOUT a comma-separated list of layers to leave out on purpose.
"""
import os


def wrap(context, argv):
	layers = [word for word in os.environ.get("BVISOR_WITHOUT", "").split(",") if word]
	without = [flag for layer in layers for flag in ("--without", layer)]
	# PR-15 asks for a workload that may make no process at all.
	spawn = "none" if context["ID"] == "PR-15" else "processes"
	return [
		os.environ["BVISOR_CLI"], "run", "--quiet", *without,
		"--read", context["BIN"], "--exec", context["BIN"],
		"--read", context["RO"],
		"--read", context["WORK"], "--write", context["WORK"],
		"--cwd", context["WORK"],
		"--env", "PATH", "--net", "none", "--spawn", spawn, "--stdin", "none",
		"--wall", "5s",
		"--", *argv,
	]


def cleanup(fixture):
	"""Nothing of ours may be left in the temporary folder once a run is over."""
	return not [name for name in os.listdir("/tmp") if name.startswith("bvisor-")]


PROFILE = dict(mntns=True, wrap=wrap, cleanup=cleanup)
