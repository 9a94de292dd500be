/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * start.c - builds what a run needs around the launcher and starts it.
 *
 * The launcher gets five descriptors and no more: the three standard streams of the workload, the
 * sealed plan, and its end of the control channel; and those the plan says are inherited.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "contract/canon.h"
#include "contract/frame.h"
#include "spawn.h"
#include "sys.h"

enum {
	ARENA_BYTES = 64 << 20, /* address space; pages are taken as they are used */
	ROWS_DEFAULT = 24,
	COLUMNS_DEFAULT = 80,
	LAUNCH_PROTOCOL = 2,
};

/* The launcher's ends; closed here once it has been started. */
struct channels {
	int stdio[3];
	int plan;
	int control;
};

static enum bv_code fail(struct bv_error *err, const char *what)
{
	return bv__fail_errno(err, BV_E_SYSTEM, "launch", what);
}

/* ---- the plan -------------------------------------------------------------------------------- */

static int make_memfd(void)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = bv_sys_memfd_create("bvisor-launch-plan", flags | BV_MFD_NOEXEC_SEAL);

	/* Until 6.3 is the oldest kernel: the flag is unknown before. */
	return fd < 0 && errno == EINVAL ? bv_sys_memfd_create("bvisor-launch-plan", flags) : fd;
}

/* Encodes the plan into a sealed memory file.  Its bytes hold secrets and are wiped here. */
static enum bv_code make_plan(struct bv_backend_run *run, int *ret_fd, struct bv_error *err)
{
	const size_t body_bytes = bv_canon_size(&bv_launch_body2_type, &run->lowered.body);
	const size_t frame_bytes = BV_FRAME_HEADER_SIZE + body_bytes;
	uint8_t *frame = malloc(frame_bytes);
	struct bv_writer writer;
	enum bv_code code = BV_OK;
	int fd = -1;

	if (frame == NULL)
		return bv_fail(err, BV_E_MEMORY, "launch", "no memory for the launch plan");
	writer = (struct bv_writer){.data = frame + BV_FRAME_HEADER_SIZE, .capacity = body_bytes};
	bv_canon_encode(&writer, &bv_launch_body2_type, &run->lowered.body);
	if (!bv_frame_seal(LAUNCH_PROTOCOL, frame + BV_FRAME_HEADER_SIZE, body_bytes, frame))
		code = bv_fail(err, BV_E_INVALID_POLICY, "launch", "the launch plan is too long");
	if (code == BV_OK) {
		fd = make_memfd();
		if (fd < 0 || !bv__write_all(fd, frame, frame_bytes) ||
		    lseek(fd, 0, SEEK_SET) != 0 ||
		    fcntl(fd, F_ADD_SEALS,
			  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
			code = fail(err, "the launch plan cannot be sealed");
	}
	explicit_bzero(frame, frame_bytes);
	free(frame);
	*ret_fd = fd;
	return code;
}

/* Once the plan is sealed nobody here needs the values any more. */
static void forget_secrets(struct bv_backend_run *run)
{
	const struct bv_str_list *envp = &run->lowered.body.work.exec.envp;

	for (size_t i = 0; i < envp->count; i++)
		explicit_bzero((void *)(uintptr_t)envp->items[i].data, envp->items[i].len);
	run->lowered.body.work.exec.envp.count = 0;
	run->options.secrets = NULL;
	run->options.secret_count = 0;
}

/* ---- standard streams ------------------------------------------------------------------------ */

/* The workload may reopen its own streams by /proc/self/fd, as shells do for /dev/stderr. */
static void give_to_workload(const struct bv_backend_run *run, int fd)
{
	const struct bv_launch_work *work = &run->lowered.body.work;

	if (!run->lowered.layers.root)
		return;
	/* A workload that cannot reopen them still has them. */
	if (fchown(fd, work->has_namespaces ? work->namespaces.uid_outside : work->drop_to_uid,
		   work->has_namespaces ? work->namespaces.gid_outside : work->drop_to_gid) != 0)
		errno = 0;
}

static enum bv_code make_terminal(struct bv_backend_run *run, struct channels *channels,
				  struct bv_error *err)
{
	const struct winsize size = {
		.ws_row = run->options.terminal_rows ? run->options.terminal_rows : ROWS_DEFAULT,
		.ws_col = run->options.terminal_columns ? run->options.terminal_columns
							: COLUMNS_DEFAULT,
	};
	int unlocked = 0;
	int master = openat(AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	int slave = -1;

	run->terminal_fd = master;
	if (master >= 0 && ioctl(master, TIOCSPTLCK, &unlocked) == 0)
		slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	channels->stdio[0] = slave;
	if (slave < 0 || ioctl(slave, TIOCSWINSZ, &size) != 0)
		return fail(err, "no pseudo-terminal can be had");
	give_to_workload(run, slave);
	channels->stdio[1] = fcntl(slave, F_DUPFD_CLOEXEC, 3);
	channels->stdio[2] = fcntl(slave, F_DUPFD_CLOEXEC, 3);
	run->streams[0].fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
	run->streams[0].terminal = true;
	run->input_fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
	if (channels->stdio[1] < 0 || channels->stdio[2] < 0 || run->streams[0].fd < 0 ||
	    run->input_fd < 0)
		return fail(err, "no descriptors for the pseudo-terminal");
	return BV_OK;
}

static bool make_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static enum bv_code make_pipes(struct bv_backend_run *run, struct channels *channels,
			       struct bv_error *err)
{
	for (int i = 0; i < BV_RUN_STREAMS; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) != 0)
			return fail(err, "no pipe for a standard stream");
		run->streams[i].fd = ends[0];
		channels->stdio[1 + i] = ends[1];
		/* Only our end: the flag belongs to the end, and the workload's must block. */
		if (!make_nonblocking(ends[0]))
			return fail(err, "a standard stream cannot be made nonblocking");
		give_to_workload(run, ends[1]);
	}
	if (run->lowered.stdin_relay) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) != 0)
			return fail(err, "no pipe for standard input");
		channels->stdio[0] = ends[0];
		run->input_fd = ends[1];
		if (!make_nonblocking(ends[1]))
			return fail(err, "standard input cannot be made nonblocking");
		give_to_workload(run, ends[0]);
	} else {
		channels->stdio[0] = openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (channels->stdio[0] < 0)
			return fail(err, "/dev/null cannot be opened for standard input");
	}
	return BV_OK;
}

static enum bv_code make_streams(struct bv_backend_run *run, struct channels *channels,
				 struct bv_error *err)
{
	const struct bv_lowered *lowered = &run->lowered;
	enum bv_code code = bv__stream_init(&run->streams[0], 0,
					    lowered->captures_stdout ? lowered->capture_limit : 0,
					    lowered->output_limit, err);

	if (code == BV_OK)
		code = bv__stream_init(&run->streams[1], 1,
				       lowered->captures_stderr ? lowered->capture_limit : 0,
				       lowered->output_limit, err);
	if (code != BV_OK)
		return code;
	return lowered->terminal ? make_terminal(run, channels, err)
				 : make_pipes(run, channels, err);
}

/* ---- the launcher ---------------------------------------------------------------------------- */

/* The lowest number from `number` on that is not inherited. */
static int free_number(const struct bv_u32_list *inherited, int number)
{
	for (bool taken = true; taken;) {
		taken = false;
		for (size_t i = 0; i < inherited->count && !taken; i++)
			taken = inherited->items[i] == (uint32_t)number;
		if (taken)
			number++;
	}
	return number;
}

static enum bv_code start_launcher(struct bv_backend_run *run, const struct channels *channels,
				   const struct bv_launcher_file *file, struct bv_error *err)
{
	const struct bv_u32_list *inherited = &run->lowered.body.work.exec.fds;
	const int plan = free_number(inherited, 3), control = free_number(inherited, plan + 1),
		  group = free_number(inherited, control + 1);
	char name[] = "bvisor-linux-launcher", plan_env[64], control_env[64], group_env[64];
	char *const argv[] = {name, NULL};
	char *const envp[] = {plan_env, control_env, run->group.fd >= 0 ? group_env : NULL, NULL};
	struct bv_spawn spawn = {.exe_fd = file->fd, .argv = argv, .envp = envp};

	(void)snprintf(plan_env, sizeof(plan_env), "BVISOR_LAUNCH_PLAN_FD=%d", plan);
	(void)snprintf(control_env, sizeof(control_env), "BVISOR_CONTROL_FD=%d", control);
	for (int i = 0; i < 3; i++)
		spawn.fds[spawn.fd_count++] = (struct bv_spawn_fd){channels->stdio[i], i};
	spawn.fds[spawn.fd_count++] = (struct bv_spawn_fd){channels->plan, plan};
	spawn.fds[spawn.fd_count++] = (struct bv_spawn_fd){channels->control, control};
	(void)snprintf(group_env, sizeof(group_env), "BVISOR_CGROUP_FD=%d", group);
	if (run->group.fd >= 0)
		spawn.fds[spawn.fd_count++] = (struct bv_spawn_fd){run->group.fd, group};
	for (size_t i = 0; i < inherited->count; i++)
		spawn.fds[spawn.fd_count++] = (struct bv_spawn_fd){(int)inherited->items[i],
								   (int)inherited->items[i]};
	return bv__spawn(&spawn, &run->launcher_pid, &run->launcher_pidfd, err);
}

static enum bv_code make_control(struct bv_backend_run *run, struct channels *channels,
				 struct bv_error *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return fail(err, "no channel to the launcher");
	run->control_fd = ends[0];
	channels->control = ends[1];
	return BV_OK;
}

/* The run's control group, with the limits that the kernel holds there. */
static enum bv_code make_group(struct bv_backend_run *run, struct bv_error *err)
{
	const struct bv_layers *layers = &run->lowered.layers;
	struct bv_launch_work *work = &run->lowered.body.work;
	const struct bv_admitted_budgets *budgets = &run->plan->budgets;
	const struct bv_str place = bv__fact_text(&run->plan->profile, BV_FACT_CGROUP);
	struct bv_cgroup_limits limits = {UINT64_MAX, UINT64_MAX};
	struct stat seen;
	enum bv_code code;

	if (!layers->group)
		return BV_OK;
	if (layers->group_memory && budgets->has_resident_bytes)
		limits.memory_bytes = budgets->resident_bytes.effective_limit;
	if (layers->group_pids && budgets->has_process_count &&
	    /* The boundary's PID 1 is a member too. */
	    !bv_add(budgets->process_count.effective_limit, layers->namespaces ? 1 : 0,
		    &limits.tasks))
		limits.tasks = UINT64_MAX;
	code = bv__cgroup_make(bv_arena_copy(&run->arena, place).data, &limits, &run->group, err);
	if (code != BV_OK)
		return code;
	if (fstat(run->group.fd, &seen) != 0)
		return fail(err, "the control group cannot be looked at");
	work->has_group = true;
	work->group = (struct bv_launch_group){seen.st_dev, seen.st_ino};
	return BV_OK;
}

static enum bv_code launch(struct bv_backend_run *run, struct channels *channels,
			   struct bv_error *err)
{
	struct bv_launcher_file file = {.fd = -1};
	enum bv_code code = bv__launcher_open(&file, err);

	if (code == BV_OK)
		code = make_streams(run, channels, err);
	if (code == BV_OK)
		code = make_group(run, err);
	if (code == BV_OK) {
		bv__lower_seal(&run->lowered);
		code = make_plan(run, &channels->plan, err);
	}
	forget_secrets(run);
	if (code == BV_OK)
		code = make_control(run, channels, err);
	if (code == BV_OK)
		code = start_launcher(run, channels, &file, err);
	bv__launcher_close(&file);
	return code;
}

/* A run that nothing was done for yet; NULL without memory. */
static struct bv_backend_run *new_run(const struct bv_boundary_plan *plan,
				      const struct bv_backend_options *options)
{
	struct bv_backend_run *run = calloc(1, sizeof(*run));

	if (run == NULL)
		return NULL;
	run->plan = plan;
	run->options = *options;
	run->epoll_fd = run->timer_fd = run->control_fd = run->launcher_pidfd = run->input_fd =
		run->terminal_fd = run->stage_fd = -1;
	run->streams[0].fd = run->streams[1].fd = -1;
	run->group.fd = -1;
	return run;
}

static enum bv_code prepare(struct bv_backend_run *run, struct bv_error *err)
{
	struct timespec now;
	void *room = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		return fail(err, "no memory for a run");
	bv_arena_init(&run->arena, room, ARENA_BYTES);
	/* Values of secrets pass through it. */
	(void)madvise(room, ARENA_BYTES, MADV_DONTDUMP);
	clock_gettime(CLOCK_REALTIME, &now);
	run->started_unix_micros = (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
	bv__transcript_init(&run->transcript);
	bv_hash_init(&run->input_hash);
	return BV_OK;
}

enum bv_code bv__run_check(const struct bv_boundary_plan *plan,
			   const struct bv_backend_options *options, struct bv_error *err)
{
	struct bv_backend_run *run = new_run(plan, options);
	enum bv_code code;

	if (run == NULL)
		return bv_fail(err, BV_E_MEMORY, "launch", "no memory for a run");
	code = prepare(run, err);
	if (code == BV_OK)
		code = bv__lower(&run->arena, plan, options, &run->lowered, err);
	bv__run_free(run);
	return code;
}

enum bv_code bv__run_start(void *self, const struct bv_boundary_plan *plan,
			   const struct bv_backend_options *options,
			   struct bv_backend_run **ret_run, struct bv_error *err)
{
	struct channels channels = {{-1, -1, -1}, -1, -1};
	struct bv_backend_run *run = new_run(plan, options);
	enum bv_code code;

	(void)self;
	if (run == NULL)
		return bv_fail(err, BV_E_MEMORY, "launch", "no memory for a run");
	code = prepare(run, err);
	if (code == BV_OK)
		code = bv__lower(&run->arena, plan, options, &run->lowered, err);
	if (code == BV_OK && run->lowered.exe_errno == 0)
		code = bv__stage_begin(&run->lowered.body.work.root, &run->stage, err);
	if (code == BV_OK && run->lowered.exe_errno == 0)
		code = bv__output_begin(&run->lowered, &run->output, err);
	if (code == BV_OK && run->lowered.exe_errno == 0)
		code = launch(run, &channels, err);
	for (int i = 0; i < 3; i++) {
		if (channels.stdio[i] >= 0)
			close(channels.stdio[i]);
	}
	if (channels.plan >= 0)
		close(channels.plan);
	if (channels.control >= 0)
		close(channels.control);
	if (code == BV_OK)
		code = bv__run_watch(run, err);
	if (code != BV_OK) {
		bv__run_free(run);
		return code;
	}
	*ret_run = run;
	return BV_OK;
}
