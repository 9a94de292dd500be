/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Values that must not be found anywhere but in the workload. */
#include "api.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void free_secret(struct bv__secret *secret)
{
	if (secret->value) {
		explicit_bzero(secret->value, secret->size_bytes);
		(void)munmap(secret->value,
			     secret->size_bytes); /* cannot fail for what mmap gave */
	}
	free(secret);
}

static struct bv__secret *make(struct bv_str name, const void *value, size_t size_bytes)
{
	struct bv__secret *secret = malloc(sizeof *secret + name.len + 1);

	if (!secret)
		return NULL;
	*secret = (struct bv__secret){.size_bytes = size_bytes};
	memcpy(secret->name, name.data, name.len);
	secret->name[name.len] = '\0';
	if (size_bytes == 0)
		return secret;
	secret->value = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	if (secret->value == MAP_FAILED) {
		free(secret);
		return NULL;
	}
	/* As far as the caller's limits allow: a secret that may be swapped is still a secret. */
	(void)mlock(secret->value, size_bytes);
	(void)madvise(secret->value, size_bytes, MADV_DONTDUMP);
	memcpy(secret->value, value, size_bytes);
	return secret;
}

enum bv_code bv__secrets_put(struct bv__secrets *secrets, struct bv_str name, const void *value,
			     size_t size_bytes, struct bv_error *err)
{
	struct bv__secret *secret = make(name, value, size_bytes);

	if (!secret)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for a secret");
	for (struct bv__secret **at = &secrets->first; *at; at = &(*at)->next) {
		struct bv__secret *old = *at;

		if (bv_str_is(name, old->name)) {
			*at = old->next;
			free_secret(old);
			break;
		}
	}
	secret->next = secrets->first;
	secrets->first = secret;
	return BV_OK;
}

enum bv_code bv__secrets_copy(const struct bv__secrets *from, struct bv__secrets *ret_copy,
			      struct bv_error *err)
{
	ret_copy->first = NULL;
	for (const struct bv__secret *secret = from->first; secret; secret = secret->next) {
		enum bv_code code = bv__secrets_put(ret_copy, bv_str_from(secret->name),
						    secret->value, secret->size_bytes, err);

		if (code != BV_OK) {
			bv__secrets_wipe(ret_copy);
			return code;
		}
	}
	return BV_OK;
}

const struct bv__secret *bv__secrets_find(const struct bv__secrets *secrets, struct bv_str name)
{
	for (const struct bv__secret *secret = secrets->first; secret; secret = secret->next) {
		if (bv_str_is(name, secret->name))
			return secret;
	}
	return NULL;
}

void bv__secrets_wipe(struct bv__secrets *secrets)
{
	while (secrets->first) {
		struct bv__secret *secret = secrets->first;

		secrets->first = secret->next;
		free_secret(secret);
	}
}
