/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * anchor.c - the key, and signatures over the head of the chain.
 *
 * Ed25519 as libsodium has it.  None of the functions used here needs sodium_init(): they take no
 * random bytes and choose no implementation.
 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium/crypto_sign_ed25519.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(crypto_sign_ed25519_SECRETKEYBYTES == sizeof((struct bv__signer){0}.secret), "");

enum { SEED_BYTES = 32, KEY_TEXT = 2 * SEED_BYTES + 1 }; /* in hex, and a newline */

static enum bv_code fail_key(struct bv_error *err, const char *path, const char *what)
{
	const int sys_errno = errno;
	enum bv_code code = bv_fail_remedy(err, BV_E_JOURNAL, "journal.key",
					   "mend it, or name another with --journal-key FILE",
					   "the journal's key '%s' %s", path, what);

	if (err != NULL)
		err->sys_errno = sys_errno;
	return code;
}

static bool from_hex(const char *text, uint8_t ret_bytes[SEED_BYTES])
{
	for (int i = 0; i < SEED_BYTES * 2; i++) {
		const char c = text[i];
		const int digit = c >= '0' && c <= '9'   ? c - '0'
				  : c >= 'a' && c <= 'f' ? c - 'a' + 10
							 : -1;

		if (digit < 0)
			return false;
		ret_bytes[i / 2] = (uint8_t)((i % 2 == 0 ? 0 : ret_bytes[i / 2] << 4) | digit);
	}
	return true;
}

/* Writes `bytes` in hex; the file appears whole or not at all, and never in place of another. */
static bool write_new(const char *path, const struct bv_digest *bytes, mode_t mode)
{
	char temporary[PATH_MAX + 32], text[KEY_TEXT + 1];
	bool done;
	int fd;

	bv_digest_hex(bytes, text);
	text[KEY_TEXT - 1] = '\n';
	(void)snprintf(temporary, sizeof temporary, "%s.%d.new", path, (int)getpid());
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return false;
	done = write(fd, text, KEY_TEXT) == KEY_TEXT && fsync(fd) == 0 &&
	       (link(temporary, path) == 0 || errno == EEXIST);
	explicit_bzero(text, sizeof text);
	close(fd);
	(void)unlink(temporary);
	return done;
}

static enum bv_code read_seed(const char *path, uint8_t ret_seed[SEED_BYTES], bool *ret_missing,
			      struct bv_error *err)
{
	char text[KEY_TEXT + 1] = {0};
	struct stat st;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	*ret_missing = fd < 0 && errno == ENOENT;
	if (*ret_missing)
		return BV_OK;
	if (fd < 0)
		return fail_key(err, path, "cannot be read");
	got = read(fd, text, sizeof text);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 077) != 0 ||
	    st.st_uid != geteuid()) {
		close(fd);
		errno = 0;
		return fail_key(err, path, "is not a file for its owner alone (chmod 600)");
	}
	close(fd);
	errno = 0;
	if (got != KEY_TEXT || text[KEY_TEXT - 1] != '\n' || !from_hex(text, ret_seed)) {
		explicit_bzero(text, sizeof text);
		return fail_key(err, path, "is not one line of 64 hexadecimal digits");
	}
	explicit_bzero(text, sizeof text);
	return BV_OK;
}

static enum bv_code make_seed(const char *path, struct bv_error *err)
{
	struct bv_digest seed;

	if (getrandom(seed.bytes, sizeof seed.bytes, 0) != (ssize_t)sizeof seed.bytes)
		return bv_fail(err, BV_E_SYSTEM, "journal.key", "the kernel gives no random bytes");
	if (!write_new(path, &seed, 0600))
		return fail_key(err, path, "cannot be made");
	explicit_bzero(&seed, sizeof seed);
	return BV_OK;
}

enum bv_code bv__signer_load(const char *path, bool make, struct bv__signer *ret_signer,
			     struct bv_error *err)
{
	uint8_t seed[SEED_BYTES];
	char public_path[PATH_MAX];
	bool missing;
	enum bv_code code = read_seed(path, seed, &missing, err);

	if (code == BV_OK && missing && !make)
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal.key",
				      "give it back its key, or name another with --journal PATH",
				      "the journal was signed with a key that is not at '%s'",
				      path);
	if (code == BV_OK && missing) {
		code = make_seed(path, err);
		/* Read back: another process may have been quicker, and then it is that one's. */
		if (code == BV_OK)
			code = read_seed(path, seed, &missing, err);
		if (code == BV_OK && missing)
			code = fail_key(err, path, "is gone again");
	}
	if (code != BV_OK)
		return code;
	(void)crypto_sign_ed25519_seed_keypair(ret_signer->public_key.bytes, ret_signer->secret,
					       seed); /* always 0 */
	explicit_bzero(seed, sizeof seed);
	ret_signer->loaded = true;
	if (snprintf(public_path, sizeof public_path, "%s.pub", path) < (int)sizeof public_path &&
	    access(public_path, F_OK) != 0)
		(void)write_new(public_path, &ret_signer->public_key,
				0644); /* for convenience: every anchor carries it too */
	return BV_OK;
}

void bv__signer_wipe(struct bv__signer *signer)
{
	explicit_bzero(signer, sizeof *signer);
}

/* ---- signatures ------------------------------------------------------------------------------ */

struct message {
	char domain[17]; /* with its NUL */
	uint8_t store[BV_STORE_BYTES];
	uint8_t seq[8], at_us[8];
	uint8_t head[32], public_key[32];
};
_Static_assert(sizeof(struct message) == 113, "all bytes: nothing between them");

static void put_number(uint8_t *to, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(number >> (56 - 8 * i));
}

static void make_message(const uint8_t store[BV_STORE_BYTES], uint64_t seq, uint64_t at_us,
			 const struct bv_digest *head, const struct bv_digest *public_key,
			 struct message *ret_message)
{
	memcpy(ret_message->domain, "bvisor.anchor.v1", sizeof ret_message->domain);
	memcpy(ret_message->store, store, BV_STORE_BYTES);
	put_number(ret_message->seq, seq);
	put_number(ret_message->at_us, at_us);
	memcpy(ret_message->head, head->bytes, sizeof ret_message->head);
	memcpy(ret_message->public_key, public_key->bytes, sizeof ret_message->public_key);
}

void bv__anchor_sign(const struct bv__signer *signer, const uint8_t store[BV_STORE_BYTES],
		     uint64_t seq, uint64_t at_us, const struct bv_digest *head,
		     struct bv_anchor_event *ret_anchor)
{
	uint8_t signature[crypto_sign_ed25519_BYTES];
	struct message message;

	make_message(store, seq, at_us, head, &signer->public_key, &message);
	(void)crypto_sign_ed25519_detached(signature, NULL, (const uint8_t *)&message,
					   sizeof message, signer->secret); /* always 0 */
	ret_anchor->head = *head;
	ret_anchor->public_key = signer->public_key;
	memcpy(ret_anchor->signature_r.bytes, signature, 32);
	memcpy(ret_anchor->signature_s.bytes, signature + 32, 32);
}

bool bv__anchor_holds(const uint8_t store[BV_STORE_BYTES], uint64_t seq, uint64_t at_us,
		      const struct bv_anchor_event *anchor)
{
	uint8_t signature[crypto_sign_ed25519_BYTES];
	struct message message;

	make_message(store, seq, at_us, &anchor->head, &anchor->public_key, &message);
	memcpy(signature, anchor->signature_r.bytes, 32);
	memcpy(signature + 32, anchor->signature_s.bytes, 32);
	return crypto_sign_ed25519_verify_detached(signature, (const uint8_t *)&message,
						   sizeof message, anchor->public_key.bytes) == 0;
}
