/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wasi_guest.c - see wasi_guest.h. */
#include "wasi_guest.h"

#include <ftw.h>
#include <signal.h>

enum { TEXT_AT = 2048, TEXT_END = 24576, IOVEC_AT = 1536, DATA_AT = 32768 };

static int dirs[3] = {-1, -1, -1};

struct wasi_config guest_config(void)
{
	static const struct wasi_limits unlimited = {
		.handles = WASI_HANDLES_MAX,
		.storage_bytes = WASI_UNLIMITED,
		.entries = WASI_UNLIMITED,
		.output_bytes = WASI_UNLIMITED,
	};

	return (struct wasi_config){.stream_fds = {-1, -1, -1}, .limits = unlimited};
}

const char *guest_path(struct guest *guest, const char *name)
{
	snprintf(guest->path, sizeof(guest->path), "%s/%s", guest->base, name);
	return guest->path;
}

static void make_directories(struct guest *guest)
{
	static const char *const names[] = {"rw", "ro", "wo", "outside"};

	strcpy(guest->base, "/tmp/bvisor-wasi-XXXXXX");
	EXPECT(mkdtemp(guest->base) != NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		EXPECT(mkdir(guest_path(guest, names[i]), 0755) == 0);
	for (size_t i = 0; i < 3; i++) {
		dirs[i] = open(guest_path(guest, names[i]), O_PATH | O_DIRECTORY | O_CLOEXEC);
		EXPECT(dirs[i] >= 0);
	}
	guest_make(guest, "outside/secret", "secret");
	guest_make(guest, "ro/file", "read-only");
	guest_make(guest, "wo/file", "write-only");
}

void guest_open(struct guest *guest, const struct wasi_config *config)
{
	struct wasi_config used = config ? *config : guest_config();
	struct bv_error err = {0};

	*guest = (struct guest){.text_at = TEXT_AT, .memory_bytes = MEMORY_SIZE};
	signal(SIGPIPE, SIG_IGN);
	make_directories(guest);
	const struct wasi_preopen preopens[] = {
		{"rw", dirs[0], WASI_ACCESS_READ | WASI_ACCESS_WRITE},
		{"ro", dirs[1], WASI_ACCESS_READ},
		{"wo", dirs[2], WASI_ACCESS_WRITE},
	};
	if (used.preopen_count == 0) {
		used.preopens = preopens;
		used.preopen_count = 3;
	}
	guest->memory = calloc(1, MEMORY_SIZE);
	EXPECT(guest->memory != NULL);
	EXPECT_THAT(wasi_open(&used, &guest->wasi, &err) == BV_OK, "%s: %s", err.where,
		    err.message);
}

static int remove_one(const char *path, const struct stat *file, int flag, struct FTW *ftw)
{
	(void)file;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void guest_close(struct guest *guest)
{
	wasi_close(guest->wasi);
	free(guest->memory);
	for (size_t i = 0; i < 3; i++)
		EXPECT(close(dirs[i]) == 0); /* the guest's closing has left them open */
	EXPECT(nftw(guest->base, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

uint32_t guest_invoke(struct guest *guest, const char *name, size_t count, const uint64_t *args)
{
	const struct wasi_function *function = wasi_function_find(name);
	struct wasi_call call = {
		.wasi = guest->wasi,
		.memory = {guest->memory, guest->memory_bytes},
		.args = args,
	};
	uint32_t error;

	EXPECT_THAT(function != NULL, "no function %s", name);
	EXPECT_THAT(strlen(function->params) == count, "%s takes %zu arguments, not %zu", name,
		    strlen(function->params), count);
	error = wasi_invoke(function, &call);
	EXPECT_THAT(error < WASI_ERRNO_COUNT, "%s answers %u", name, error);
	EXPECT(call.charge >= function->charge && call.charge > 0);
	guest->charge = call.charge;
	guest->exited = call.exited;
	guest->expired = call.expired;
	guest->exit_code = call.exit_code;
	return error;
}

uint32_t guest_text(struct guest *guest, const char *text)
{
	const size_t len = strlen(text);
	uint32_t at;

	EXPECT(len < TEXT_END - TEXT_AT);
	if (guest->text_at + len > TEXT_END)
		guest->text_at = TEXT_AT;
	at = guest->text_at;
	memcpy(guest->memory + at, text, len);
	guest->text_at += (uint32_t)len;
	return at;
}

uint64_t guest_get64(const struct guest *guest, uint32_t offset)
{
	uint64_t value = 0;

	for (int i = 7; i >= 0; i--)
		value = value << 8 | guest->memory[offset + (uint32_t)i];
	return value;
}

uint32_t guest_get32(const struct guest *guest, uint32_t offset)
{
	return (uint32_t)guest_get64(guest, offset);
}

void guest_make(struct guest *guest, const char *name, const char *content)
{
	FILE *file = fopen(guest_path(guest, name), "w");

	EXPECT_THAT(file != NULL, "%s", name);
	EXPECT(fputs(content, file) >= 0);
	EXPECT(fclose(file) == 0);
}

const char *guest_content(struct guest *guest, const char *name)
{
	static char content[4096];
	FILE *file = fopen(guest_path(guest, name), "r");

	content[0] = '\0';
	if (file) {
		content[fread(content, 1, sizeof(content) - 1, file)] = '\0';
		EXPECT(fclose(file) == 0);
	}
	return content;
}

bool guest_exists(struct guest *guest, const char *name)
{
	struct stat file;

	return lstat(guest_path(guest, name), &file) == 0;
}

uint32_t guest_open_file(struct guest *guest, uint32_t dir, const char *path, uint32_t oflags,
			 uint64_t rights, uint32_t *ret_fd)
{
	const uint32_t error = CALL(guest, "path_open", dir, WASI_LOOKUP_FOLLOW, TEXT(guest, path),
				    oflags, rights, rights, 0, RESULT);

	if (!error)
		*ret_fd = guest_get32(guest, RESULT);
	return error;
}

/* One iovec. */
static void put_iovec(struct guest *guest, uint32_t size_bytes)
{
	const uint32_t values[2] = {DATA_AT, size_bytes};

	for (uint32_t i = 0; i < 8; i++)
		guest->memory[IOVEC_AT + i] = (uint8_t)(values[i / 4] >> (i % 4 * 8));
}

uint32_t guest_write(struct guest *guest, uint32_t fd, const char *text, uint32_t *ret_bytes)
{
	uint32_t error;

	EXPECT(strlen(text) <= MEMORY_SIZE - DATA_AT);
	memcpy(guest->memory + DATA_AT, text, strlen(text));
	put_iovec(guest, (uint32_t)strlen(text));
	error = CALL(guest, "fd_write", fd, IOVEC_AT, 1, RESULT);
	*ret_bytes = error ? 0 : guest_get32(guest, RESULT);
	return error;
}

uint32_t guest_read(struct guest *guest, uint32_t fd, uint32_t size_bytes, char *ret_text)
{
	uint32_t error;

	put_iovec(guest, size_bytes);
	error = CALL(guest, "fd_read", fd, IOVEC_AT, 1, RESULT);
	ret_text[0] = '\0';
	if (!error) {
		memcpy(ret_text, guest->memory + DATA_AT, guest_get32(guest, RESULT));
		ret_text[guest_get32(guest, RESULT)] = '\0';
	}
	return error;
}

struct wasi_report guest_report(const struct guest *guest)
{
	struct wasi_report report;

	wasi_observe(guest->wasi, &report);
	return report;
}

bool guest_denied(const struct guest *guest, const char *function, const char *path,
		  enum wasi_denial_reason reason)
{
	const struct wasi_report report = guest_report(guest);

	for (size_t i = 0; i < report.denial_count; i++) {
		const struct wasi_denial *denial = &report.denials[i];

		if (strcmp(denial->function, function) == 0 && strcmp(denial->path, path) == 0 &&
		    denial->reason == reason)
			return true;
	}
	return false;
}
