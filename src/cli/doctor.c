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

#include <signal.h>
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
	const char *layer;   /* left out */
	const char *backend; /* NULL: whichever runs it */
	const struct cli_trial *trials;
	struct bv_support *support;
	struct tried tried[TRIALS_MAX];
};

static const char *const found_names[] = {
	[CLI_NOT_TRIED] = "not tried",
	[CLI_HAPPENED] = "happened",
	[CLI_HELD] = "did not happen",
	[CLI_REFUSED] = "refused",
};

/* What is made for the trials is taken away first; a second signal does not wait for that. */
static volatile sig_atomic_t stopped_by;

static void note_stop(int number)
{
	stopped_by = number;
}

static void watch_stops(void)
{
	static const int watched[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction note = {.sa_handler = note_stop,
				 .sa_flags = (int)(SA_RESTART | SA_RESETHAND)},
			 before;

	for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
		/* Who started us so that it does not end us, as nohup does, wants that. */
		if (sigaction(watched[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
			(void)sigaction(watched[i], &note, NULL);
	}
}

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
	for (size_t i = 0; world->trials[i].requirement; i++) {
		const struct cli_trial *trial = &world->trials[i];
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

static bool claims_anything(const struct world *world)
{
	for (size_t i = 0; i < bv_support_row_count(world->support); i++)
		if (strcmp(bv_support_row(world->support, i).verdict, "Unsupported") != 0)
			return true;
	return false;
}

/* Worlds that follow each other with the same trials share what came of them when they were free. */
static void try_all(struct cli_lab *lab, struct world *worlds, size_t world_count, size_t first,
		    size_t all)
{
	const struct cli_trial *trials = worlds[0].trials;

	for (size_t i = 0; trials[i].requirement && !stopped_by; i++) {
		enum cli_found free_found;

		show_progress(first + i, all);
		free_found = cli_try_free(lab, &trials[i]);
		/* A busy machine may have kept it from getting that far. */
		if (free_found != CLI_HAPPENED)
			free_found = cli_try_free(lab, &trials[i]);
		for (size_t w = 0; w < world_count; w++) {
			struct tried *tried = &worlds[w].tried[i];

			tried->free = free_found;
			tried->confined = cli_try_confined(lab, &trials[i], worlds[w].backend,
							   worlds[w].layer, &tried->enforced,
							   &tried->error);
		}
	}
}

static size_t count_trials(const struct cli_trial *trials)
{
	size_t count = 0;

	while (trials[count].requirement)
		count++;
	return count;
}

/* How many of the worlds from the first on have its trials. */
static size_t count_alike(const struct world *worlds, size_t count)
{
	size_t alike = 1;

	while (alike < count && worlds[alike].trials == worlds[0].trials)
		alike++;
	return alike;
}

static void try_worlds(struct cli_lab *lab, struct world *worlds, size_t count)
{
	size_t all = 0, done = 0, group;

	for (size_t i = 0; i < count; i += count_alike(worlds + i, count - i))
		all += count_trials(worlds[i].trials);
	for (size_t i = 0; i < count && !stopped_by; i += group) {
		group = count_alike(worlds + i, count - i);
		/* Where the engine is not there, there is nothing to try. */
		if (claims_anything(&worlds[i]))
			try_all(lab, &worlds[i], group, done, all);
		done += count_trials(worlds[i].trials);
	}
	show_progress(all, all);
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

	for (size_t i = 0; world->trials[i].requirement; i++) {
		const struct cli_trial *trial = &world->trials[i];
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
	if (!claims_anything(world)) {
		const struct bv_support_row row = bv_support_row(world->support, 0);

		printf("Nothing of it: %s.\nremedy: %s\n\n", row.reason, row.remedy);
		return;
	}
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
	for (size_t i = 0; world->trials[i].requirement; i++) {
		const struct tried *tried = &world->tried[i];

		if (strcmp(world->trials[i].requirement, requirement) != 0)
			continue;
		printf("%s{", comma);
		print_member("", "act", world->trials[i].what);
		printf(",\"allowed\":%s", world->trials[i].allowed ? "true" : "false");
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

/* Those of programs first; guests have a member of their own. */
static void print_json(const struct world *worlds, size_t count)
{
	const char *comma = "";

	printf("{\"worlds\":[");
	for (size_t i = 0; i < count; i++) {
		if (worlds[i].trials != cli_trials)
			continue;
		printf("%s", comma);
		print_json_world(&worlds[i]);
		comma = ",\n";
	}
	printf("]");
	for (size_t i = 0; i < count; i++) {
		if (worlds[i].trials == cli_trials)
			continue;
		printf(",\n\"guests\":");
		print_json_world(&worlds[i]);
	}
	printf("}\n");
}

/* ---- The command ----------------------------------------------------------------------------- */

static int probe_world(struct world *world)
{
	struct bv_spec *spec = bv_spec_new();
	struct bv_error error = {.message = "there is no memory"};
	enum bv_code code = spec ? BV_OK : BV_E_MEMORY;

	if (code == BV_OK && world->layer)
		code = bv_spec_without(spec, world->layer, &error);
	if (code == BV_OK)
		code = bv_support_probe(world->backend, spec, &world->support, &error);
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
	int status;

	watch_stops();
	status = cli_lab_open(&lab);
	for (size_t i = 0; status == 0 && i < count; i++)
		status = probe_world(&worlds[i]);
	if (status == 0)
		try_worlds(&lab, worlds, count);
	cli_lab_close(&lab);
	if (stopped_by)
		return CLI_EXIT_SIGNAL + stopped_by;
	if (status != 0)
		return CLI_EXIT_REFUSED;
	for (size_t i = 0; i < count; i++)
		broken |= any_broken(&worlds[i]);
	if (request->json)
		print_json(worlds, count);
	for (size_t i = 0; !request->json && i < count; i++)
		print_world(&worlds[i]);
	return cli_close_stdout(broken ? CLI_EXIT_FALSE : CLI_EXIT_OK);
}

enum { WITH_ALL, WITHOUT_NAMESPACES, GUESTS, WORLDS };

/* Which of them: `first`, and how many from there. */
static size_t choose(const struct cli_request *request, struct world *worlds, size_t *ret_first)
{
	const bool guests_alone = request->backend && strcmp(request->backend, "wasm") == 0;

	worlds[WITH_ALL].backend = worlds[WITHOUT_NAMESPACES].backend = request->backend;
	worlds[GUESTS].layer = request->without;
	*ret_first = guests_alone ? GUESTS : request->without ? WITHOUT_NAMESPACES : WITH_ALL;
	if (request->without) {
		worlds[WITHOUT_NAMESPACES].title = "As asked";
		worlds[WITHOUT_NAMESPACES].layer = request->without;
		worlds[GUESTS].title = "WebAssembly guests, as asked";
	}
	/* Another backend than ours runs no guests, or ours stand behind it. */
	return (request->backend && !guests_alone ? GUESTS : WORLDS) - *ret_first;
}

int cli_doctor(int argc, char **argv)
{
	static struct world worlds[WORLDS] = {
		[WITH_ALL] = {.title = "With everything this machine has", .trials = cli_trials},
		[WITHOUT_NAMESPACES] =
			{.title =
				 "Without namespaces (--without namespaces, or where the machine forbids them)",
			 .layer = "namespaces",
			 .trials = cli_trials},
		[GUESTS] = {.title = "WebAssembly guests (bvisor wasm)",
			    .backend = "wasm",
			    .trials = cli_guest_trials},
	};
	struct cli_request request;
	size_t first, count;
	int status = cli_request_read(CLI_DOCTOR, argc, argv, &request);

	if (status != -1)
		return status;
	if (request.operand_count > 0) {
		cli_say("doctor: '%s' is not wanted", request.operands[0]);
		cli_remedy("doctor takes flags only");
		status = CLI_EXIT_REFUSED;
	} else {
		count = choose(&request, worlds, &first);
		status = examine(&request, worlds + first, count);
	}
	for (size_t i = 0; i < WORLDS; i++)
		bv_support_free(worlds[i].support);
	cli_request_clear(&request);
	return status;
}
