/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What belongs to no object: the version, and freeing what was handed out. */
#include <bvisor/bvisor.h>

#include <stdlib.h>

const char *bv_version(void)
{
	return BVISOR_VERSION;
}

void bv_free(void *memory)
{
	free(memory);
}
