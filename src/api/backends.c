/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which backends there are. */
#include "api.h"

#include "backends/backends.h"
#include "contract/plan.h"
#include "linux/backend.h"
#include "wasm/host/backend.h"

enum bv_code bv__backend_find(const char *name, const struct bv_backend **ret_backend,
			      struct bv_error *err)
{
	/* The platform's own first. */
	const struct bv_backend *const backends[] = {
		bv__backend_linux(), bv__backend_wasm(), &bv_inert_backend,
		&bv_sim_backend,     &bv_macos_backend,  &bv_windows_backend,
	};

	return bv_backend_find(backends, sizeof backends / sizeof *backends,
			       name ? name : backends[0]->id, ret_backend, err);
}
