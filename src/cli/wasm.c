/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `bvisor wasm`: as run, for a WebAssembly module; and the code that is kept of them. */
#include "options.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int refuse_operands(const struct cli_request *request, const char *name)
{
	if (request->operand_count == 0)
		return -1;
	cli_say("%s: it takes no arguments", name);
	return CLI_EXIT_REFUSED;
}

static void print_entry(const struct bv_wasm_code *entry, bool json, bool first)
{
	const time_t used = (time_t)entry->used_unix_seconds;
	char when[32] = "?";
	struct tm parts;

	if (json) {
		printf("%s{\"name\":\"%s\",\"bytes\":%llu,\"used_unix\":%lld}", first ? "" : ",",
		       entry->name, (unsigned long long)entry->size_bytes,
		       (long long)entry->used_unix_seconds);
		return;
	}
	if (gmtime_r(&used, &parts))
		(void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%SZ", &parts);
	printf("%.16s  %10llu bytes  used %s\n", entry->name, (unsigned long long)entry->size_bytes,
	       when);
}

static int cache_ls(int argc, char **argv)
{
	enum { MOST = 512 };
	struct cli_request request;
	struct bv_wasm_code *entries = calloc(MOST, sizeof *entries);
	int status = cli_request_read(CLI_WASM_CACHE_LS, argc, argv, &request);
	size_t count;

	if (status != -1 || !entries) {
		free(entries);
		return status != -1 ? status : CLI_EXIT_REFUSED;
	}
	status = refuse_operands(&request, "wasm cache ls");
	if (status == -1) {
		count = bv_wasm_cache_list(entries, MOST);
		if (request.json)
			printf("[");
		for (size_t i = 0; i < count && i < MOST; i++)
			print_entry(&entries[i], request.json, i == 0);
		if (request.json)
			printf("]\n");
		status = cli_close_stdout(CLI_EXIT_OK);
	}
	free(entries);
	cli_request_clear(&request);
	return status;
}

static int cache_clear(int argc, char **argv)
{
	struct cli_request request;
	int status = cli_request_read(CLI_WASM_CACHE_CLEAR, argc, argv, &request);

	if (status != -1)
		return status;
	status = refuse_operands(&request, "wasm cache clear");
	if (status == -1) {
		cli_say("removed the code of %zu modules", bv_wasm_cache_clear());
		status = CLI_EXIT_OK;
	}
	cli_request_clear(&request);
	return status;
}

static int cache(int argc, char **argv)
{
	if (argc > 0 && strcmp(argv[0], "ls") == 0)
		return cache_ls(argc - 1, argv + 1);
	if (argc > 0 && strcmp(argv[0], "clear") == 0)
		return cache_clear(argc - 1, argv + 1);
	cli_say("wasm cache: say what to do with it");
	cli_remedy("write bvisor wasm cache ls, or clear; for a module of that name, ./cache");
	return CLI_EXIT_REFUSED;
}

static int plan_or_run(struct cli_request *request)
{
	return request->plan ? cli_plan_request(request) : cli_run_request(request);
}

int cli_wasm(int argc, char **argv)
{
	if (argc > 0 && strcmp(argv[0], "cache") == 0)
		return cache(argc - 1, argv + 1);
	return cli_workload_command(CLI_WASM, argc, argv, plan_or_run);
}
