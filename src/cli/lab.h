/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lab.h - where doctor tries things: files, listeners and a process of its own making, the acts
 * committed on them free and confined, and what came of each, seen from outside.
 */
#ifndef BV_CLI_LAB_H
#define BV_CLI_LAB_H

#include <sys/types.h>

#include "cli.h"

struct cli_lab {
	char dir[80];      /* short enough for the name of a socket in it */
	char token[40];    /* planted wherever it must not be read */
	char abstract[40]; /* name of the abstract socket, '@' first */
	int tcp, udp, abstract_socket, path_socket;
	unsigned int tcp_port, udp_port;
	pid_t victim;
	char victim_address[24];
	int planted_fd; /* reads the secret, and would be inherited */
};

/* -1 after saying why; cli_lab_close is due either way. */
int cli_lab_open(struct cli_lab *lab);
void cli_lab_reset(struct cli_lab *lab);
void cli_lab_close(struct cli_lab *lab);

/*
 * "%w/new" and the like made whole: %w the granted directory, %r the one granted for reading, %o
 * the one outside, %d all of it, %t the token, %p and %u the ports, %s the abstract name, %v and
 * %a the victim and where its memory holds the token.
 */
void cli_lab_expand(const struct cli_lab *lab, const char *text, char *ret_text, size_t size_bytes);

enum cli_found { CLI_NOT_TRIED, CLI_HAPPENED, CLI_HELD, CLI_REFUSED };

/* How one act went. */
struct cli_went {
	int status; /* as the shell has it */
	const char *output;
	size_t output_bytes;
	size_t changes; /* listed, of a staged run */
};

struct cli_trial {
	const char *requirement; /* as bv_plan_row has it */
	const char *what;        /* completes "could ..." */
	bool allowed;            /* the boundary promises that it can be done */
	bool kills;              /* kill it once it says "ready" */
	bool only_inside;        /* there is nothing of it outside: no control */
	bool commits;            /* commit what it staged */
	bool guest;              /* a WebAssembly guest commits it, not __probe */
	const char *args[4];     /* of who commits it, to be expanded */
	const char *probe[4];    /* free, of a guest: __probe commits it like this, if not NULL */
	/* What else to ask for; NULL: nothing. */
	enum bv_code (*ask)(struct bv_spec *spec, const struct cli_lab *lab, struct bv_error *err);
	/* And of a guest to be free: the same guest is the control, with what this grants or leaves out. */
	enum bv_code (*control)(struct bv_spec *spec, const struct cli_lab *lab,
				struct bv_error *err);
	/* Whether it took effect, looked at from outside. */
	bool (*happened)(struct cli_lab *lab, const char *where, const struct cli_went *went);
	const char *where; /* for `happened`, to be expanded */
};

/* Both end with a NULL requirement. */
extern const struct cli_trial cli_trials[], cli_guest_trials[];
extern const char cli_guest[]; /* the guest of the second, as text */

/* What trials see by, from outside; `where` says at what.  Both tables use them. */
bool cli_was_said(struct cli_lab *lab, const char *text, const struct cli_went *went);
bool cli_exists(struct cli_lab *lab, const char *path, const struct cli_went *went);
bool cli_grew(struct cli_lab *lab, const char *path, const struct cli_went *went);
bool cli_is_stored_whole(struct cli_lab *lab, const char *path, const struct cli_went *went);
bool cli_is_listed(struct cli_lab *lab, const char *where, const struct cli_went *went);
bool cli_was_contacted(struct cli_lab *lab, const char *which, const struct cli_went *went);
bool cli_has_status(struct cli_lab *lab, const char *status, const struct cli_went *went);

/* Free: what the machine does when nobody holds it. */
enum cli_found cli_try_free(struct cli_lab *lab, const struct cli_trial *trial);

/*
 * Confined, without `layer` (may be NULL).  CLI_REFUSED fills `err`.  `ret_enforced` is what the
 * plan of this very run claims for the trial's requirement: a grant may be weaker than its kind.
 */
enum cli_found cli_try_confined(struct cli_lab *lab, const struct cli_trial *trial,
				const char *backend, const char *layer, bool *ret_enforced,
				struct bv_error *err);

#endif
