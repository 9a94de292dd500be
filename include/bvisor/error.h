/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * error.h - how every bvisor function says what went wrong.
 *
 * A function that can fail returns an enum bv_code and takes a struct bv_error last.  The error is
 * the caller's, of fixed size, may be NULL, and is untouched on success.  `where` names the part of
 * the input or the layer at fault ("capabilities[2].scope.roots[0]", "landlock"), `message` what
 * is wrong with it, `remedy` how to mend it: one sentence each, no full stop, no newline.
 */
#ifndef BVISOR_ERROR_H
#define BVISOR_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* What the shared library exports: all else in it is hidden. */
#if defined(__GNUC__)
#define BV_API __attribute__((visibility("default")))
#else
#define BV_API
#endif

/* clang-format off */
/* Code, stable name, meaning.  Numbers are part of the ABI: append, never renumber. */
#define BV_ERRORS(X)                                                                               \
	X(BV_OK, "ok", "No error")                                                                 \
	X(BV_E_ARGUMENT, "argument", "A function was called with something it does not take")      \
	X(BV_E_MEMORY, "memory", "No memory, or a fixed ceiling was reached")                      \
	X(BV_E_SYSTEM, "system", "The kernel refused a call; sys_errno says why")                  \
	X(BV_E_DECODE, "decode-error", "Bytes or text that are not a value of the wanted type")    \
	X(BV_E_NOT_CANONICAL, "not-canonical", "A value in another spelling than the canonical one") \
	X(BV_E_INTEGRITY, "integrity", "A hash does not match what it covers")                     \
	X(BV_E_STATE, "state", "A call that is out of order")                                      \
	X(BV_E_INVALID_POLICY, "invalid-policy", "A spec that contradicts itself or cannot mean anything") \
	X(BV_E_UNKNOWN_BACKEND, "unknown-backend", "No backend of that name")                      \
	X(BV_E_WORKLOAD, "workload-incompatible", "A backend that cannot run this kind of workload") \
	X(BV_E_UNSUPPORTED, "unsupported", "A requirement nothing on this machine can hold")       \
	X(BV_E_EVIDENCE, "evidence-unsatisfiable", "Evidence wanted that no admitted mechanism yields") \
	X(BV_E_MINIMUM, "minimum-enforcement", "A requirement held more weakly than the caller accepts") \
	X(BV_E_BUDGET_INVALID, "budget-invalid", "A budget that cannot mean anything")             \
	X(BV_E_BUDGET_REFUSED, "budget-refused", "A budget this machine cannot hold as asked")     \
	X(BV_E_PROFILE, "profile-insufficient", "A machine that changed since it was planned for, or lacks something bvisor itself needs") \
	X(BV_E_PLAN, "plan-invalid", "A plan whose id does not recompute, or that was not made for this") \
	X(BV_E_LAUNCHER, "launcher", "The launcher is missing, is not the one expected, or broke its protocol") \
	X(BV_E_BUSY, "busy", "Somebody else is at it; later it may work")                          \
	X(BV_E_JOURNAL, "journal", "A journal that is damaged, foreign, or cannot be written")     \
	X(BV_E_CONFLICT, "conflict", "Another request under the same idempotency key, or files that changed on the host while a run changed them")

enum bv_code {
#define BV_ERROR_ROW(code, name, meaning) code,
	BV_ERRORS(BV_ERROR_ROW)
#undef BV_ERROR_ROW
	BV_CODE_COUNT
};
/* clang-format on */

enum { BV_WHERE_SIZE = 96, BV_MESSAGE_SIZE = 256, BV_REMEDY_SIZE = 256 };

struct bv_error {
	enum bv_code code;
	int sys_errno; /* 0 when the kernel had no part in it */
	char where[BV_WHERE_SIZE];
	char message[BV_MESSAGE_SIZE];
	char remedy[BV_REMEDY_SIZE]; /* may be empty */
};

/* "unsupported", ...; "?" for a number that is no code.  Static, never NULL. */
BV_API const char *bv_code_name(enum bv_code code);

#ifdef __cplusplus
}
#endif
#endif
