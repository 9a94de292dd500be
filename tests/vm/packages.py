# SPDX-License-Identifier: MIT OR Apache-2.0
"""The test bed's own QEMU, busybox, kernels and systemd root, kept in a cache.

They come from the Debian mirror this machine is configured with, through an apt directory of their
own: nothing is installed, and the machine's own apt is only read.  Needs no root.
"""
import fcntl, io, lzma, os, re, shutil, subprocess, tarfile

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
QEMU = ["qemu-system-x86", "qemu-system-data", "qemu-system-common", "seabios", "ipxe-qemu"]
# What a login of Debian 12 has: a system manager, a user manager, a bus for each.
SYSTEMD = ["systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "util-linux", "coreutils", "dash"]
SYSTEMD_SUITE = "bookworm"


class Unavailable(Exception):
	"""Something is neither in the cache nor to be had; the text says what and why."""


def run(command, **options):
	return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **options)


def host_suite():
	with open("/etc/os-release", encoding="utf-8") as file:
		found = re.search(r"^VERSION_CODENAME=(\S+)", file.read(), re.M)
	return found[1] if found else ""


def mirror():
	"""The archive this machine takes Debian from."""
	if os.environ.get("BVISOR_VM_MIRROR"):
		return os.environ["BVISOR_VM_MIRROR"]
	suite = host_suite()
	listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"])
	for line in listed.stdout.splitlines():
		uri, _, release = line.partition(" ")
		if release == suite:
			return uri
	raise Unavailable(f"apt is configured with no mirror for the suite '{suite}' (set BVISOR_VM_MIRROR to a Debian mirror)")


class Cache:
	def __init__(self, root=None):
		self.root = root or os.environ.get("BVISOR_VM_CACHE") or os.path.expanduser("~/.cache/bvisor-vm")
		os.makedirs(self.root, exist_ok=True)

	def path(self, *names):
		return os.path.join(self.root, *names)

	def locked(self):
		"""For `with`: one process at a time fills the cache."""
		file = open(self.path("lock"), "w", encoding="utf-8")
		fcntl.flock(file, fcntl.LOCK_EX)
		return file

	# ---- apt ---------------------------------------------------------------------------------------

	def apt(self, suite, tool, *arguments, status=None, cwd=None):
		home = self.path("apt", suite)
		for name in ("state/lists/partial", "cache/archives/partial"):
			os.makedirs(os.path.join(home, name), exist_ok=True)
		nothing = os.path.join(home, "no-packages")
		open(nothing, "w", encoding="utf-8").close()
		sources = os.path.join(home, "sources.list")
		with open(sources, "w", encoding="utf-8") as file:
			file.write(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
		options = {
			"Dir::State": os.path.join(home, "state"),
			"Dir::State::status": status or nothing,
			"Dir::Cache": os.path.join(home, "cache"),
			"Dir::Etc::sourcelist": sources,
			"Dir::Etc::sourceparts": "/nonexistent",
			"Dir::Etc::main": "/dev/null",
			"Dir::Etc::parts": "/nonexistent",
			"APT::Architecture": "amd64",
			"APT::Install-Recommends": "0",
			"APT::Sandbox::User": "root",  # else apt tries to become _apt, which only root can
			"Debug::NoLocking": "1",       # the cache has a lock of its own
			"Acquire::Retries": "3",
			"Acquire::Check-Valid-Until": "false",
		}
		words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
		return run([tool, "-q", *words, *arguments], cwd=cwd)

	def must(self, what, suite, done):
		"""Raises with apt's own first complaint when `done` failed."""
		if done.returncode == 0:
			return done
		said = next((line for line in done.stderr.splitlines() if line.startswith(("E:", "Err", "dpkg"))), "")
		raise Unavailable(
			f"{what} is not in the cache {self.root} and cannot be fetched from the suite '{suite}': "
			f"{said or 'apt-get failed'} (connect this machine to its Debian mirror, or set BVISOR_VM_CACHE to a filled cache)")

	def index(self, suite, what, again=False):
		mark = self.path("apt", suite, "indexed")
		if os.path.exists(mark) and not again:
			return
		# Without this option apt calls an archive that cannot be reached a warning.
		self.must(what, suite, self.apt(suite, "apt-get", "-o", "APT::Update::Error-Mode=any", "update"))
		open(mark, "w", encoding="utf-8").close()

	def archives(self, suite, packages, what, *, status=None, alone=False):
		"""Fetches packages, with what they depend on unless alone; the paths of the .deb files."""
		folder = self.path("apt", suite, "cache", "archives")
		for again in (False, True):  # an old index names files that are gone
			self.index(suite, what, again)
			shutil.rmtree(folder, ignore_errors=True)
			os.makedirs(os.path.join(folder, "partial"))
			if alone:
				done = self.apt(suite, "apt-get", "download", *packages, cwd=folder)
			else:
				done = self.apt(suite, "apt-get", "-y", "--download-only", "--reinstall", "install", *packages, status=status)
			if done.returncode == 0:
				break
		self.must(what, suite, done)
		return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".deb"))

	def unpack(self, debs, name, what):
		"""Unpacks into the cache folder `name`, which appears whole or not at all."""
		fresh = self.path(name + ".new")
		shutil.rmtree(fresh, ignore_errors=True)
		os.makedirs(fresh)
		for deb in debs:
			done = run(["dpkg-deb", "-x", deb, fresh])
			if done.returncode:
				raise Unavailable(f"{what}: {deb} cannot be unpacked: {done.stderr.strip()}")
			os.unlink(deb)
		os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
		os.rename(fresh, self.path(name))
		return self.path(name)

	# ---- what there is -----------------------------------------------------------------------------

	def qemu(self):
		if os.path.isdir(self.path("qemu")):
			return self.path("qemu")
		# Of what it depends on, only what this machine lacks.
		debs = self.archives(host_suite(), QEMU, "QEMU", status="/var/lib/dpkg/status")
		return self.unpack(debs, "qemu", "QEMU")

	def busybox(self):
		if not os.path.isdir(self.path("busybox")):
			debs = self.archives(host_suite(), ["busybox-static"], "busybox", alone=True)
			self.unpack(debs, "busybox", "busybox")
		for folder in ("bin", "usr/bin"):
			if os.path.exists(self.path("busybox", folder, "busybox")):
				return self.path("busybox", folder, "busybox")
		raise Unavailable(f"there is no busybox in {self.path('busybox')}: remove that folder")

	def kernel(self, name):
		"""SUITE is its newest cloud kernel, SUITE/VERSION the newest that starts so; an unpacked package."""
		folder = os.path.join("kernels", name.replace("/", "_"))
		if os.path.isdir(self.path(folder)):
			return self.path(folder)
		suite, _, version = name.partition("/")
		what = f"the kernel '{name}'"
		for again in (False, True):
			self.index(suite, what, again)
			listed = self.must(what, suite, self.apt(suite, "apt-cache", "pkgnames", "linux-image-"))
			images = [image for image in listed.stdout.split()
				  if re.fullmatch(rf"linux-image-{re.escape(version)}[0-9.].*-cloud-amd64", image)]
			if images:
				break
		else:
			raise Unavailable(f"the suite '{suite}' has no kernel '{version}*' for clouds")
		image = max(images, key=lambda text: [int(n) for n in re.findall(r"\d+", text)])
		depends = self.must(what, suite, self.apt(suite, "apt-cache", "depends", image)).stdout
		packages = [image]
		if "linux-binary-" in depends:  # two packages since 6.19
			packages = [image.replace("-image-", "-binary-"), image.replace("-image-", "-modules-")]
		return self.unpack(self.archives(suite, packages, what, alone=True), folder, what)

	def systemd_tar(self):
		"""A root folder with systemd, as a tar file: unpacked by someone who is root, the VM."""
		path = self.path("systemd.tar")
		if os.path.exists(path):
			return path
		debs = self.archives(SYSTEMD_SUITE, SYSTEMD, "systemd")
		with tarfile.open(path + ".new", "w", format=tarfile.GNU_FORMAT) as whole:
			for link in ("bin", "sbin", "lib", "lib64"):  # as the installer makes them, before any package
				add_member(whole, link, link_to="usr/" + link)
			for deb in debs:
				add_deb(whole, deb)
				os.unlink(deb)
		os.rename(path + ".new", path)
		return path


def add_member(whole, name, *, text=None, link_to=None):
	member = tarfile.TarInfo("./" + name)
	if link_to:
		member.type, member.linkname = tarfile.SYMTYPE, link_to
		whole.addfile(member)
	else:
		data = text.encode()
		member.size, member.mode = len(data), 0o644
		whole.addfile(member, io.BytesIO(data))


def add_deb(whole, deb):
	stream = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, check=True).stdout
	with tarfile.open(fileobj=io.BytesIO(stream)) as package:
		for member in package:
			for attribute in ("name", "linkname"):
				text = getattr(member, attribute)
				if attribute == "linkname" and not member.islnk():
					continue
				if re.match(r"\./(bin|sbin|lib|lib64)(/|$)", text):
					setattr(member, attribute, "./usr/" + text[2:])
			if re.fullmatch(r"\./usr/share/(doc|man|locale|info|lintian)/.*", member.name):
				continue
			member.uname = member.gname = ""
			whole.addfile(member, package.extractfile(member) if member.isreg() else None)


# ---- modules -----------------------------------------------------------------------------------


def modules(kernel, wanted):
	"""(name, contents) in load order, dependencies first.  What is not there is built in, or absent."""
	found = {}
	files = {name.partition(".ko")[0].replace("-", "_"): os.path.join(place, name)
		 for place, _, names in os.walk(kernel) for name in names if re.search(r"\.ko(\.\w+)?$", name)}

	def add(name):
		path = files.get(name.replace("-", "_"))
		if name in found or not path:
			return
		with open(path, "rb") as file:
			data = file.read()
		if path.endswith(".xz"):
			data = lzma.decompress(data)
		elif path.endswith(".zst"):
			data = subprocess.run(["zstd", "-qdc", path], stdout=subprocess.PIPE, check=True).stdout
		depends = re.search(rb"(?:^|\0)depends=([^\0]*)\0", data)
		for other in (depends[1].decode().split(",") if depends and depends[1] else []):
			add(other)
		found[name] = data

	for name in wanted:
		add(name)
	return list(found.items())
