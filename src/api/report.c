/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reports: looked at, read, written, verified. */
#include "api.h"

#include <stdlib.h>
#include <string.h>

#include "contract/json.h"
#include "contract/report.h"
#include "report/text.h"
#include "verify/check.h"

enum bv_code bv__report_finish(struct bv_report *report, struct bv_error *err)
{
	bv_digest_hex(&report->value.body_hash, report->hash);
	report->summary = bv__text_summary(&report->arena, &report->value.body);
	return report->summary.data
		       ? BV_OK
		       : bv_fail(err, BV_E_MEMORY, "", "there is no memory for a report");
}

void bv_report_free(struct bv_report *report)
{
	if (!report)
		return;
	free(report->output[0]);
	free(report->output[1]);
	bv__memory_unmap(&report->arena);
	free(report);
}

/* ---- Looking --------------------------------------------------------------------------------- */

const char *bv_report_outcome(const struct bv_report *report)
{
	return bv_name_of(&bv_outcome_type, report->value.body.outcome);
}

const char *bv_report_summary(const struct bv_report *report)
{
	return report->summary.data;
}

size_t bv_report_artifact_count(const struct bv_report *report)
{
	return report->value.body.artifacts.count;
}

size_t bv_report_left_out_count(const struct bv_report *report)
{
	const struct bv_report_body *body = &report->value.body;

	return (body->has_left_out ? body->left_out.count : 0) +
	       (body->has_left_out_more ? (size_t)body->left_out_more : 0);
}

void bv_report_left_out(const struct bv_report *report, size_t index, const char **ret_name,
			const char **ret_why)
{
	const struct bv_report_body *body = &report->value.body;

	*ret_name = NULL;
	*ret_why = "";
	if (!body->has_left_out || index >= body->left_out.count)
		return;
	*ret_name = body->left_out.items[index].name.data;
	*ret_why = bv__text_left_out(body->left_out.items[index].cause);
}

const char *bv_report_limit(const struct bv_report *report)
{
	const struct bv_report_body *body = &report->value.body;

	if (!body->has_stopped_by)
		return NULL;
	return body->stopped_by == BV_LIMIT_FUEL
		       ? "fuel"
		       : bv__text_dimension((enum bv_dimension)body->stopped_by);
}

enum bv_exit_kind bv_report_exit(const struct bv_report *report, int *ret_number)
{
	const struct bv_report_body *body = &report->value.body;

	if (body->has_exec_failure)
		return BV_EXITED_NOT_STARTED;
	if (!body->has_exit)
		return BV_EXITED_UNKNOWN;
	switch (body->exit.tag) {
	case BV_EXIT_CODE:
		*ret_number = body->exit.u.code;
		return BV_EXITED_CODE;
	case BV_EXIT_SIGNAL:
		*ret_number = body->exit.u.signal;
		return BV_EXITED_SIGNAL;
	}
	return BV_EXITED_UNKNOWN;
}

/* Text of a report is NUL-terminated: decoders and copies make it so, and so do backends. */
const char *bv_report_exec_failure(const struct bv_report *report, int *ret_errno,
				   const char **ret_message)
{
	const struct bv_exec_failure *failure = &report->value.body.exec_failure;

	if (!report->value.body.has_exec_failure)
		return NULL;
	*ret_errno = failure->sys_errno;
	*ret_message = failure->message.data;
	return failure->step.data;
}

const void *bv_report_output(const struct bv_report *report, enum bv_stream stream,
			     size_t *ret_size_bytes)
{
	*ret_size_bytes = report->output_bytes[stream];
	return report->output[stream];
}

const char *bv_report_hash(const struct bv_report *report)
{
	return report->hash;
}

/* ---- Writing --------------------------------------------------------------------------------- */

enum bv_code bv_report_to_json(const struct bv_report *report, char **ret_text,
			       struct bv_error *err)
{
	return bv__json_out(&bv_boundary_report_type, &report->value, ret_text, err);
}

enum bv_code bv_report_to_bytes(const struct bv_report *report, void **ret_data,
				size_t *ret_size_bytes, struct bv_error *err)
{
	return bv__bytes_out(&bv_boundary_report_type, &report->value, ret_data, ret_size_bytes,
			     err);
}

struct telling {
	const struct bv_boundary_report *report;
	char **text;
};

static enum bv_code tell(struct bv_arena *scratch, void *context, struct bv_error *err)
{
	const struct telling *telling = context;
	struct bv_writer writer = {0};
	size_t size;

	bv__text_report(&writer, scratch, telling->report);
	size = writer.len;
	*telling->text = malloc(size + 1);
	if (!*telling->text)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for %zu bytes of text",
			       size);
	writer = (struct bv_writer){.data = (uint8_t *)*telling->text, .capacity = size};
	bv__text_report(&writer, scratch, telling->report);
	/* The scratch memory ran out between the two: what was measured is not what was written. */
	if (writer.len != size) {
		free(*telling->text);
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for the text of a report");
	}
	(*telling->text)[size] = '\0';
	return BV_OK;
}

enum bv_code bv_report_to_text(const struct bv_report *report, char **ret_text,
			       struct bv_error *err)
{
	struct telling telling = {&report->value, ret_text};
	struct bv_arena scratch = {0};
	enum bv_code code = bv__memory_make(&scratch, tell, &telling, err);

	if (code == BV_OK)
		bv__memory_unmap(&scratch);
	return code;
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct decoding {
	const void *data;
	size_t size_bytes;
	struct bv_report *report;
};

/* Canonical bytes start with a map of two, which is no character JSON can start with. */
static bool looks_like_json(const char *data, size_t size_bytes)
{
	while (size_bytes > 0 && strchr(" \t\r\n", *data) && *data) {
		data++;
		size_bytes--;
	}
	return size_bytes > 0 && *data == '{';
}

static enum bv_code decode(struct bv_arena *arena, void *context, struct bv_error *err)
{
	const struct decoding *decoding = context;
	struct bv_boundary_report *value = &decoding->report->value;

	if (looks_like_json(decoding->data, decoding->size_bytes))
		return bv_json_decode(arena, &bv_boundary_report_type, decoding->data,
				      decoding->size_bytes, value, err);
	return bv_canon_decode(arena, &bv_boundary_report_type, decoding->data,
			       decoding->size_bytes, value, err);
}

enum bv_code bv_report_read(const void *data, size_t size_bytes, struct bv_report **ret_report,
			    struct bv_error *err)
{
	struct decoding decoding = {data, size_bytes, NULL};
	enum bv_code code;

	if (!data || !ret_report)
		return bv_fail(err, BV_E_ARGUMENT, "", "there is nothing to read a report from");
	decoding.report = calloc(1, sizeof *decoding.report);
	if (!decoding.report)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for a report");
	code = bv__memory_make(&decoding.report->arena, decode, &decoding, err);
	if (code == BV_OK)
		code = bv__report_finish(decoding.report, err);
	if (code != BV_OK) {
		bv_report_free(decoding.report);
		return code;
	}
	*ret_report = decoding.report;
	return BV_OK;
}

struct verifying {
	const struct bv_boundary_report *report;
};

static enum bv_code check(struct bv_arena *scratch, void *context, struct bv_error *err)
{
	return bv_report_check(scratch, ((const struct verifying *)context)->report, err);
}

enum bv_code bv_report_verify(const struct bv_report *report, struct bv_error *err)
{
	struct verifying verifying = {&report->value};
	struct bv_arena scratch = {0};
	enum bv_code code = bv__memory_make(&scratch, check, &verifying, err);

	if (code == BV_OK)
		bv__memory_unmap(&scratch);
	return code;
}

struct proof {
	const uint8_t *at;
	size_t left;
};

static ptrdiff_t read_proof(void *context, void *data, size_t size_bytes)
{
	struct proof *proof = context;
	const size_t part = size_bytes < proof->left ? size_bytes : proof->left;

	if (part > 0)
		memcpy(data, proof->at, part);
	proof->at += part;
	proof->left -= part;
	return (ptrdiff_t)part;
}

enum bv_code bv_report_verify_proof(const struct bv_report *report, const void *proof,
				    size_t size_bytes, const char *public_key, struct bv_error *err)
{
	struct proof rest = {proof, size_bytes};
	struct bv__export_options options = {.report = &report->value.body_hash};
	struct bv__export_found found;
	struct bv_digest key;
	enum bv_code code = bv_report_verify(report, err);

	if (code != BV_OK)
		return code;
	if (!public_key || !bv__digest_read(public_key, &key))
		return bv_fail(err, BV_E_ARGUMENT, "public-key",
			       "a public key is 64 hexadecimal digits");
	options.public_key = &key;
	return bv__export_check(read_proof, &rest, &options, &found, err);
}
