/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* diff.h - what changed in a file, shown on standard output. */
#ifndef BV_CLI_DIFF_H
#define BV_CLI_DIFF_H

#include "cli.h"

/* Either may be empty.  What is no text, or differs too much, is told by its sizes. */
void cli_diff(const struct cli_bytes *old, const struct cli_bytes *new);

#endif
