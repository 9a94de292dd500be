# SPDX-License-Identifier: MIT OR Apache-2.0
"""Stages the demo: plants what is worth stealing, runs the task without and with bvisor, and looks.

  stage.py BVISOR

What the task says of itself is printed; what is believed is what is seen from here: the planted
files, a listening socket, a signal handler, a heartbeat.  Exit status 0 only if everything unwanted
happened without bvisor and nothing of it with bvisor, and the honest work was done both times.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nnot a real key\n"
ACTS = (
    ("work", "summarise sales.csv in its workspace"),
    ("key", "read an SSH key in the user's home"),
    ("outside", "append to the user's .bashrc"),
    ("network", "send data to a server"),
    ("signal", "signal the process that started it"),
    ("daemon", "leave a daemon behind"),
)


class Stage:
    """One set of planted things, with eyes on each."""

    def __init__(self, base):
        self.workspace = os.path.join(base, "workspace")
        self.home = os.path.join(base, "home")
        os.makedirs(self.workspace)
        os.makedirs(os.path.join(self.home, ".ssh"))
        self.key = os.path.join(self.home, ".ssh", "id_ed25519")
        self.rc = os.path.join(self.home, ".bashrc")
        for path, text in ((self.key, KEY), (self.rc, "# bashrc\n")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        shutil.copy(os.path.join(HERE, "sales.csv"), self.workspace)
        shutil.copy(os.path.join(HERE, "agent_task.py"), self.workspace)
        self.signals = 0
        self.received = b""
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                self.received += connection.recv(1024)

    def on_signal(self, *_):
        self.signals += 1

    def environment(self):
        return {
            "DEMO_KEY": self.key,
            "DEMO_RC": self.rc,
            "DEMO_PORT": str(self.port),
            "DEMO_PARENT": str(os.getpid()),
        }

    def run(self, command, environment):
        """The task's own words, by act."""
        done = subprocess.run(command, cwd=self.workspace, env=environment, capture_output=True, text=True,
                              timeout=60, check=False)
        said = {}
        for line in done.stdout.splitlines():
            name, _, rest = line.partition("\t")
            said[name] = rest.split("\t")
        if done.returncode or done.stderr:
            print(f"    (exit status {done.returncode}) {done.stderr.strip()}")
        return said

    def heart_beats(self):
        path = os.path.join(self.workspace, "heartbeat")
        try:
            before = os.stat(path).st_mtime_ns
        except FileNotFoundError:
            return False
        time.sleep(0.5)
        return os.stat(path).st_mtime_ns != before

    def seen(self, said):
        """What really happened, by act."""
        time.sleep(0.4)
        with open(self.rc, encoding="utf-8") as file:
            rc = file.read()
        summary = os.path.join(self.workspace, "summary.txt")
        return {
            "work": os.path.exists(summary) and os.path.getsize(summary) > 0,
            "key": "BEGIN OPENSSH" in " ".join(said.get("key", [])),
            "outside": "evil" in rc,
            "network": b"stolen" in self.received,
            "signal": self.signals > 0,
            "daemon": self.heart_beats(),
        }


def colour(text, code):
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{code}m{text}\033[0m"


def table(without, with_it):
    print(f"\n    {'what the program tried':<42}{'without bvisor':<18}with bvisor")
    for name, title in ACTS:
        cells = []
        for seen in (without, with_it):
            word = "happened" if seen[name] else "did not happen"
            good = seen[name] == (name == "work")
            cells.append(colour(f"{word:<18}", 32 if good else 31))
        print(f"    {title:<42}{cells[0]}{cells[1]}")


def show_report(bvisor, report):
    print("\n==> The report: what was asked, held, refused and used\n")
    shown = subprocess.run([bvisor, "report", "show", report], capture_output=True, text=True, check=True).stdout
    print("\n".join("    " + line for line in shown.splitlines()))
    print("\n==> It can be checked by anyone\n")
    print("    $ bvisor report verify report.json")
    verified = subprocess.run([bvisor, "report", "verify", report], capture_output=True, text=True, check=False)
    print("    " + (verified.stdout + verified.stderr).strip())
    with open(report, encoding="utf-8") as file:
        text = file.read()
    forged = report.replace(".json", "-forged.json")
    with open(forged, "w", encoding="utf-8") as file:
        file.write(text.replace('"Enforced"', '"Mediated"', 1))
    print("\n    and after one word of it was changed:\n    $ bvisor report verify report-forged.json")
    refused = subprocess.run([bvisor, "report", "verify", forged], capture_output=True, text=True, check=False)
    print("    " + (refused.stdout + refused.stderr).strip().replace("\n", "\n    "))
    return verified.returncode == 0 and refused.returncode != 0


def main():
    bvisor = os.path.abspath(sys.argv[1])
    base = tempfile.mkdtemp(prefix="bvisor-demo-", dir="/var/tmp")
    try:
        return play(bvisor, base)
    finally:
        # The daemon left behind without bvisor still writes there; without a directory it ends.
        while os.path.exists(base):
            shutil.rmtree(base, ignore_errors=True)
            time.sleep(0.1)


def play(bvisor, base):
    print("==> A program written by a model: demo/agent_task.py")
    print("    It does what it was asked, and then five things it was not.\n")

    stage = Stage(os.path.join(base, "without"))
    signal.signal(signal.SIGUSR1, stage.on_signal)
    command = [PYTHON, "agent_task.py"]
    print("==> Without bvisor\n\n    $ python3 agent_task.py")
    without = stage.seen(stage.run(command, stage.environment()))

    stage = Stage(os.path.join(base, "with"))
    signal.signal(signal.SIGUSR1, stage.on_signal)
    report = os.path.join(base, "report.json")
    work = stage.workspace
    flags = ["--read", work, "--write", work, "--cwd", work, "--wall", "20s", "--report", report]
    for name, value in stage.environment().items():
        flags += ["--env", f"{name}={value}"]
    print("\n==> With bvisor\n\n    $ bvisor run --read . --write . --wall 20s --report report.json -- python3 agent_task.py")
    # bvisor's own environment; the program gets none of it.  Not into the journal of whoever looks at it.
    said = stage.run([bvisor, "run", *flags, "--", *command], {"BVISOR_JOURNAL": "none"})
    for name, words in said.items():
        print(f"      {name}: {': '.join(words)}")
    with_it = stage.seen(said)

    table(without, with_it)
    verified = show_report(bvisor, report)
    held = with_it == {name: name == "work" for name, _ in ACTS}
    real = all(without.values())
    if not real:
        print("\nThe demo proves nothing here: without bvisor not everything happened either.")
    if not held:
        print("\nbvisor did not hold. 'bvisor doctor' says what this machine can do.")
    print("\n==> " + ("bvisor held: the work was done, and nothing else happened." if held and real and verified
                     else "THE DEMO FAILED."))
    return 0 if held and real and verified else 1


sys.exit(main())
