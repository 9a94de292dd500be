/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * contract_helpers.h - what the tests of src/contract share: memory, hex, specs, random values.
 */
#ifndef BV_CONTRACT_HELPERS_H
#define BV_CONTRACT_HELPERS_H

#include "test.h"

#include "backends/sim.h"
#include "contract/budget.h"
#include "contract/canon.h"
#include "contract/plan.h"
#include "contract/value.h"

/* Every test runs in its own child, so one static arena serves them all; a reset empties it. */
struct bv_arena *arena_reset(void);
struct bv_arena *arena_now(void);

/* Hex to bytes in the arena. */
struct bv_str unhex(const char *hex);
const char *hex_of(const void *data, size_t size_bytes);
struct bv_str bytes_of(const struct bv_type *type, const void *value);

/* Decodes or fails the test. */
void decode_ok(const struct bv_type *type, struct bv_str bytes, void *ret_value);

/* ---- specs ----------------------------------------------------------------------------------- */

#define LIST(type, ...)                                                                            \
	{                                                                                          \
		.items = (type[]){__VA_ARGS__},                                                    \
		.count = sizeof((type[]){__VA_ARGS__}) / sizeof(type),                             \
	}
#define TEXTS(...)                                                                                 \
	{                                                                                          \
		.items = (struct bv_str[]){__VA_ARGS__},                                           \
		.count = sizeof((struct bv_str[]){__VA_ARGS__}) / sizeof(struct bv_str),           \
	}
#define S(text)                                                                                    \
	{                                                                                          \
		(text), sizeof(text) - 1                                                           \
	}

/* A launch of /bin/true, and nothing else. */
struct bv_boundary_spec spec_launch(void);
void spec_add_capability(struct bv_boundary_spec *spec, struct bv_capability capability);
void spec_add_control(struct bv_boundary_spec *spec, struct bv_host_control control);

struct bv_capability cap_files(enum bv_fs_access access, const char *root);
struct bv_capability cap_network_none(void);
struct bv_capability cap_spawn(enum bv_spawn_policy policy);
struct bv_capability cap_env(size_t count, const struct bv_env_entry *entries);
struct bv_capability cap_fds(size_t count, const uint32_t *fds);
struct bv_env_entry env_literal(struct bv_str name, struct bv_str value);
struct bv_host_control control_of(enum bv_host_control_tag tag);
struct bv_host_control control_capture(bool out, bool err, bool in);

/* All seven dimensions at one limit. */
void spec_budgets(struct bv_boundary_spec *spec, uint64_t limit, enum bv_min_guarantee guarantee);

/* The lower half of every test of refusals. */
#define EXPECT_FAILS(call, code_, where_, message_part)                                            \
	do {                                                                                       \
		struct bv_error failure_ = {.code = BV_OK};                                        \
		struct bv_error *err = &failure_;                                                  \
		EXPECT_STR(bv_code_name(call), bv_code_name(code_));                               \
		EXPECT_STR(bv_code_name(failure_.code), bv_code_name(code_));                      \
		EXPECT_STR(failure_.where, where_);                                                \
		EXPECT_THAT(strstr(failure_.message, message_part) != NULL,                        \
			    "message '%s' does not say '%s'", failure_.message, message_part);     \
	} while (0)

#define EXPECT_OK(call)                                                                            \
	do {                                                                                       \
		struct bv_error failure_ = {.code = BV_OK};                                        \
		struct bv_error *err = &failure_;                                                  \
		const enum bv_code code_ = (call);                                                 \
		EXPECT_THAT(code_ == BV_OK, "%s: %s: %s: %s", #call, bv_code_name(code_),          \
			    failure_.where, failure_.message);                                     \
	} while (0)

/* ---- random values --------------------------------------------------------------------------- */

struct random {
	uint64_t state;
};

uint64_t random_next(struct random *random);
uint64_t random_below(struct random *random, uint64_t limit);

/* BVISOR_SEED if it is set: a failing test prints it. */
uint64_t random_seed(uint64_t otherwise);

/* Any value of the type; what it points to is in the arena. */
void random_value(struct random *random, const struct bv_type *type, void *ret_value);

#endif
