/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * records.h - what launcher and host say to each other under protocol 2.
 *
 * The control channel is one AF_UNIX SOCK_SEQPACKET pair; one packet is one record: this header,
 * then `size_bytes` of payload in the struct named beside the type.  Both ends run on one machine
 * and were built together, so the structs are sent as they are; every field is fixed-width and the
 * padding is explicit and zero.  `sequence` starts at 0 and rises by one.  A record of unknown
 * type, wrong size or wrong sequence is a supervisor fault.
 */
#ifndef BV_LINUX_RECORDS_H
#define BV_LINUX_RECORDS_H

#include <stdint.h>

/* clang-format off */
enum bv_record_type {
	BV_RECORD_STATE = 1,     /* struct bv_record_state */
	BV_RECORD_REFUSAL = 2,   /* struct bv_record_refusal; then the launcher ends */
	BV_RECORD_FAULT = 3,     /* struct bv_record_fault: a step failed; nothing of the workload ran */
	BV_RECORD_INSTALLED = 4, /* struct bv_record_installed: look now, then send BV_COMMAND_RELEASE */
	BV_RECORD_EXEC = 5,      /* no payload: the workload was executed */
	BV_RECORD_DENIED = 6,    /* struct bv_record_denied: a kind of system call was denied, first time or total */
	BV_RECORD_EXIT = 7,      /* struct bv_record_exit: the main process ended and nothing of the tree is left */
	BV_RECORD_LIMIT = 8,     /* struct bv_record_limit: a limit was reached, and the end begins; once for each */
	BV_RECORD_USAGE = 9,     /* struct bv_record_usage: just before EXIT */
	BV_RECORD_STORAGE = 10,  /* struct bv_record_storage, before USAGE; carries the file system of staged directories */
};
/* clang-format on */

struct bv_record_header {
	uint32_t type;
	uint32_t size_bytes;
	uint64_t sequence;
	uint64_t monotonic_ns;
};

/* Same thirteen states, in the same order, as protocol 1. */
enum bv_launcher_state {
	BV_STATE_LAUNCHER_STARTED,
	BV_STATE_IDENTITY_VERIFIED,
	BV_STATE_PLAN_VERIFIED,
	BV_STATE_HANDLES_VERIFIED,
	BV_STATE_CHILD_CREATED,
	BV_STATE_IDENTITY_PHASE_RESOLVED,
	BV_STATE_VISIBILITY_PHASE_RESOLVED,
	BV_STATE_AMBIENT_AUTHORITY_PHASE_RESOLVED,
	BV_STATE_CONFINEMENT_PHASE_RESOLVED,
	BV_STATE_READY_TO_EXEC,
	BV_STATE_EXEC_SUCCEEDED,
	BV_STATE_SETUP_REFUSED,
	BV_STATE_SETUP_FAULTED,
	BV_STATE_COUNT,
};

struct bv_record_state {
	uint32_t state;
	uint32_t reserved;
};

/* Spelled as the notes of protocol 1 spell them. */
enum bv_launcher_refusal {
	BV_REFUSAL_MISSING_PRIMITIVE,
	BV_REFUSAL_IDENTITY_MISMATCH,
	BV_REFUSAL_PLAN_INVALID,
	BV_REFUSAL_HANDLE_MISMATCH,
	BV_REFUSAL_COUNT,
};

struct bv_record_refusal {
	uint32_t reason; /* enum bv_launcher_refusal */
	uint32_t reserved;
	char detail[240]; /* NUL-terminated */
};

/* clang-format off */
/*
 * Steps of the setup, in order (spec/linux.md 7.2).  Name, text for people.  Append only: reports
 * name them.
 */
#define BV_STEPS(X)                                                                                \
	X(BV_STEP_BOOT, "boot", "start the launcher")                                              \
	X(BV_STEP_PLAN, "plan", "read the launch plan")                                            \
	X(BV_STEP_IDMAP, "idmap", "make the user namespace that maps file owners")                 \
	X(BV_STEP_CLONE, "clone", "create the boundary's first process")                           \
	X(BV_STEP_USER_MAP, "user-map", "map user and group ids")                                  \
	X(BV_STEP_SESSION, "session", "start a new session")                                       \
	X(BV_STEP_SIGNALS, "signals", "reset signal handling")                                     \
	X(BV_STEP_MOUNT_PRIVATE, "mount-private", "cut mount propagation")                         \
	X(BV_STEP_MOUNT_ROOT, "mount-root", "make the private root")                               \
	X(BV_STEP_MOUNT_BIND, "mount-bind", "show a granted path")                                 \
	X(BV_STEP_MOUNT_DEV, "mount-dev", "make the private /dev")                                 \
	X(BV_STEP_MOUNT_PROC, "mount-proc", "mount the private /proc")                             \
	X(BV_STEP_MOUNT_TMP, "mount-tmp", "make the private /tmp")                                 \
	X(BV_STEP_PIVOT, "pivot", "enter the private root")                                        \
	X(BV_STEP_HOSTNAME, "hostname", "set the host name")                                       \
	X(BV_STEP_SYSCTL, "sysctl", "close namespace-wide switches")                               \
	X(BV_STEP_FORK, "fork", "create the workload's process")                                   \
	X(BV_STEP_TERMINAL, "terminal", "take the private terminal")                               \
	X(BV_STEP_LIMITS, "limits", "set resource limits")                                         \
	X(BV_STEP_FDS, "fds", "close descriptors")                                                 \
	X(BV_STEP_CWD, "cwd", "enter the working directory")                                       \
	X(BV_STEP_NO_NEW_PRIVS, "no-new-privs", "renounce new privileges")                         \
	X(BV_STEP_IDENTITY, "identity", "drop to an unprivileged user")                            \
	X(BV_STEP_CAPABILITIES, "capabilities", "drop capabilities")                               \
	X(BV_STEP_LANDLOCK, "landlock", "enter the Landlock ruleset")                              \
	X(BV_STEP_SECCOMP, "seccomp", "enter the system call filter")                              \
	X(BV_STEP_ATTEST, "attest", "wait for the host's look")                                    \
	X(BV_STEP_EXEC, "exec", "execute the program")                                             \
	X(BV_STEP_SUPERVISE, "supervise", "watch over the workload")                               \
	X(BV_STEP_STAGE, "stage", "keep changes apart from a granted directory")

enum bv_step {
#define BV_STEP_ROW(constant, name, text) constant,
	BV_STEPS(BV_STEP_ROW)
#undef BV_STEP_ROW
	BV_STEP_COUNT
};
/* clang-format on */

struct bv_record_fault {
	uint32_t step; /* enum bv_step */
	int32_t sys_errno;
	uint32_t index; /* which mount, rule or limit, for the steps that have many; else 0 */
	uint32_t reserved;
};

struct bv_record_installed {
	int32_t workload_pid; /* in the host's PID namespace */
	int32_t init_pid;     /* the boundary's PID 1 as the host sees it; 0 where there is none */
};

/*
 * Kinds of denied calls told apart: every call that has a name in three ABIs of a machine, so that no
 * flood of denials hides one.  What has no name is one kind for each architecture, known by the
 * first number.
 */
enum { BV_DENIED_KINDS_MAX = 1536 };

struct bv_record_denied {
	uint32_t arch; /* AUDIT_ARCH_ */
	uint32_t number;
	uint64_t
		count; /* so far; sent on the first and once more, with the total, before BV_RECORD_EXIT */
	uint64_t args[6]; /* of the first */
};

struct bv_record_exit {
	int32_t status;   /* as wait4(2) gives it, of the main process */
	uint32_t killed;  /* 1 if the launcher killed it (command, or host gone) */
	uint64_t wall_ns; /* exec to end */
	/* Of the whole tree, as far as it was reaped. */
	uint64_t user_us, system_us, max_rss_kib, minor_faults, major_faults;
	uint64_t voluntary_switches, involuntary_switches;
};

struct bv_record_limit {
	uint32_t dimension; /* enum bv_dimension; never one that the kernel holds */
	uint32_t reserved;
	uint64_t usage; /* when it was found reached, in the unit of the dimension */
};

/* What was used, as far as it was seen: see src/launcher/sampler.h. */
struct bv_record_usage {
	uint64_t cpu_us;        /* of the control group since exec, or as waited for and seen */
	uint64_t memory_bytes;  /* peak; 0: never looked */
	uint64_t tasks;         /* peak */
	uint64_t handles;       /* peak of one process */
	uint64_t looks;         /* at the tree */
	uint64_t longest_us;    /* between two of them, or from exec to the first */
	uint64_t tasks_refused; /* by the launcher, where it counts them */
	uint32_t blind; /* 1 if what had to be watched could not be any more, and so was killed */
	uint32_t reserved;
};

enum bv_storage_full { BV_STORAGE_TMP_FULL = 1, BV_STORAGE_STAGE_FULL = 2 };

/* What was stored, beside what the boundary's own file systems are made of. */
struct bv_record_storage {
	uint64_t used_bytes, limit_bytes; /* of its own file systems, at the end */
	uint64_t used_inodes, limit_inodes;
	uint64_t peak_bytes, peak_inodes; /* as seen, with what places of the host had grown by */
	uint64_t walks;                   /* through these places */
	uint64_t longest_us;              /* between two of them, or from exec to the first */
	uint32_t
		full; /* set over enum bv_storage_full: which was seen without a byte or an inode left */
	uint32_t unfinished; /* 1 if the last walk took too long, so that the end was not seen */
	uint32_t hidden;     /* 1 if it was ended for what could not be looked at */
	uint32_t reserved;
};

/* Host to launcher: one packet each. */
enum bv_command_type {
	BV_COMMAND_RELEASE = 1, /* the host has looked; go on */
	BV_COMMAND_KILL = 2,    /* kill the whole tree */
	BV_COMMAND_SIGNAL = 3,  /* argument: signal for the main process */
	BV_COMMAND_STOP = 4,    /* SIGTERM for the main process, and after the grace as KILL */
};

struct bv_command {
	uint32_t type;
	int32_t argument;
};

#endif
