/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* facts.c - the raw facts of a snapshot, read back as what they decide. */
#include "facts.h"

static const struct {
	const char *name;
	enum bv_fact_kind kind;
} facts[BV_FACT_COUNT] = {
#define BV_FACT_ROW(constant, name, source) {name, source},
	BV_FACTS(BV_FACT_ROW)
#undef BV_FACT_ROW
};

const char *bv__fact_name(enum bv_fact fact)
{
	return facts[fact].name;
}

enum bv_fact_kind bv__fact_kind(enum bv_fact fact)
{
	return facts[fact].kind;
}

struct bv_str bv__fact_text(const struct bv_profile_snapshot *snapshot, enum bv_fact fact)
{
	for (size_t i = 0; i < snapshot->probed.count; i++) {
		if (bv_str_is(snapshot->probed.items[i].key, facts[fact].name))
			return snapshot->probed.items[i].value;
	}
	return BV_STR("");
}

bool bv__fact_holds(const struct bv_profile_snapshot *snapshot, enum bv_fact fact)
{
	return bv_str_is(bv__fact_text(snapshot, fact), "yes");
}

uint64_t bv__fact_number(const struct bv_profile_snapshot *snapshot, enum bv_fact fact)
{
	const struct bv_str text = bv__fact_text(snapshot, fact);
	uint64_t number = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || !bv_mul(number, 10, &number) ||
		    !bv_add(number, (uint64_t)(text.data[i] - '0'), &number))
			return 0;
	}
	return number;
}

/* Whether one of the words of `text`, single blanks between them, is `word`. */
static bool has_word(struct bv_str text, const char *word)
{
	size_t start = 0;

	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && text.data[i] != ' ')
			continue;
		if (bv_str_is((struct bv_str){text.data + start, i - start}, word))
			return true;
		start = i + 1;
	}
	return false;
}

struct bv_layers bv__layers_of(const struct bv_profile_snapshot *snapshot,
			       const struct bv_execution_options *execution)
{
	const uint32_t without = execution != NULL && execution->has_without ? execution->without
									     : 0;
	struct bv_layers layers = {
		.namespaces = bv__fact_holds(snapshot, BV_FACT_NAMESPACES) &&
			      !(without & 1u << BV_LAYER_NAMESPACES),
		.netns = bv__fact_holds(snapshot, BV_FACT_NETNS) &&
			 !(without & 1u << BV_LAYER_NETWORK_NAMESPACE),
		.landlock = bv__fact_holds(snapshot, BV_FACT_LANDLOCK) &&
			    !(without & 1u << BV_LAYER_LANDLOCK),
		.notify = bv__fact_holds(snapshot, BV_FACT_SECCOMP_NOTIFY),
		.attest = bv__fact_holds(snapshot, BV_FACT_ATTEST),
		.root = bv__fact_number(snapshot, BV_FACT_UID) == 0,
		.idmap = bv__fact_holds(snapshot, BV_FACT_IDMAP),
		.strict = execution != NULL && execution->has_syscalls &&
			  execution->syscalls == BV_SYSCALLS_STRICT,
		.group = bv__fact_holds(snapshot, BV_FACT_CGROUP_JOIN),
		.overlay = bv__fact_holds(snapshot, BV_FACT_OVERLAY),
	};
	const struct bv_str controllers = bv__fact_text(snapshot, BV_FACT_CGROUP_CONTROLLERS);

	if (layers.group) {
		layers.group_memory = has_word(controllers, "memory");
		layers.group_pids = has_word(controllers, "pids");
	}
	layers.netns = layers.netns && layers.namespaces;
	layers.idmap = layers.idmap && layers.namespaces && layers.root;
	layers.overlay = layers.overlay && layers.namespaces;
	if (layers.landlock)
		layers.landlock_abi = (int)bv__fact_number(snapshot, BV_FACT_LANDLOCK_ABI);
	return layers;
}

const char *bv__fact_missing(const struct bv_profile_snapshot *snapshot)
{
	static const struct {
		enum bv_fact fact;
		const char *text;
	} needed[] = {
		{BV_FACT_SECCOMP_FILTER,
		 "no system call filter can be loaded here, and bvisor starts nothing without one"},
		{BV_FACT_MEMFD_SEALS, "the launch plan cannot be sealed here (memfd_create)"},
		{BV_FACT_PIDFD, "processes cannot be watched by descriptor here (pidfd)"},
		{BV_FACT_OPENAT2, "paths cannot be opened without following links here (openat2)"},
		{BV_FACT_CLOSE_RANGE, "descriptors cannot be closed reliably here (close_range)"},
		{BV_FACT_SUBREAPER,
		 "orphaned processes cannot be collected here (PR_SET_CHILD_SUBREAPER)"},
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!bv__fact_holds(snapshot, needed[i].fact))
			return needed[i].text;
	}
	if (bv__fact_number(snapshot, BV_FACT_UID) == 0 &&
	    bv_str_is(bv__fact_text(snapshot, BV_FACT_PRIVATE_IDS), "none"))
		return "user 0 has no other id here to run the workload as";
	return NULL;
}
