/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which backends there are. */
#include "api.h"

#include <string.h>

#include "backends/backends.h"
#include "linux/backend.h"

enum bv_code bv__backend_find(const char *name, const struct bv_backend **ret_backend, struct bv_error *err)
{
	/* The platform's own first. */
	const struct bv_backend *const backends[] = {
		bv__backend_linux(), &bv_inert_backend, &bv_sim_backend, &bv_macos_backend, &bv_windows_backend,
	};

	for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
		if (!name || strcmp(name, backends[i]->id) == 0) {
			*ret_backend = backends[i];
			return BV_OK;
		}
	}
	return bv_fail_remedy(err, BV_E_UNKNOWN_BACKEND, "backend", "name linux, inert, sim, macos or windows",
			      "there is no backend '%.*s'", 40, name);
}
