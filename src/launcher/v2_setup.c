/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * v2_setup.c - turns the decoded work into one finished struct child_plan.
 *
 * Everything that allocates, resolves or compiles happens here, before the boundary's first process
 * exists; init and child then only walk finished memory.
 */
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/seccomp_filter.h"
#include "linux/sys.h"

static bool is_absolute(struct bv_str path)
{
	return path.len > 0 && path.data[0] == '/' && memchr(path.data, '\0', path.len) == NULL;
}

static bool has_nul(struct bv_str text)
{
	return text.len > 0 && memchr(text.data, '\0', text.len) != NULL;
}

static const char *check_namespaces(const struct bv_launch_work *work)
{
	const struct bv_launch_namespaces *ns = &work->namespaces;

	if (!work->has_namespaces)
		return work->has_root ? "a private root needs namespaces" : NULL;
	if (ns->uid_outside == 0 || ns->gid_outside == 0)
		return "the workload would be user or group 0 of the host";
	if (has_nul(ns->hostname) || ns->hostname.len > 64)
		return "the host name is too long";
	if (work->has_drop_to_uid || work->has_drop_to_gid)
		return "ids are mapped by the namespaces and dropped to as well";
	if (!work->has_root)
		return "namespaces without a private root";
	return NULL;
}

static const char *check_stage(const struct bv_launch_root *root)
{
	/* To tmpfs 0 means no limit. */
	if (root->has_stage && (root->stage.size_bytes == 0 || root->stage.inodes == 0))
		return "a file system for staged directories without a limit";
	if ((!root->has_stage || !root->stage.holds_tmp) && root->tmp_inodes == 0)
		return "a private /tmp without a limit";
	for (size_t i = 0; i < root->mounts.count; i++) {
		const struct bv_launch_mount *mount = &root->mounts.items[i];

		if (mount->has_staged && mount->staged &&
		    (!root->has_stage || !mount->directory || !mount->writable || mount->node))
			return "a staged mount that cannot be one";
	}
	return NULL;
}

static const char *check_root(const struct bv_launch_root *root)
{
	if (root->mounts.count > BV_LAUNCH_MOUNTS_MAX)
		return "too many mounts";
	for (size_t i = 0; i < root->mounts.count; i++) {
		if (!is_absolute(root->mounts.items[i].source) ||
		    !is_absolute(root->mounts.items[i].dest) || root->mounts.items[i].dest.len < 2)
			return "a mount whose paths are not absolute";
	}
	for (size_t i = 0; i < root->symlinks.count; i++) {
		if (!is_absolute(root->symlinks.items[i].path) ||
		    has_nul(root->symlinks.items[i].target))
			return "a symbolic link whose path is not absolute";
	}
	for (size_t i = 0; i < root->masked.count; i++) {
		if (!is_absolute(root->masked.items[i]) || root->masked.items[i].len < 2)
			return "a masked path that is not absolute";
	}
	for (size_t i = 0; root->has_rules && i < root->rules.count; i++) {
		if (!is_absolute(root->rules.items[i].path) || root->rules.items[i].path.len < 2)
			return "a Landlock rule inside whose path is not absolute";
	}
	return check_stage(root);
}

static const char *check_exec(const struct bv_launch_exec *exec)
{
	if (!is_absolute(exec->path) || !is_absolute(exec->cwd))
		return "the executable or the working directory is not absolute";
	if (exec->argv.count == 0)
		return "argv is empty";
	if (exec->fds.count > BV_LAUNCH_FDS_MAX)
		return "too many inherited descriptors";
	for (size_t i = 0; i < exec->argv.count; i++) {
		if (has_nul(exec->argv.items[i]))
			return "an argument holds a NUL";
	}
	for (size_t i = 0; i < exec->envp.count; i++) {
		if (has_nul(exec->envp.items[i]))
			return "an environment entry holds a NUL";
	}
	for (size_t i = 0; i < exec->fds.count; i++) {
		if (exec->fds.items[i] < 3 || exec->fds.items[i] > 65535 ||
		    (i > 0 && exec->fds.items[i] <= exec->fds.items[i - 1]))
			return "inherited descriptors are not ascending numbers from 3";
	}
	return NULL;
}

const char *launch_check(const struct bv_launch_work *work)
{
	const char *wrong = check_namespaces(work);

	if (wrong == NULL && work->has_root)
		wrong = check_root(&work->root);
	if (wrong == NULL)
		wrong = check_exec(&work->exec);
	for (size_t i = 0; wrong == NULL && work->has_landlock && i < work->landlock.rules.count;
	     i++) {
		if (!is_absolute(work->landlock.rules.items[i].path))
			wrong = "a Landlock rule whose path is not absolute";
	}
	if (wrong == NULL && work->has_drop_to_uid != work->has_drop_to_gid)
		wrong = "a user to become without a group, or the other way round";
	if (wrong == NULL && work->has_drop_to_uid &&
	    (work->drop_to_uid == 0 || work->drop_to_gid == 0))
		wrong = "the workload would be user or group 0 of the host";
	if (wrong == NULL && !work->has_namespaces && !work->has_drop_to_uid && geteuid() == 0)
		wrong = "the workload would stay user 0 of the host";
	if (wrong == NULL && work->has_namespaces && work->namespaces.idmap && geteuid() != 0)
		wrong = "only root can map file owners";
	if (wrong == NULL && work->has_limits && work->limits.interval_micros == 0 &&
	    (work->limits.has_resident_bytes || work->limits.has_process_count ||
	     work->limits.has_storage || (work->limits.has_cpu_micros && !work->has_group)))
		wrong = "a limit to be held by looking, and no time to look";
	return wrong;
}

/* A NULL-terminated vector of the list's texts, which the decoder NUL-terminated; NULL when the arena is full. */
static char **vector(struct launch *launch, const struct bv_str_list *list)
{
	char **out = bv_arena_array(launch->arena, list->count + 1, sizeof(*out));

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < list->count; i++)
		out[i] = (char *)(uintptr_t)list->items[i].data;
	return out;
}

static uint64_t mount_attributes(const struct bv_launch_mount *mount)
{
	uint64_t attributes = BV_MOUNT_ATTR_NOSUID;

	if (!mount->node)
		attributes |= BV_MOUNT_ATTR_NODEV;
	if (!mount->writable)
		attributes |= BV_MOUNT_ATTR_RDONLY;
	if (!mount->executable)
		attributes |= BV_MOUNT_ATTR_NOEXEC;
	return attributes;
}

static const char *stage_path(struct launch *launch, size_t index, const char *part)
{
	return bv_arena_format(launch->arena, "proc/%zu%s", index, part).data;
}

/* Where the parts of staged mount `index` lie, see child_stage.c; NULL when the arena is full. */
static const struct child_stage *stage_of(struct launch *launch, size_t index)
{
	struct child_stage *stage = bv_arena_array(launch->arena, 1, sizeof(*stage));

	if (stage == NULL)
		return NULL;
	*stage = (struct child_stage){
		.dir = stage_path(launch, index, ""),
		.lower = stage_path(launch, index, "/lower"),
		.upper = stage_path(launch, index, "/upper"),
		.work = stage_path(launch, index, "/work"),
	};
	return stage->dir != NULL && stage->lower != NULL && stage->upper != NULL &&
			       stage->work != NULL
		       ? stage
		       : NULL;
}

/*
 * Root clones the trees itself: only real root may map owners, and the boundary's user could not
 * even reach what lies behind directories of root's.  Anyone else leaves it to init, whose user
 * namespace grants the clone.
 */
static int prepare_mounts(struct launch *launch, uint32_t *ret_index)
{
	const struct bv_launch_root *root = &launch->work->root;
	struct child_mount *mounts = bv_arena_array(launch->arena, root->mounts.count,
						    sizeof(*mounts));
	bool here = geteuid() == 0;

	if (mounts == NULL && root->mounts.count > 0) {
		errno = ENOMEM;
		return -1;
	}
	for (size_t i = 0; i < root->mounts.count; i++) {
		const struct bv_launch_mount *from = &root->mounts.items[i];
		struct child_mount *to = &mounts[i];

		*ret_index = (uint32_t)i;
		*to = (struct child_mount){
			.source = from->source.data,
			.dest = from->dest.data + 1,
			.device = from->device,
			.inode = from->inode,
			.access = from->access,
			.attributes = mount_attributes(from),
			.tree_fd = -1,
			.directory = from->directory,
		};
		if (from->has_staged && from->staged) {
			to->stage = stage_of(launch, i);
			if (to->stage == NULL) {
				errno = ENOMEM;
				return -1;
			}
		}
		if (here)
			to->tree_fd = child_open_tree(to, from->idmapped ? launch->idmap_fd : -1);
		if (here && to->tree_fd < 0)
			return -1;
	}
	*ret_index = 0;
	launch->plan.mounts = mounts;
	launch->plan.mount_count = root->mounts.count;
	return 0;
}

/*
 * A right on the root holds for all below it.  Listing the root's own directories is harmless, and
 * expected, unless some granted directory may not be listed itself.
 */
static uint64_t right_to_list(const struct bv_launch_root *root)
{
	for (size_t i = 0; i < root->mounts.count; i++) {
		if (root->mounts.items[i].directory &&
		    !(root->mounts.items[i].access & BV_LANDLOCK_READ_DIR))
			return 0;
	}
	return BV_LANDLOCK_READ_DIR;
}

static int prepare_rules(struct launch *launch)
{
	const struct bv_launch_root *root = &launch->work->root;
	const size_t count = root->has_rules ? root->rules.count : 0;
	struct child_rule *rules = bv_arena_array(launch->arena, count + 1, sizeof(*rules));

	if (rules == NULL)
		return -1;
	for (size_t i = 0; i < count; i++)
		rules[i] = (struct child_rule){root->rules.items[i].path.data + 1,
					       root->rules.items[i].access};
	launch->plan.rules = rules;
	launch->plan.rule_count = count;
	return 0;
}

static const char *decimal(struct launch *launch, uint64_t number)
{
	return bv_arena_format(launch->arena, "%llu", (unsigned long long)number).data;
}

static int prepare_sizes(struct launch *launch)
{
	const struct bv_launch_root *root = &launch->work->root;
	struct child_plan *plan = &launch->plan;

	if (root->has_stage) {
		plan->stage_size = decimal(launch, root->stage.size_bytes);
		plan->stage_inodes = decimal(launch, root->stage.inodes);
		if (plan->stage_size == NULL || plan->stage_inodes == NULL)
			return -1;
		if (root->stage.holds_tmp)
			return 0;
	}
	/* 0 would be no bound; then nothing may be written there, but mount points need a little. */
	plan->tmp_size = decimal(launch, root->tmp_bytes != 0 ? root->tmp_bytes : 65536);
	plan->tmp_inodes = decimal(launch, root->tmp_inodes);
	return plan->tmp_size != NULL && plan->tmp_inodes != NULL ? 0 : -1;
}

static int prepare_root(struct launch *launch, uint32_t *ret_index)
{
	const struct bv_launch_root *root = &launch->work->root;
	struct child_plan *plan = &launch->plan;
	struct child_link *links = bv_arena_array(launch->arena, root->symlinks.count + 1,
						  sizeof(*links));
	const char **masked = bv_arena_array(launch->arena, root->masked.count + 1,
					     sizeof(*masked));

	if (links == NULL || masked == NULL || prepare_rules(launch) != 0)
		return -1;
	for (size_t i = 0; i < root->symlinks.count; i++) {
		links[i].path = root->symlinks.items[i].path.data + 1;
		links[i].target = root->symlinks.items[i].target.data;
	}
	for (size_t i = 0; i < root->masked.count; i++)
		masked[i] = root->masked.items[i].data + 1;
	plan->links = links;
	plan->link_count = root->symlinks.count;
	plan->masked = masked;
	plan->masked_count = root->masked.count;
	if (prepare_sizes(launch) != 0)
		return -1;
	plan->root_access = right_to_list(root) & launch->work->landlock.handled_fs;
	plan->root = true;
	return prepare_mounts(launch, ret_index);
}

static int add_host_rules(struct launch *launch, const struct bv_launch_landlock *landlock,
			  uint32_t *ret_index)
{
	static const struct bv_open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS,
	};

	for (size_t i = 0; i < landlock->rules.count; i++) {
		const struct bv_launch_rule *rule = &landlock->rules.items[i];
		struct stat seen;
		int fd = bv_sys_openat2(AT_FDCWD, rule->path.data, &how);

		*ret_index = (uint32_t)i;
		/* An outer sandbox, ours among them, may not let openat2 through.  Where a link on the way was
		 * swapped the next lines see another file. */
		if (fd < 0 && (errno == ENOSYS || errno == EPERM))
			fd = open(rule->path.data, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &seen) != 0)
			return -1;
		if (seen.st_dev != rule->device || seen.st_ino != rule->inode) {
			errno = ESTALE;
			return -1;
		}
		if (bv_sys_landlock_add_path(launch->plan.ruleset_fd, fd, rule->access) != 0)
			return -1;
		close(fd);
	}
	*ret_index = 0;
	return 0;
}

static int prepare_landlock(struct launch *launch, uint32_t *ret_index)
{
	const struct bv_launch_landlock *landlock = &launch->work->landlock;
	const struct bv_landlock_ruleset_attr attr = {landlock->handled_fs, landlock->handled_net,
						      landlock->scoped};
	const uint64_t tmp = BV_LANDLOCK_READ_FILE | BV_LANDLOCK_READ_DIR | BV_LANDLOCK_WRITE_FILE |
			     BV_LANDLOCK_REMOVE_DIR | BV_LANDLOCK_REMOVE_FILE |
			     BV_LANDLOCK_MAKE_DIR | BV_LANDLOCK_MAKE_REG | BV_LANDLOCK_MAKE_SOCK |
			     BV_LANDLOCK_MAKE_FIFO | BV_LANDLOCK_MAKE_SYM | BV_LANDLOCK_REFER |
			     BV_LANDLOCK_TRUNCATE | BV_LANDLOCK_RESOLVE_UNIX;
	const uint64_t proc = BV_LANDLOCK_READ_FILE | BV_LANDLOCK_READ_DIR |
			      BV_LANDLOCK_WRITE_FILE | BV_LANDLOCK_TRUNCATE;

	launch->plan.ruleset_fd = -1;
	if (!launch->work->has_landlock)
		return 0;
	launch->plan.ruleset_fd = bv_sys_landlock_create_ruleset(&attr, bv_sys_landlock_abi());
	if (launch->plan.ruleset_fd < 0)
		return -1;
	launch->plan.tmp_access = launch->work->root.tmp_bytes != 0 ? tmp & landlock->handled_fs
								    : 0;
	launch->plan.proc_access = proc & landlock->handled_fs;
	return add_host_rules(launch, landlock, ret_index);
}

static int prepare_filter(struct launch *launch)
{
	struct sock_filter *instructions = bv_arena_array(launch->arena, BV_LAUNCH_FILTER_MAX,
							  sizeof(*instructions));
	size_t count = 0;

	if (instructions == NULL ||
	    bv_seccomp_compile(&launch->work->seccomp, instructions, BV_LAUNCH_FILTER_MAX, &count,
			       NULL) != BV_OK) {
		errno = EINVAL;
		return -1;
	}
	if (launch_counts_tasks(launch) &&
	    bv_seccomp_ask_for_tasks(&launch->work->seccomp, instructions, BV_LAUNCH_FILTER_MAX,
				     &count, NULL) != BV_OK) {
		errno = EINVAL;
		return -1;
	}
	if (launch->work->has_limits && bv_seccomp_forbids_hiding(&launch->work->limits) &&
	    bv_seccomp_refuse_hiding(instructions, BV_LAUNCH_FILTER_MAX, &count, NULL) != BV_OK) {
		errno = EINVAL;
		return -1;
	}
	launch->plan.filter = (struct sock_fprog){(unsigned short)count, instructions};
	launch->plan.filter_flags = launch->work->seccomp.notify ? BV_SECCOMP_FLAG_NEW_LISTENER : 0;
	return 0;
}

static int prepare_limits(struct launch *launch)
{
	const struct bv_launch_rlimit_list *from = &launch->work->rlimits;
	struct child_limit *limits = bv_arena_array(launch->arena, from->count + 1,
						    sizeof(*limits));

	if (limits == NULL)
		return -1;
	for (size_t i = 0; i < from->count; i++)
		limits[i] = (struct child_limit){(int)from->items[i].resource,
						 {from->items[i].soft, from->items[i].hard}};
	launch->plan.limits = limits;
	launch->plan.limit_count = from->count;
	return 0;
}

/*
 * Without a private root the path could be swapped between the host's look and exec, so the file
 * that was looked at is executed by descriptor.  A script's interpreter must find the script again
 * by name, so there the path is used, and checked just before.
 */
static int prepare_exe(struct launch *launch)
{
	const struct bv_launch_exec *exec = &launch->work->exec;
	struct child_plan *plan = &launch->plan;
	struct stat seen;
	char magic[2] = {0, 0};
	int look;

	plan->exe_fd = -1;
	if (plan->root)
		return 0;
	plan->exe_fd = open(plan->exe_path, O_PATH | O_CLOEXEC);
	if (plan->exe_fd < 0 || fstat(plan->exe_fd, &seen) != 0)
		return -1;
	if (seen.st_dev != exec->device || seen.st_ino != exec->inode) {
		errno = ESTALE;
		return -1;
	}
	look = open(plan->exe_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (look >= 0 && read(look, magic, sizeof(magic)) == sizeof(magic) &&
	    memcmp(magic, "#!", 2) == 0) {
		close(plan->exe_fd);
		plan->exe_fd = -1;
	}
	if (look >= 0)
		close(look);
	return 0;
}

static int prepare_exec(struct launch *launch)
{
	const struct bv_launch_exec *exec = &launch->work->exec;
	struct child_plan *plan = &launch->plan;

	plan->exe_path = exec->path.data;
	plan->exe_device = exec->device;
	plan->exe_inode = exec->inode;
	plan->argv = vector(launch, &exec->argv);
	plan->envp = vector(launch, &exec->envp);
	plan->cwd = exec->cwd.data;
	plan->terminal = exec->terminal;
	plan->fds = exec->fds.items;
	plan->fd_count = exec->fds.count;
	/* The host's own came along with this process; it can only be read by setting it. */
	plan->umask = exec->umask <= 0777 ? (mode_t)exec->umask : umask(022);
	(void)umask(022);
	plan->attest = launch->work->attest;
	if (plan->argv == NULL || plan->envp == NULL) {
		errno = ENOMEM;
		return -1;
	}
	return prepare_exe(launch);
}

static int prepare_identity(struct launch *launch)
{
	const struct bv_launch_work *work = launch->work;
	struct child_plan *plan = &launch->plan;

	plan->namespaces = work->has_namespaces;
	plan->hostname = "";
	if (work->has_namespaces) {
		plan->uid = work->namespaces.uid_inside;
		plan->gid = work->namespaces.gid_inside;
		plan->become_ids = geteuid() == 0;
		plan->setgroups_allowed = plan->become_ids;
		plan->hostname = work->namespaces.hostname.data;
	} else if (work->has_drop_to_uid) {
		plan->uid = work->drop_to_uid;
		plan->gid = work->drop_to_gid;
		plan->drop_ids = true;
	}
	launch->idmap_fd = -1;
	if (work->has_namespaces && work->namespaces.idmap) {
		launch->idmap_fd = launch_make_idmap(&work->namespaces);
		if (launch->idmap_fd < 0)
			return -1;
	}
	return 0;
}

static int prepare_channels(struct launch *launch)
{
	int channel[2], exec_pipe[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0 ||
	    pipe2(exec_pipe, O_CLOEXEC) != 0)
		return -1;
	launch->channel_fd = channel[0];
	launch->plan.channel_fd = channel[1];
	launch->exec_read_fd = exec_pipe[0];
	launch->plan.exec_fd = exec_pipe[1];
	return 0;
}

int launch_prepare(struct launch *launch, enum bv_step *ret_step, uint32_t *ret_index)
{
	*ret_index = 0;
	*ret_step = BV_STEP_BOOT;
	if (prepare_channels(launch) != 0)
		return -1;
	*ret_step = BV_STEP_IDMAP;
	if (prepare_identity(launch) != 0)
		return -1;
	*ret_step = BV_STEP_LANDLOCK;
	if (prepare_landlock(launch, ret_index) != 0)
		return -1;
	*ret_step = BV_STEP_SECCOMP;
	if (prepare_filter(launch) != 0)
		return -1;
	*ret_step = BV_STEP_LIMITS;
	if (prepare_limits(launch) != 0 || launch_limits_prepare(launch) != 0)
		return -1;
	*ret_step = BV_STEP_MOUNT_BIND;
	if (launch->work->has_root && prepare_root(launch, ret_index) != 0)
		return -1;
	*ret_step = BV_STEP_EXEC;
	return prepare_exec(launch);
}
