/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `bvisor doctor`: this machine's support table, each cell tried for real.
 *
 * What the backend claims is one column; what came of committing the forbidden acts is another.
 * An act only counts where the same act, free, took effect.
 */
#include "lab.h"
#include "options.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRIALS_MAX = 64 };

/* Worst last: a row is as good as its worst trial. */
enum result { HOLDS, UNTRIED, PARTLY, REFUSED, UNAVAILABLE, BROKEN };

static const char *const result_names[] = {
	[HOLDS] = "holds",     [UNTRIED] = "not tried",         [PARTLY] = "partly",
	[REFUSED] = "refused", [UNAVAILABLE] = "not available", [BROKEN] = "DOES NOT HOLD",
};

static const enum cli_table_look result_looks[] = {
	[HOLDS] = CLI_TABLE_GOOD,   [UNTRIED] = CLI_TABLE_PLAIN,    [PARTLY] = CLI_TABLE_WEAK,
	[REFUSED] = CLI_TABLE_WEAK, [UNAVAILABLE] = CLI_TABLE_WEAK, [BROKEN] = CLI_TABLE_BAD,
};

struct tried {
	enum cli_found free, confined;
	bool enforced;         /* as the plan of that run had it */
	struct bv_error error; /* of CLI_REFUSED */
};

struct world {
	const char *title;
	const char *layer; /* left out */
	struct bv_support *support;
	struct tried tried[TRIALS_MAX];
};

static const char *const found_names[] = {
	[CLI_NOT_TRIED] = "not tried",
	[CLI_HAPPENED] = "happened",
	[CLI_HELD] = "did not happen",
	[CLI_REFUSED] = "refused",
};

static void show_progress(size_t done, size_t all)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (done < all)
		fprintf(stderr, "\rtrying %zu of %zu ", done + 1, all);
	else
		fprintf(stderr, "\r%24s\r", "");
}

/* Whether the trial says that the boundary does what it is for. */
static bool is_right(const struct cli_trial *trial, const struct tried *tried)
{
	return tried->confined == (trial->allowed ? CLI_HAPPENED : CLI_HELD);
}

static enum result judge(const struct world *world, const struct bv_support_row *row)
{
	enum result worst = UNTRIED;
	bool tried_any = false;

	if (strcmp(row->verdict, "Unsupported") == 0)
		return UNAVAILABLE;
	for (size_t i = 0; cli_trials[i].requirement; i++) {
		const struct cli_trial *trial = &cli_trials[i];
		const struct tried *tried = &world->tried[i];
		enum result result = HOLDS;

		if (strcmp(trial->requirement, row->requirement) != 0 ||
		    tried->free != CLI_HAPPENED)
			continue;
		if (tried->confined == CLI_REFUSED)
			result = REFUSED;
		else if (!is_right(trial, tried))
			result = (strcmp(row->verdict, "Enforced") == 0 && tried->enforced) ||
						 trial->allowed
					 ? BROKEN
					 : PARTLY;
		if (!tried_any || result > worst)
			worst = result;
		tried_any = true;
	}
	return worst;
}

static void try_all(struct cli_lab *lab, struct world *worlds, size_t world_count,
		    const char *backend)
{
	size_t count = 0;

	while (cli_trials[count].requirement)
		count++;
	for (size_t i = 0; i < count; i++) {
		enum cli_found free_found;

		show_progress(i, count);
		free_found = cli_try_free(lab, &cli_trials[i]);
		/* A busy machine may have kept it from getting that far. */
		if (free_found != CLI_HAPPENED)
			free_found = cli_try_free(lab, &cli_trials[i]);
		for (size_t w = 0; w < world_count; w++) {
			struct tried *tried = &worlds[w].tried[i];

			tried->free = free_found;
			tried->confined = cli_try_confined(lab, &cli_trials[i], backend,
							   worlds[w].layer, &tried->enforced,
							   &tried->error);
		}
	}
	show_progress(count, count);
}

/* ---- For people ------------------------------------------------------------------------------ */

static void note(struct cli_table *table, const char *prefix, const char *text)
{
	char line[768];

	if (!text || !*text)
		return;
	(void)snprintf(line, sizeof line, "%s%s", prefix, text);
	cli_table_note(table, line);
}

static void note_trials(struct cli_table *table, const struct world *world,
			const struct bv_support_row *row)
{
	const char *said = "";

	for (size_t i = 0; cli_trials[i].requirement; i++) {
		const struct cli_trial *trial = &cli_trials[i];
		const struct tried *tried = &world->tried[i];

		if (strcmp(trial->requirement, row->requirement) != 0)
			continue;
		if (tried->free != CLI_HAPPENED) {
			note(table, "no control, so not counted: could not, even free, ",
			     trial->what);
		} else if (tried->confined == CLI_REFUSED) {
			if (strcmp(said, tried->error.message) != 0) {
				note(table, "refused: ", tried->error.message);
				note(table, "remedy: ", tried->error.remedy);
			}
			said = tried->error.message;
		} else if (!is_right(trial, tried)) {
			note(table, trial->allowed ? "could not " : "could ", trial->what);
		}
	}
}

static void print_world(const struct world *world)
{
	struct cli_table table;

	printf("%s\n\n", world->title);
	cli_table_begin(&table, stdout, 4);
	cli_table_row(&table, CLI_TABLE_HEAD,
		      (const char *[]){"REQUIREMENT", "TRIED", "CLAIMED", "MECHANISM"});
	for (size_t i = 0; i < bv_support_row_count(world->support); i++) {
		struct bv_support_row row = bv_support_row(world->support, i);
		enum result result = judge(world, &row);

		cli_table_row(&table, result_looks[result],
			      (const char *[]){row.requirement, result_names[result], row.verdict,
					       row.mechanism});
		if (result != UNAVAILABLE)
			note_trials(&table, world, &row);
		note(&table, "why: ", row.reason);
		note(&table, "remedy: ", row.remedy);
	}
	cli_table_end(&table);
	putchar('\n');
}

/* ---- For programs ---------------------------------------------------------------------------- */

static void print_member(const char *prefix, const char *name, const char *text)
{
	printf("%s\"%s\":", prefix, name);
	cli_print_json_text(text ? text : "");
}

static void print_json_trials(const struct world *world, const char *requirement)
{
	const char *comma = "";

	printf(",\"trials\":[");
	for (size_t i = 0; cli_trials[i].requirement; i++) {
		const struct tried *tried = &world->tried[i];

		if (strcmp(cli_trials[i].requirement, requirement) != 0)
			continue;
		printf("%s{", comma);
		print_member("", "act", cli_trials[i].what);
		printf(",\"allowed\":%s", cli_trials[i].allowed ? "true" : "false");
		print_member(",", "free", found_names[tried->free]);
		print_member(",", "confined", found_names[tried->confined]);
		if (tried->confined != CLI_REFUSED)
			print_member(",", "claimed", tried->enforced ? "Enforced" : "Mediated");
		if (tried->confined == CLI_REFUSED)
			print_member(",", "refusal", tried->error.message);
		printf("}");
		comma = ",";
	}
	printf("]");
}

static void print_json_world(const struct world *world)
{
	print_member("{", "without", world->layer);
	printf(",\"rows\":[");
	for (size_t i = 0; i < bv_support_row_count(world->support); i++) {
		struct bv_support_row row = bv_support_row(world->support, i);

		print_member(i ? ",\n{" : "\n{", "requirement", row.requirement);
		print_member(",", "result", result_names[judge(world, &row)]);
		print_member(",", "claimed", row.verdict);
		print_member(",", "mechanism", row.mechanism);
		print_member(",", "evidence", row.evidence);
		print_member(",", "reason", row.reason);
		print_member(",", "remedy", row.remedy);
		print_json_trials(world, row.requirement);
		printf("}");
	}
	printf("],\"facts\":{");
	for (size_t i = 0; i < bv_support_fact_count(world->support); i++) {
		const char *value = NULL;
		const char *name = bv_support_fact(world->support, i, &value);

		printf("%s", i ? "," : "");
		cli_print_json_text(name);
		printf(":");
		cli_print_json_text(value);
	}
	printf("}}");
}

/* ---- The command ----------------------------------------------------------------------------- */

static int probe_world(const struct cli_request *request, struct world *world)
{
	struct bv_spec *spec = bv_spec_new();
	struct bv_error error = {.message = "there is no memory"};
	enum bv_code code = spec ? BV_OK : BV_E_MEMORY;

	if (code == BV_OK && world->layer)
		code = bv_spec_without(spec, world->layer, &error);
	if (code == BV_OK)
		code = bv_support_probe(request->backend, spec, &world->support, &error);
	bv_spec_free(spec);
	if (code != BV_OK)
		cli_say_error("doctor", &error);
	return code == BV_OK ? 0 : -1;
}

static bool any_broken(const struct world *world)
{
	for (size_t i = 0; i < bv_support_row_count(world->support); i++) {
		struct bv_support_row row = bv_support_row(world->support, i);

		if (judge(world, &row) == BROKEN)
			return true;
	}
	return false;
}

static int examine(const struct cli_request *request, struct world *worlds, size_t count)
{
	struct cli_lab lab;
	bool broken = false;
	int status = cli_lab_open(&lab);

	for (size_t i = 0; status == 0 && i < count; i++)
		status = probe_world(request, &worlds[i]);
	if (status == 0)
		try_all(&lab, worlds, count, request->backend);
	cli_lab_close(&lab);
	if (status != 0)
		return CLI_EXIT_REFUSED;
	if (request->json)
		printf("{\"worlds\":[");
	for (size_t i = 0; i < count; i++) {
		broken |= any_broken(&worlds[i]);
		if (request->json && i > 0)
			printf(",\n");
		if (request->json)
			print_json_world(&worlds[i]);
		else
			print_world(&worlds[i]);
	}
	if (request->json)
		printf("]}\n");
	return cli_close_stdout(broken ? CLI_EXIT_FALSE : CLI_EXIT_OK);
}

int cli_doctor(int argc, char **argv)
{
	static struct world worlds[] = {
		{.title = "With everything this machine has"},
		{.title =
			 "Without namespaces (--without namespaces, or where the machine forbids them)",
		 .layer = "namespaces"},
	};
	struct world *chosen = worlds;
	struct cli_request request;
	size_t count = 2;
	int status = cli_request_read(CLI_DOCTOR, argc, argv, &request);

	if (status != -1)
		return status;
	if (request.operand_count > 0) {
		cli_say("doctor: '%s' is not wanted", request.operands[0]);
		cli_remedy("doctor takes flags only");
		status = CLI_EXIT_REFUSED;
	} else {
		if (request.without) {
			worlds[1].title = "As asked";
			worlds[1].layer = request.without;
			chosen = &worlds[1];
			count = 1;
		}
		status = examine(&request, chosen, count);
	}
	for (size_t i = 0; i < 2; i++)
		bv_support_free(worlds[i].support);
	cli_request_clear(&request);
	return status;
}
