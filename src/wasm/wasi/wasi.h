/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * wasi.h - the functions of `wasi_snapshot_preview1`, for any engine.
 *
 * The engine binds each entry of wasi_functions by name and signature; its one trampoline fills a
 * struct wasi_call and hands both to wasi_invoke.  Everything a guest can pass is answered with an
 * errno of the standard, never with a crash.  A guest has what the configuration hands over, and
 * nothing else: no path is ever resolved but beneath the descriptor of a preopened directory.
 *
 * One guest, one thread.  Whoever runs it ignores SIGPIPE, and SIGXFSZ where RLIMIT_FSIZE is set.
 * docs/wasi.md says what of the standard is answered how.
 */
#ifndef BV_WASM_WASI_H
#define BV_WASM_WASI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bvisor/error.h>

struct wasi;

/* ---- what the guest is given --------------------------------------------------------------------- */

/* What a preopened directory, and whatever is opened through it, may be used for. */
enum wasi_access {
	WASI_ACCESS_READ = 1,  /* contents, names and attributes */
	WASI_ACCESS_WRITE = 2, /* to make, change and remove */
};

#define WASI_UNLIMITED UINT64_MAX

enum {
	WASI_STDIN = 0,
	WASI_STDOUT = 1,
	WASI_STDERR = 2,
	WASI_STREAM_COUNT = 3,

	WASI_HANDLES_MAX = 4096,      /* the table is allocated whole */
	WASI_IOVECS_MAX = 1024,       /* of one call, as IOV_MAX */
	WASI_SUBSCRIPTIONS_MAX = 256, /* of one poll_oneoff */
	WASI_IO_BYTES_MAX = 1 << 20,  /* what one call moves at most; it says how much it was */
	WASI_DENIALS_MAX = 64,        /* what is listed; all are counted */
	WASI_DENIED_PATH_SIZE = 256,
};

struct wasi_preopen {
	const char *name;    /* what the guest knows it by */
	int dir_fd;          /* a directory; O_PATH will do */
	unsigned int access; /* of enum wasi_access, at least one */
};

struct wasi_limits {
	uint64_t handles; /* open at a time: streams, preopens and all; at most WASI_HANDLES_MAX */
	uint64_t
		storage_bytes; /* by how much files below the preopens may grow, in what they occupy */
	uint64_t entries;      /* files, directories and links made */
	uint64_t
		output_bytes; /* of each of stdout and stderr; more is accepted, counted and dropped */
};

struct wasi_denial;

struct wasi_config {
	const char *const *args;
	size_t arg_count;
	const char *const *env; /* NAME=value */
	size_t env_count;
	const struct wasi_preopen *preopens;
	size_t preopen_count;
	/* -1: the guest finds it at its end (stdin), or what it writes is counted and dropped. */
	int stream_fds[WASI_STREAM_COUNT];
	uint64_t deadline_ns; /* of CLOCK_MONOTONIC; no wait is longer.  0: none */
	/*
	 * Random bytes from `seed`; every clock begins at `clock_ns`, goes on by a microsecond each time
	 * it is read and jumps over a sleep.
	 */
	bool deterministic;
	uint64_t clock_ns;
	uint64_t seed;
	struct wasi_limits limits;
	/* Told of each refusal at once, for who may be killed before wasi_observe; NULL: nobody. */
	void (*on_denied)(const struct wasi_denial *denial, size_t index);
};

/*
 * Copies what `config` points to; its descriptors stay the caller's, are not closed by the guest's
 * closing them, and must outlive the result.  wasi_close(NULL) is fine.
 */
enum bv_code wasi_open(const struct wasi_config *config, struct wasi **ret, struct bv_error *err);
void wasi_close(struct wasi *wasi);

/* ---- calls ----------------------------------------------------------------------------------------- */

/* The guest's exported memory as it is now: taken anew for every call.  NULL, 0: it has none. */
struct wasi_memory {
	uint8_t *data;
	uint64_t size;
};

struct wasi_call {
	struct wasi *wasi;
	struct wasi_memory memory;
	const uint64_t *args; /* as many as the signature has; an i32 is extended with zeros */
	/* Set by wasi_invoke: */
	uint64_t charge;    /* fuel it costs; the same whenever the guest sees the same result */
	bool exited;        /* proc_exit: do not go on in the guest */
	uint32_t exit_code; /* of it */
	bool expired;       /* the deadline ended a wait: do not go on in the guest */
};

struct wasi_function {
	const char *name;
	const char *params; /* a letter each: 'i' is i32, 'I' is i64 */
	bool returns;       /* an i32, the errno; proc_exit alone has none */
	uint32_t (*call)(struct wasi_call *call);
	uint32_t charge; /* fuel, before what is moved */
};

#define WASI_MODULE "wasi_snapshot_preview1"

/* All of the module, by name. */
extern const struct wasi_function wasi_functions[];
extern const size_t wasi_function_count;

const struct wasi_function *wasi_function_find(const char *name);
uint32_t wasi_invoke(const struct wasi_function *function, struct wasi_call *call);

/* ---- what was seen ----------------------------------------------------------------------------------- */

enum wasi_denial_reason {
	WASI_DENIED_OUTSIDE, /* the path leads out of its directory */
	WASI_DENIED_READ,    /* the preopened directory is not to be read */
	WASI_DENIED_WRITE,   /* ... not to be written */
	WASI_DENIED_ACROSS,  /* a link or a rename between directories of different access */
	WASI_DENIED_KIND,    /* a device, a FIFO or a socket */
	WASI_DENIED_HOST,    /* the kernel refused: the wall behind this one */
	WASI_DENIED_NETWORK, /* a function of sockets */
	WASI_DENIAL_REASON_COUNT,
};

/* "outside", ...: static. */
const char *wasi_denial_reason_name(enum wasi_denial_reason reason);

/* One function, path and reason, however often. */
struct wasi_denial {
	const char *function;
	enum wasi_denial_reason reason;
	char path[WASI_DENIED_PATH_SIZE]; /* as the guest knows it, cut where it is longer; UTF-8 */
	uint64_t count;
};

struct wasi_stream_report {
	uint64_t bytes;         /* read from stdin; written to the others, with what was dropped */
	uint64_t dropped_bytes; /* past the limit, or for want of a descriptor */
};

struct wasi_report {
	uint64_t calls;
	uint64_t read_bytes; /* of files */
	uint64_t written_bytes;
	uint64_t
		storage_bytes; /* by how much files have grown, less what was freed; and its peak */
	uint64_t storage_peak_bytes;
	uint64_t entries; /* made, less what was removed */
	uint64_t handles_peak;
	struct wasi_stream_report streams[WASI_STREAM_COUNT];
	/* Whether something was refused for it. */
	bool handles_reached;
	bool storage_reached;
	bool entries_reached;
	bool expired;
	/* The first WASI_DENIALS_MAX different ones; borrowed, until the next call. */
	const struct wasi_denial *denials;
	size_t denial_count;
	uint64_t denied_calls; /* all of them */
};

void wasi_observe(const struct wasi *wasi, struct wasi_report *ret);

/*
 * The system calls all this makes, by name, the last is NULL: what a filter has to let through
 * beside what the engine and the C library need.
 */
extern const char *const wasi_system_calls[];

#endif
