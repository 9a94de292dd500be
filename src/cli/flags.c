/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of flags, and what each does to the request. */
#include "options.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int refuse(const struct cli_flag *flag, const char *value, const char *what)
{
	cli_say("%s: '%s' %s", flag->name, value, what);
	return -1;
}

/* What the library said of a value, told in terms of the flag. */
static int told(const struct cli_flag *flag, enum bv_code code, const struct bv_error *error)
{
	if (code == BV_OK)
		return 0;
	cli_say_error(flag->name, error);
	return -1;
}

static bool covers(const char *root, const char *path)
{
	size_t len = strlen(root);

	if (strcmp(root, "/") == 0)
		return true;
	return strncmp(path, root, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Whether the current directory is there inside: in what is granted, or on the way to it. */
static bool shows_cwd(const char *path)
{
	char cwd[PATH_MAX], granted[PATH_MAX];

	return getcwd(cwd, sizeof cwd) && realpath(path, granted) &&
	       (covers(granted, cwd) || covers(cwd, granted));
}

static int grant(struct cli_request *request, const struct cli_flag *flag, const char *value,
		 unsigned int grants)
{
	struct bv_error error = {0};

	if (!request->cwd_granted)
		request->cwd_granted = shows_cwd(value);
	return told(flag, bv_spec_grant(request->spec, grants, value, &error), &error);
}

static int take_read(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	return grant(request, flag, value, BV_GRANT_READ);
}

static int take_write(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	return grant(request, flag, value, BV_GRANT_WRITE);
}

static int take_exec(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	return grant(request, flag, value, BV_GRANT_EXECUTE);
}

static int take_deny(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};

	return told(flag, bv_spec_deny(request->spec, value, &error), &error);
}

static int take_tmp(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};
	const char *colon = strchr(value, ':');
	char *size = strndup(value, colon ? (size_t)(colon - value) : strlen(value));
	uint64_t bytes = 0, inodes = 0;
	const char *wrong = size ? cli_parse_size(size, &bytes) : "is too long";

	free(size);
	if (!wrong && colon)
		wrong = cli_parse_count(colon + 1, &inodes);
	if (wrong)
		return refuse(flag, value, wrong);
	if (told(flag, bv_spec_tmp(request->spec, bytes, &error), &error) != 0)
		return -1;
	return told(flag, bv_spec_tmp_inodes(request->spec, inodes, &error), &error);
}

static int take_commit(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	static const char *const names[] = {
		[CLI_COMMIT_ASK] = "ask",     [CLI_COMMIT_ALWAYS] = "always",
		[CLI_COMMIT_OK] = "ok",       [CLI_COMMIT_NEVER] = "never",
		[CLI_COMMIT_LATER] = "later",
	};

	request->commit_given = true;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(value, names[i]) == 0) {
			request->commit = (enum cli_commit)i;
			return 0;
		}
	}
	return refuse(flag, value, "is none of ask, always, ok, never, later");
}

static int take_expose(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};
	const char *colon = strchr(value, ':');
	char *source = colon ? strndup(value, (size_t)(colon - value)) : NULL;
	char *dest = colon ? strdup(colon + 1) : NULL;
	char *mode = dest ? strrchr(dest, ':') : NULL;
	unsigned int grants = BV_GRANT_READ;
	int status;

	if (mode && (strcmp(mode, ":rw") == 0 || strcmp(mode, ":ro") == 0)) {
		grants |= strcmp(mode, ":rw") == 0 ? (unsigned int)BV_GRANT_WRITE : 0;
		*mode = '\0';
	}
	if (!source || !dest)
		status = refuse(flag, value,
				"does not say SRC:DEST, your path and where it is to appear");
	else
		status = told(flag, bv_spec_expose(request->spec, source, dest, grants, &error),
			      &error);
	free(source);
	free(dest);
	return status;
}

static int take_cwd(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};

	request->cwd_given = true;
	return told(flag, bv_spec_cwd(request->spec, value, &error), &error);
}

static int take_net(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	/* No network is what every spec of ours asks for already. */
	(void)request;
	if (strcmp(value, "none") == 0)
		return 0;
	cli_say("%s: '%s': reaching chosen peers is not available yet", flag->name, value);
	cli_remedy("use --net none, and fetch what the program needs before it runs");
	return -1;
}

static int take_env(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};
	const char *equals = strchr(value, '=');
	const char *content = equals ? equals + 1 : getenv(value);
	char *name = strndup(value, equals ? (size_t)(equals - value) : strlen(value));
	int status = -1;

	if (!content) {
		cli_say("%s: '%s' is not set here", flag->name, value);
		cli_remedy("set it, or write --env %s=VALUE", value);
	} else if (name) {
		status = told(flag, bv_spec_env(request->spec, name, content, &error), &error);
	}
	free(name);
	return status;
}

static int take_secret(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};
	struct cli_bytes secret = {0};
	const char *equals = strchr(value, '=');

	if (!equals || equals == value || !equals[1])
		return refuse(
			flag, value,
			"does not say NAME=FILE, the variable and the file that holds its value");
	if (cli_read_file(equals + 1, CLI_SECRET_MAX_BYTES, &secret) != 0)
		return -1;

	size_t size = secret.size_bytes;
	char *name = strndup(value, (size_t)(equals - value));
	int status = -1;

	/* Editors and echo end a file with a newline that is no part of the secret. */
	if (size > 0 && secret.data[size - 1] == '\n')
		size--;
	if (name)
		status = told(flag, bv_spec_secret(request->spec, name, secret.data, size, &error),
			      &error);
	free(name);
	cli_bytes_wipe(&secret);
	return status;
}

static int take_spawn(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	static const struct {
		const char *name;
		enum bv_spawn spawn;
	} policies[] = {
		{"none", BV_SPAWN_NONE},
		{"threads", BV_SPAWN_THREADS},
		{"processes", BV_SPAWN_PROCESSES},
	};
	struct bv_error error = {0};

	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
		if (strcmp(value, policies[i].name) == 0)
			return told(flag, bv_spec_spawn(request->spec, policies[i].spawn, &error),
				    &error);
	}
	return refuse(flag, value, "is none of none, threads, processes");
}

static int take_runtime(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	static const struct {
		const char *name;
		enum bv_runtime runtime;
	} sets[] = {
		{"none", BV_USE_RUNTIME_NONE},
		{"libraries", BV_USE_RUNTIME_LIBRARIES},
		{"system", BV_USE_RUNTIME_SYSTEM},
	};
	struct bv_error error = {0};

	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		if (strcmp(value, sets[i].name) == 0)
			return told(flag, bv_spec_runtime(request->spec, sets[i].runtime, &error),
				    &error);
	}
	return refuse(flag, value, "is none of none, libraries, system");
}

static int take_syscalls(struct cli_request *request, const struct cli_flag *flag,
			 const char *value)
{
	struct bv_error error = {0};
	enum bv_syscalls syscalls = BV_USE_SYSCALLS_BASELINE;

	if (strcmp(value, "strict") == 0)
		syscalls = BV_USE_SYSCALLS_STRICT;
	else if (strcmp(value, "baseline") != 0)
		return refuse(flag, value, "is neither baseline nor strict");
	return told(flag, bv_spec_syscalls(request->spec, syscalls, &error), &error);
}

static int take_fd(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};
	uint64_t fd;
	const char *wrong = cli_parse_count(value, &fd);

	if (wrong)
		return refuse(flag, value, "is not the number of a descriptor");
	if (fd > INT_MAX)
		return refuse(flag, value, "is too large");
	return told(flag, bv_spec_inherit_fd(request->spec, (int)fd, &error), &error);
}

static const struct {
	const char *flag;
	enum bv_budget budget;
	const char *(*parse)(const char *text, uint64_t *ret_value);
} budgets[] = {
	{"--wall", BV_BUDGET_WALL, cli_parse_duration},
	{"--cpu", BV_BUDGET_CPU, cli_parse_duration},
	{"--memory", BV_BUDGET_MEMORY, cli_parse_size},
	{"--processes", BV_BUDGET_PROCESSES, cli_parse_count},
	{"--handles", BV_BUDGET_HANDLES, cli_parse_count},
	{"--storage", BV_BUDGET_STORAGE, cli_parse_size},
	{"--net-bytes", BV_BUDGET_NETWORK, cli_parse_size},
};

static int take_budget(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};
	uint64_t limit;
	size_t i = 0;

	while (strcmp(budgets[i].flag, flag->name) != 0)
		i++;

	const char *wrong = budgets[i].parse(value, &limit);

	if (wrong)
		return refuse(flag, value, wrong);
	return told(flag, bv_spec_budget(request->spec, budgets[i].budget, limit, &error), &error);
}

static int take_grace(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};
	uint64_t micros;
	const char *wrong = cli_parse_duration(value, &micros);

	if (wrong)
		return refuse(flag, value, wrong);
	return told(flag, bv_spec_grace(request->spec, micros, &error), &error);
}

static int take_limit(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};
	uint64_t bytes;
	const char *wrong = cli_parse_size(value, &bytes);

	if (wrong)
		return refuse(flag, value, wrong);
	return told(flag,
		    strcmp(flag->name, "--capture-limit") == 0
			    ? bv_spec_capture_limit(request->spec, bytes, &error)
			    : bv_spec_output_limit(request->spec, bytes, &error),
		    &error);
}

static int take_require(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	static const char enforced[] = "enforced";
	const size_t len = sizeof enforced - 1;
	struct bv_error error = {0};

	if (strncmp(value, enforced, len) != 0 || (value[len] != '\0' && value[len] != ':'))
		return refuse(flag, value,
			      "is neither enforced nor enforced:KIND as in enforced:Filesystem");
	return told(flag,
		    bv_spec_require_enforced(request->spec, value[len] ? value + len + 1 : NULL,
					     &error),
		    &error);
}

static int take_without(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};

	request->without = value;
	return told(flag, bv_spec_without(request->spec, value, &error), &error);
}

static int take_stdin(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	(void)flag;
	request->input_path = value;
	request->input = strcmp(value, "none") == 0 ? CLI_STDIN_NONE
			 : strcmp(value, "-") == 0  ? CLI_STDIN_RELAY
						    : CLI_STDIN_FILE;
	return 0;
}

static int take_path(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	const char **where = strcmp(flag->name, "--stdout") == 0   ? &request->output_path
			     : strcmp(flag->name, "--stderr") == 0 ? &request->error_path
			     : strcmp(flag->name, "--spec") == 0   ? &request->spec_path
								   : &request->report_path;

	if (!*value)
		return refuse(flag, value, "is empty; name a file");
	*where = value;
	return 0;
}

static int take_journal_text(struct cli_request *request, const struct cli_flag *flag,
			     const char *value)
{
	const struct {
		const char *name;
		const char **where;
	} texts[] = {
		{"--journal", &request->journal},
		{"--journal-key", &request->journal_key},
		{"--idempotency-key", &request->idempotency_key},
		{"--public-key", &request->public_key},
		{"--anchor", &request->anchor},
		{"--outcome", &request->outcome},
		{"--program", &request->program},
		{"--attempt", &request->attempt},
		{"--resolve", &request->attempt},
		{"--note", &request->note},
		{"--proof", &request->proof},
		{"--to", &request->to},
	};
	size_t i = 0;

	while (strcmp(texts[i].name, flag->name) != 0)
		i++;
	if (!*value)
		return refuse(flag, value, "is empty");
	*texts[i].where = value;
	return 0;
}

static int take_time(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	const char *wrong = cli_parse_time(value, strcmp(flag->name, "--since") == 0
							  ? &request->since
							  : &request->until);

	return wrong ? refuse(flag, value, wrong) : 0;
}

static int take_output(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};
	const char *wrong = NULL;

	if (strcmp(flag->name, "--output") == 0)
		request->artifacts_dir = value;
	else
		wrong = cli_parse_size(value, &request->artifacts_limit);
	if (wrong)
		return refuse(flag, value, wrong);
	/* Whichever comes first waits for the other. */
	return request->artifacts_dir ? told(flag,
					     bv_spec_output(request->spec, request->artifacts_dir,
							    request->artifacts_limit, &error),
					     &error)
				      : 0;
}

static int take_durability(struct cli_request *request, const struct cli_flag *flag,
			   const char *value)
{
	static const char *const names[] = {
		[BV_COMMIT_AS_DURABLE] = "durable",
		[BV_COMMIT_AS_ATOMIC] = "atomic",
		[BV_COMMIT_AS_BEST_EFFORT] = "best-effort",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(value, names[i]) == 0) {
			request->durability = (enum bv_durability)i;
			return 0;
		}
	}
	return refuse(flag, value, "is none of durable, atomic, best-effort");
}

static int take_last(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	const char *wrong = cli_parse_count(value, &request->last);

	return wrong ? refuse(flag, value, wrong) : 0;
}

static int take_backend(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	(void)flag;
	request->backend = value;
	return 0;
}

static int take_engine(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};

	if (strcmp(value, "cranelift") != 0 && strcmp(value, "pulley") != 0)
		return refuse(flag, value, "is neither cranelift nor pulley");
	return told(flag,
		    bv_spec_wasm_engine(request->spec,
					strcmp(value, "pulley") == 0 ? BV_USE_WASM_INTERPRETED
								     : BV_USE_WASM_COMPILED,
					&error),
		    &error);
}

static int take_fuel(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};
	uint64_t units = 0;
	const char *wrong = cli_parse_count(value, &units);

	if (wrong)
		return refuse(flag, value, wrong);
	return told(flag, bv_spec_wasm_fuel(request->spec, units, &error), &error);
}

static int take_switch(struct cli_request *request, const struct cli_flag *flag, const char *value)
{
	struct bv_error error = {0};

	(void)value;
	if (strcmp(flag->name, "--json") == 0)
		request->json = true;
	else if (strcmp(flag->name, "--quiet") == 0)
		request->quiet = true;
	else if (strcmp(flag->name, "--raw") == 0)
		request->raw = true;
	else if (strcmp(flag->name, "--journal-values") == 0)
		request->journal_values = true;
	else if (strcmp(flag->name, "--print-spec") == 0)
		request->print_spec = true;
	else if (strcmp(flag->name, "--replace") == 0)
		request->replace = true;
	else if (strcmp(flag->name, "--keep-output") == 0)
		request->keep_output = true;
	else if (strcmp(flag->name, "--delta") == 0)
		return told(flag, bv_spec_delta(request->spec, true, &error), &error);
	else if (strcmp(flag->name, "--plan") == 0)
		request->plan = true;
	else if (strcmp(flag->name, "--deterministic") == 0)
		return told(flag, bv_spec_wasm_deterministic(request->spec, true, &error), &error);
	else if (strcmp(flag->name, "--stage") == 0) {
		request->stage = true;
		return told(flag, bv_spec_stage(request->spec, true, &error), &error);
	} else {
		request->terminal = true;
		return told(flag, bv_spec_terminal(request->spec, true, &error), &error);
	}
	return 0;
}

#define NATIVE (CLI_RUN | CLI_PLAN) /* what only a native program has */
#define RUNS (CLI_RUN | CLI_WASM)
#define SPEC (NATIVE | CLI_WASM)
#define JOURNAL                                                                                    \
	(CLI_JOURNAL_LS | CLI_JOURNAL_SHOW | CLI_JOURNAL_VERIFY | CLI_JOURNAL_EXPORT |             \
	 CLI_JOURNAL_ANCHOR | CLI_JOURNAL_RECOVER | CLI_JOURNAL_GC)
#define ARTIFACTS                                                                                  \
	(CLI_ARTIFACTS_LS | CLI_ARTIFACTS_SHOW | CLI_ARTIFACTS_DIFF | CLI_ARTIFACTS_COMMIT |       \
	 CLI_ARTIFACTS_DISCARD)
#define ALL (SPEC | CLI_DOCTOR | CLI_REPORT_SHOW | CLI_REPORT_VERIFY)

static const char files[] = "Files", process[] = "Process", budget[] = "Limits",
		  streams[] = "Streams", how[] = "How it is held", out[] = "Spec and report";

const struct cli_flag cli_flags[] = {
	{"--read", "PATH", SPEC, files, "let it read a file or directory tree (repeatable)",
	 take_read, " --allow-read --ro-bind --bind-ro --readonly -v ", NULL},
	{"--write", "PATH", SPEC, files,
	 "let it create, change and remove there; does not imply --read", take_write,
	 " --allow-write --bind --rw --mount ", NULL},
	{"--exec", "PATH", NATIVE, files, "let it execute what is there; scripts need --read too",
	 take_exec, " --allow-run --execute ", NULL},
	{"--deny", "PATH", SPEC, files, "take a path out of reach although a grant covers it",
	 take_deny, " --deny-read --deny-write --exclude --mask --blacklist ", NULL},
	{"--tmp", "SIZE[:FILES]", SPEC, files,
	 "give it a private /tmp of at most SIZE, and so many files", take_tmp,
	 " --tmpfs --private-tmp ", NULL},
	{"--cwd", "PATH", SPEC, files, "start there (default: here, if that is granted)", take_cwd,
	 " --workdir -w --chdir --directory -C ", NULL},
	{"--runtime", "SET", NATIVE, files,
	 "none, libraries (default) or system: what to show of /usr and /etc", take_runtime, "",
	 NULL},
	{"--expose", "SRC:DEST[:rw]", SPEC, files,
	 "show a path of yours at another place, to read or also to write", take_expose,
	 " --volume --map ", NULL},
	{"--stage", NULL, SPEC, files,
	 "keep what it writes apart; afterwards see it, commit or discard it", take_switch,
	 " --overlay ", NULL},
	{"--commit", "ask|always|ok|never|later", RUNS, files,
	 "staged changes; ok: if it exits with 0; later: bvisor artifacts", take_commit, "", NULL},

	{"--delta", NULL, SPEC, files, "list staged changes in the report, with digests",
	 take_switch, " --diff ", NULL},
	{"--output", "DIR", SPEC, files,
	 "keep the files it leaves there beside the journal: its artifacts", take_output,
	 " --artifacts --collect ", NULL},
	{"--output-size", "SIZE", SPEC, files, "keep at most SIZE of them (default 1G)",
	 take_output, "", NULL},

	{"--net", "none", SPEC, process, "no network (default)", take_net,
	 " --allow-net --network --unshare-net ", NULL},
	{"--env", "NAME[=VALUE]", SPEC, process,
	 "set a variable, or pass on yours; nothing else is inherited", take_env,
	 " --setenv -e --environment --allow-env ", NULL},
	{"--secret", "NAME=FILE", SPEC, process,
	 "set a variable to a file's content; never shown or stored", take_secret, "", NULL},
	{"--spawn", "none|threads|processes", NATIVE, process,
	 "which tasks it may make (default: processes)", take_spawn,
	 " --allow-child-process --fork ", NULL},
	{"--fd", "N", NATIVE, process, "keep your descriptor N open in it (repeatable)", take_fd,
	 " --preserve-fds --pass-fd ", NULL},
	{"--syscalls", "baseline|strict", NATIVE, process,
	 "all but the dangerous system calls (default), or only common ones", take_syscalls,
	 " --seccomp ", NULL},

	{"--wall", "TIME", SPEC, budget, "elapsed time, as in 10s; then exit 124", take_budget,
	 " --timeout --time-limit --time --deadline ", NULL},
	{"--cpu", "TIME", SPEC, budget, "processor time of all its tasks", take_budget,
	 " --cpu-time --rlimit-cpu --cpu-limit ", NULL},
	{"--memory", "SIZE", SPEC, budget, "memory of all its tasks, as in 256M", take_budget,
	 " --mem --memory-limit --ram -m --rlimit-as ", NULL},
	{"--processes", "N", SPEC, budget, "tasks alive at once", take_budget,
	 " --pids-limit --nproc --procs --rlimit-nproc --max-processes ", NULL},
	{"--handles", "N", SPEC, budget, "open descriptors", take_budget,
	 " --nofile --files --rlimit-nofile --fds ", NULL},
	{"--storage", "SIZE", SPEC, budget, "bytes it may store in all", take_budget,
	 " --disk --fsize --rlimit-fsize --quota ", NULL},
	{"--net-bytes", "SIZE", SPEC, budget, "bytes it may send and receive", take_budget,
	 " --bandwidth ", NULL},
	{"--fuel", "N", CLI_WASM, budget,
	 "what it may execute, in the engine's unit; the same in every run", take_fuel,
	 " --gas --instructions ", NULL},
	{"--grace", "TIME", SPEC, budget,
	 "when time is up, or you stop it: SIGTERM first, the kill so much later", take_grace,
	 " --kill-after --grace-period --stop-timeout ", NULL},

	{"--stdin", "FILE|none|-", RUNS, streams,
	 "what it reads; - relays yours even from a terminal", take_stdin, " --input ", NULL},
	{"--stdout", "FILE", CLI_ARTIFACTS_SHOW, streams, "write it there, not over a file",
	 take_path, " --output-file -o ", NULL},
	{"--raw", NULL, CLI_ARTIFACTS_SHOW, streams, "write it even to a terminal, as it is",
	 take_switch, "", NULL},
	{"--stdout", "FILE", RUNS, streams, "where its output goes instead of yours", take_path,
	 " --output-file -o ", NULL},
	{"--stderr", "FILE", RUNS, streams, "the same for its error output", take_path, "", NULL},
	{"--tty", NULL, SPEC, streams, "give it a private terminal, for shells and editors",
	 take_switch, " -t -it -i --interactive --pty --terminal ", NULL},
	{"--raw", NULL, RUNS, streams, "let its control characters reach your terminal",
	 take_switch, "", NULL},
	{"--output-limit", "SIZE", SPEC, streams, "pass on at most SIZE of each stream", take_limit,
	 " --max-output ", NULL},
	{"--capture-limit", "SIZE", SPEC, streams, "keep at most SIZE of each stream (default 1M)",
	 take_limit, "", NULL},
	{"--keep-output", NULL, RUNS, streams,
	 "keep what is captured of its streams beside the journal", take_switch, " --keep-streams ",
	 NULL},

	{"--engine", "cranelift|pulley", CLI_WASM, how,
	 "compile it to machine code (default), or interpret it", take_engine,
	 " --jit --interpreter ", NULL},
	{"--deterministic", NULL, CLI_WASM, how, "the same clocks and random bytes in every run",
	 take_switch, " --reproducible --replay ", NULL},
	{"--plan", NULL, CLI_WASM, how, "say what would be enforced, or why not; run nothing",
	 take_switch, "", NULL},
	{"--require", "enforced[:KIND]", SPEC, how,
	 "refuse what is only mediated, for all or one requirement", take_require,
	 " --strict --enforce ", NULL},
	{"--without", "LAYER", SPEC | CLI_DOCTOR, how,
	 "leave out namespaces, netns or landlock on purpose", take_without,
	 " --no-namespaces --no-landlock ", NULL},
	{"--backend", "NAME", ALL, how, NULL, take_backend, "", NULL},

	{"--spec", "FILE.json", SPEC, out, "start from a spec; other flags add to it", take_path,
	 " --config --policy --settings ", NULL},
	{"--print-spec", NULL, SPEC, out, "write the spec as JSON and run nothing", take_switch,
	 " --dry-run ", NULL},
	{"--profile", "NAME", SPEC, out, NULL, NULL, "",
	 "keep the flags in a file with --print-spec and use --spec"},
	{"--journal", "PATH|none", SPEC | JOURNAL | ARTIFACTS, out,
	 "where runs are recorded (default: $XDG_STATE_HOME/bvisor/journal.db)", take_journal_text,
	 " --audit-log --db ", NULL},
	{"--journal-key", "FILE", RUNS | CLI_JOURNAL_RECOVER | CLI_JOURNAL_GC | ARTIFACTS, out,
	 "the key its signatures are made with (default: PATH.key)", take_journal_text, "", NULL},
	{"--journal-values", NULL, RUNS, out, "let it keep the values of --env too", take_switch,
	 "", NULL},
	{"--idempotency-key", "TEXT", RUNS, out,
	 "run once: the same again gives the first one's status", take_journal_text, " --once ",
	 NULL},
	{"--since", "TIME", CLI_JOURNAL_LS, out, "started then or later: 2026-11-27, or 2h ago",
	 take_time, " --after --from ", NULL},
	{"--until", "TIME", CLI_JOURNAL_LS, out, "started before", take_time, " --before --to ",
	 NULL},
	{"--until", "TIME", CLI_JOURNAL_GC, out, "those that had ended before, as in 90d",
	 take_time, " --before --older-than ", NULL},
	{"--outcome", "NAME", CLI_JOURNAL_LS, out, "as in Failed, Timeout, RolledBack",
	 take_journal_text, " --status --state ", NULL},
	{"--program", "TEXT", CLI_JOURNAL_LS, out, "whose path has this in it", take_journal_text,
	 " --grep --exe ", NULL},
	{"--last", "N", CLI_JOURNAL_LS, out, "at most so many, the newest", take_last,
	 " -n --limit --max ", NULL},
	{"--public-key", "FILE", CLI_JOURNAL_VERIFY | CLI_REPORT_VERIFY, out,
	 "every signature must be of this key; or its 64 digits", take_journal_text, " --key ",
	 NULL},
	{"--anchor", "FILE", CLI_JOURNAL_VERIFY, out,
	 "what journal anchor wrote once, kept where nobody changes it", take_journal_text, "",
	 NULL},
	{"--proof", "FILE", CLI_REPORT_VERIFY, out,
	 "what journal export --attempt wrote: it must be in that journal", take_journal_text, "",
	 NULL},
	{"--attempt", "ID", CLI_JOURNAL_EXPORT, out, "only the proof of the report of that one",
	 take_journal_text, " --proof --id ", NULL},
	{"--resolve", "ID", CLI_JOURNAL_RECOVER, out, "this one was settled by a person",
	 take_journal_text, "", NULL},
	{"--note", "TEXT", CLI_JOURNAL_RECOVER, out, "how it was settled", take_journal_text,
	 " --message -m ", NULL},
	{"--to", "DIR", CLI_ARTIFACTS_COMMIT, out, "the directory they go to, which is there",
	 take_journal_text, " --into --dest --directory -C ", NULL},
	{"--replace", NULL, CLI_ARTIFACTS_COMMIT, out, "files that are there give way", take_switch,
	 " --force --overwrite -f ", NULL},
	{"--durability", "durable|atomic|best-effort", CLI_ARTIFACTS_COMMIT, out,
	 "what has to be reached for it to count as done (default: durable)", take_durability, "",
	 NULL},
	{"--report", "FILE", CLI_JOURNAL_SHOW, out, "write the sealed report there", take_path, "",
	 NULL},
	{"--report", "FILE", RUNS, out, "write the sealed report; JSON if FILE ends in .json",
	 take_path, " --log --audit ", NULL},
	{"--json", NULL,
	 (JOURNAL | ARTIFACTS) & ~(CLI_JOURNAL_EXPORT | CLI_JOURNAL_ANCHOR | CLI_ARTIFACTS_SHOW |
				   CLI_ARTIFACTS_DIFF),
	 out, "write JSON", take_switch, " --format -j ", NULL},
	{"--json", NULL, CLI_WASM_CACHE_LS, out, "write JSON", take_switch, "", NULL},
	{"--json", NULL, ALL, out,
	 "write JSON; with run and no --report, the report goes to stderr", take_switch,
	 " --format -j ", NULL},
	{"--quiet", NULL, ALL | JOURNAL | ARTIFACTS, out,
	 "bvisor itself says nothing; the exit code still tells", take_switch, " -q --silent ",
	 NULL},
	{NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL},
};
