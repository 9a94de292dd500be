/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What was refused and to whom it is told: the report, and the guest, in the standard's numbers. */
#include "internal.h"

#include <errno.h>
#include <string.h>

static const char *const reason_names[WASI_DENIAL_REASON_COUNT] = {
	[WASI_DENIED_OUTSIDE] = "outside", [WASI_DENIED_READ] = "read",
	[WASI_DENIED_WRITE] = "write",     [WASI_DENIED_ACROSS] = "across",
	[WASI_DENIED_KIND] = "kind",       [WASI_DENIED_HOST] = "host",
	[WASI_DENIED_NETWORK] = "network",
};

const char *wasi_denial_reason_name(enum wasi_denial_reason reason)
{
	return (unsigned int)reason < WASI_DENIAL_REASON_COUNT ? reason_names[reason] : "?";
}

void wasi_name_put(char ret[WASI_DENIED_PATH_SIZE], const struct wasi_entry *dir, const char *path)
{
	const char *const above = dir && dir->path ? dir->path : "";
	const bool joined = above[0] && above[strlen(above) - 1] != '/' && path;
	const char *const parts[] = {above, joined ? "/" : "", path ? path : ""};
	size_t len = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const size_t room = WASI_DENIED_PATH_SIZE - 1 - len;
		const size_t wanted = strlen(parts[i]);
		const size_t taken = wanted < room ? wanted : room;

		memcpy(ret + len, parts[i], taken);
		len += taken;
	}
	/* Only a cut can have broken a character, and only the last. */
	while (len > 0 && !bv_utf8_valid((struct bv_str){ret, len}))
		len--;
	ret[len] = '\0';
}

static void tell(const struct wasi *wasi, size_t index)
{
	if (wasi->on_denied)
		wasi->on_denied(&wasi->denials[index], index);
}

void wasi_denied(struct wasi_call *call, enum wasi_denial_reason reason,
		 const struct wasi_entry *dir, const char *path)
{
	struct wasi *wasi = call->wasi;
	struct wasi_denial new = {.function = wasi->current->name, .reason = reason, .count = 1};

	wasi_name_put(new.path, dir, path);
	wasi->seen.denied_calls++;
	for (size_t i = 0; i < wasi->seen.denial_count; i++) {
		struct wasi_denial *old = &wasi->denials[i];

		if (strcmp(old->path, new.path) == 0 && old->function == new.function &&
		    old->reason == reason) {
			old->count++;
			tell(wasi, i);
			return;
		}
	}
	if (wasi->seen.denial_count == WASI_DENIALS_MAX)
		return;
	wasi->denials[wasi->seen.denial_count++] = new;
	tell(wasi, wasi->seen.denial_count - 1);
}

uint32_t wasi_errno_from(int host_errno)
{
	/* Those that files, pipes and terminals can answer with; the rest is EIO, never success. */
	static const struct {
		int host;
		uint32_t standard;
	} known[] = {
		{EACCES, WASI_EACCES},       {EAGAIN, WASI_EAGAIN},
		{EBADF, WASI_EBADF},         {EBUSY, WASI_EBUSY},
		{EDQUOT, WASI_EDQUOT},       {EEXIST, WASI_EEXIST},
		{EFAULT, WASI_EFAULT},       {EFBIG, WASI_EFBIG},
		{EINTR, WASI_EINTR},         {EINVAL, WASI_EINVAL},
		{EISDIR, WASI_EISDIR},       {ELOOP, WASI_ELOOP},
		{EMFILE, WASI_EMFILE},       {EMLINK, WASI_EMLINK},
		{ENFILE, WASI_ENFILE},       {ENAMETOOLONG, WASI_ENAMETOOLONG},
		{ENODEV, WASI_ENODEV},       {ENOENT, WASI_ENOENT},
		{ENOMEM, WASI_ENOMEM},       {ENOSPC, WASI_ENOSPC},
		{ENOSYS, WASI_ENOTSUP},      {ENOTDIR, WASI_ENOTDIR},
		{ENOTEMPTY, WASI_ENOTEMPTY}, {ENOTSUP, WASI_ENOTSUP},
		{ENXIO, WASI_ENXIO},         {EOVERFLOW, WASI_EOVERFLOW},
		{EPERM, WASI_EPERM},         {EPIPE, WASI_EPIPE},
		{ERANGE, WASI_ERANGE},       {EROFS, WASI_EROFS},
		{ESPIPE, WASI_ESPIPE},       {ESTALE, WASI_ESTALE},
		{ETXTBSY, WASI_ETXTBSY},     {EXDEV, WASI_EXDEV},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].host == host_errno)
			return known[i].standard;
	}
	return WASI_EIO;
}

uint32_t wasi_errno_of(struct wasi_call *call, const struct wasi_entry *dir, const char *path)
{
	const int host_errno = errno;

	if (host_errno == EACCES || host_errno == EROFS)
		wasi_denied(call, WASI_DENIED_HOST, dir, path);
	return wasi_errno_from(host_errno);
}
