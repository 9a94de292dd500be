/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What can be done with a journal, and how it is chosen: `bvisor journal VERB`, `bvisor artifacts VERB`. */
#ifndef BVISOR_CLI_VERBS_H
#define BVISOR_CLI_VERBS_H

#include "options.h"

enum { CLI_ANY_NUMBER = 1 << 20 };

struct cli_verb {
	const char *name;
	enum cli_command command; /* whose flags and help these are */
	int least, most;          /* operands */
	bool writes;              /* to the journal */
	int (*act)(const struct cli_request *request, struct bv_journal *journal);
};

struct cli_noun {
	const char *name;
	const char *things; /* as in "is not something to do with THINGS" */
	const struct cli_verb *verbs;
	size_t verb_count;
};

/* Runs the verb that argv begins with; operands may come before the flags or behind.  An exit status. */
int cli_act(const struct cli_noun *noun, int argc, char **argv);

#endif
