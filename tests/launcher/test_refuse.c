/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every row of the refusal and fault catalogue (spec/linux.md 1.12, 3.3), the descriptors a launcher
 * must not trust (G-31), and the spellings a strict decoder must not take (1.8).  None of them
 * creates a child, all end in exactly one terminal: expect_refused and expect_faulted see to it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "test.h"

#define STARTED "LauncherStarted"
#define IDENTITY STARTED " IdentityVerified"
#define PLAN IDENTITY " PlanVerified"
#define HANDLES PLAN " HandlesVerified"

static struct outcome outcome;
static struct launch launch;

static void run_and_clear(void)
{
	launch_run(&launch, &outcome);
	launch_clear(&launch);
}

TEST(a_good_plan_is_accepted)
{
	launch_init(&launch);
	launch_args(&launch, "say", "1", "ran", NULL);
	run_and_clear();
	expect_success(&outcome);
	EXPECT_STR(outcome.out, "ran");
}

TEST(the_notes_of_a_plain_run_are_those_of_the_specification)
{
	char expected[1024];

	launch_init(&launch);
	run_and_clear();
	expect_success(&outcome);
	snprintf(expected, sizeof(expected),
		 "LauncherStarted\nIdentityVerified\nPlanVerified\nHandlesVerified\nChildCreated\n"
		 "# mechanism=clone3 child_pid=%d\nIdentityPhaseResolved\nVisibilityPhaseResolved\n"
		 "AmbientAuthorityPhaseResolved\n# confinement=NotRequired installed=false\n"
		 "ConfinementPhaseResolved\nReadyToExec\n# exec=confirmed\n# exit=code:0\n"
		 "ExecSucceeded\n",
		 (int)outcome_child(&outcome));
	EXPECT_STR(outcome.transcript, expected);
}

TEST(a_host_of_0_9_with_zero_digests_is_served)
{
	launch_init(&launch);
	for (size_t i = 0; i < launch.plan.entry_count; i++)
		launch.plan.entries[i].zero_digests = true;
	run_and_clear();
	expect_success(&outcome);
}

/* ---- R1: the envelope -------------------------------------------------------------------------------- */

static void expect_envelope_refused(const uint8_t *frame, size_t len, const char *reject)
{
	char note[64];

	launch_init(&launch);
	launch.frame = frame;
	launch.frame_bytes = len;
	run_and_clear();
	expect_refused(&outcome, STARTED " SetupRefused", "PlanInvalid");
	snprintf(note, sizeof(note), "# envelope=%s", reject);
	EXPECT_THAT(outcome_has_line(&outcome, note), "no %s in:\n%s", note, outcome.transcript);
}

TEST(each_damage_to_the_envelope_has_its_name)
{
	struct wire wire;
	uint8_t *frame;
	size_t len;

	wire_open(&wire);
	launch_init(&launch);
	wire_body(&wire, &launch.plan);
	launch_clear(&launch);
	wire_frame(&wire);
	frame = wire.data;
	len = wire.len;

	expect_envelope_refused(frame, 0, "Truncated");
	expect_envelope_refused(frame, 45, "Truncated");
	expect_envelope_refused(frame, 46, "LengthMismatch");
	expect_envelope_refused(frame, len - 1, "LengthMismatch");
	frame[len] = 0;
	expect_envelope_refused(frame, len + 1, "LengthMismatch");
	frame[0] ^= 1;
	expect_envelope_refused(frame, len, "BadMagic");
	frame[0] ^= 1;
	frame[8] = 2;
	expect_envelope_refused(frame, len, "UnsupportedVersion");
	frame[8] = 0;
	expect_envelope_refused(frame, len, "UnsupportedVersion");
	frame[8] = 1;
	memset(frame + 10, 0xff, 4);
	expect_envelope_refused(frame, len, "LengthMismatch");
	wire_body(&wire, &launch.plan);
	wire_frame(&wire);
	frame[14] ^= 0x80;
	expect_envelope_refused(frame, len, "DigestMismatch");
	wire_close(&wire);
}

TEST(an_empty_body_is_refused)
{
	struct wire wire;

	wire_open(&wire);
	wire_frame(&wire);
	launch_init(&launch);
	launch.frame = wire.data;
	launch.frame_bytes = wire.len;
	run_and_clear();
	expect_refused(&outcome, STARTED " SetupRefused", "PlanInvalid");
	wire_close(&wire);
}

/* ---- R1: the body ------------------------------------------------------------------------------------ */

TEST(no_other_spelling_of_a_plan_is_taken)
{
	for (enum wire_twist twist = TWIST_TRAILING_BYTE; twist < TWIST_COUNT; twist++) {
		launch_init(&launch);
		launch.plan.user_namespace = true;
		launch.plan.twist = twist;
		run_and_clear();
		EXPECT_THAT(outcome_exit(&outcome) == 3, "twist %d was not refused:\n%s",
			    (int)twist, outcome.transcript);
		expect_refused(&outcome, STARTED " SetupRefused", "PlanInvalid");
	}
}

/* ---- R2 to R5 ---------------------------------------------------------------------------------------- */

TEST(a_wrong_h_l_is_an_identity_mismatch)
{
	static const uint8_t wrong[32] = {1, 2, 3};
	uint8_t domain_separated[32];

	launch_init(&launch);
	launch.plan.h_l = wrong;
	run_and_clear();
	expect_refused(&outcome, STARTED " SetupRefused", "IdentityMismatch");

	/* The other thing of that name: the schedule's own digest (1.6). */
	wire_unhex("783ce0d38e7e4156d87f2977e8d78d8f90313a16cda3b6b195288e941bac4694",
		   domain_separated, sizeof(domain_separated));
	launch_init(&launch);
	launch.plan.h_l = domain_separated;
	run_and_clear();
	expect_refused(&outcome, STARTED " SetupRefused", "IdentityMismatch");
}

TEST(a_slot_declared_twice_is_refused)
{
	launch_init(&launch);
	launch_slot(&launch, EXE_SLOT, "ReadRoot", "Directory", false, -1);
	run_and_clear();
	expect_refused(&outcome, IDENTITY " SetupRefused", "PlanInvalid");
}

TEST(a_role_for_one_slot_given_twice_is_refused)
{
	static const char *const roles[] = {"CgroupDir", "Stdin", "Stdout", "Stderr",
					    "ControlChannel"};

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		launch_init(&launch);
		launch_slot(&launch, 20, roles[i], "Directory", false, -1);
		launch_slot(&launch, 21, roles[i], "Directory", false, -1);
		run_and_clear();
		expect_refused(&outcome, IDENTITY " SetupRefused", "PlanInvalid");
	}
	launch_init(&launch);
	launch_slot(&launch, 20, "TargetExe", "Regular", false, -1);
	run_and_clear();
	expect_refused(&outcome, IDENTITY " SetupRefused", "PlanInvalid");
}

TEST(a_slot_that_is_a_stream_of_the_workload_is_refused)
{
	static const char *const roles[] = {"Stdout", "Stdin", "ReadRoot"};

	for (uint32_t number = 0; number < 3; number++) {
		int ends[2];

		EXPECT(pipe2(ends, O_CLOEXEC) == 0);
		launch_init(&launch);
		launch_slot(&launch, number, roles[number], "Pipe", false, ends[0]);
		run_and_clear();
		expect_refused(&outcome, HANDLES " SetupRefused", "PlanInvalid");
		close(ends[1]);
	}
}

TEST(a_stream_may_be_declared_as_the_stream_it_is)
{
	launch_init(&launch);
	launch_slot(&launch, 1, "Stdout", "Pipe", true, -1);
	launch_slot(&launch, 2, "Stderr", "Pipe", true, -1);
	launch_args(&launch, "say", "1", "ran", NULL);
	run_and_clear();
	expect_success(&outcome);
	EXPECT_STR(outcome.out, "ran");
}

TEST(a_slot_with_the_number_of_a_channel_is_refused)
{
	for (int i = 0; i < 2; i++) {
		int ends[2];

		/* With the executable at 10 the channels are at 11 to 14; slot 9 does not move them. */
		EXPECT(pipe2(ends, O_CLOEXEC) == 0);
		launch_init(&launch);
		launch_slot(&launch, 9, "Stdin", "Pipe", false, ends[0]);
		*(i == 0 ? &launch.error_text : &launch.error_read_text) = "9";
		run_and_clear();
		expect_refused(&outcome, HANDLES " SetupRefused", "PlanInvalid");
		close(ends[1]);
	}
	launch_init(&launch);
	launch_slot(&launch, 8, "ControlChannel", "Socket", false, -1);
	launch.control_number = 8;
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "PlanInvalid");
}

TEST(a_slot_number_that_is_no_descriptor_is_a_fault)
{
	static const uint32_t numbers[] = {0x7fffffff, 0x80000000, 0xffffffff};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		launch_init(&launch);
		launch_slot(&launch, numbers[i], "Stdin", "Pipe", false, -1);
		run_and_clear();
		expect_faulted(&outcome, PLAN " SetupFaulted");
	}
}

TEST(an_exe_slot_that_is_no_declared_executable_is_refused)
{
	launch_init(&launch);
	launch.plan.exe_slot = 30;
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "PlanInvalid");

	launch_init(&launch);
	launch_slot_path(&launch, 15, "ReadRoot", "/usr");
	launch.plan.exe_slot = 15;
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "PlanInvalid");

	launch_init(&launch);
	launch.plan.slots[0].role = "Stdin";
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "PlanInvalid");
}

TEST(an_empty_argv_or_a_nameless_variable_is_refused)
{
	launch_init(&launch);
	launch.plan.argc = 0;
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "PlanInvalid");
	launch_init(&launch);
	launch_env(&launch, "", "value");
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "PlanInvalid");
	launch_init(&launch);
	launch_env(&launch, "A=B", "value");
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "PlanInvalid");
}

TEST(of_two_faults_the_one_a_reference_host_knows_is_told)
{
	launch_init(&launch);
	launch.plan.exe_slot = 30;
	launch_entry(&launch, "linux.mount.private.v1", 1);
	run_and_clear();
	expect_refused(&outcome, IDENTITY " SetupRefused", "MissingPrimitive");
	launch_init(&launch);
	launch.plan.exe_slot = 30;
	launch_exe(&launch, "/usr");
	run_and_clear();
	expect_refused(&outcome, PLAN " SetupRefused", "HandleMismatch");
}

TEST(an_unknown_action_is_a_missing_primitive)
{
	static const struct {
		const char *id;
		uint8_t phase_code;
	} rows[] = {
		{"linux.mount.private.v1", 1},
		{"linux.landlock.apply.v1", 3},
		{"linux.landlock.apply.v2", 4},
		{"linux.exec.v1", 4},
		{"linux.exec.v", 5},
		{"", 5},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		launch_init(&launch);
		launch_entry(&launch, rows[i].id, rows[i].phase_code);
		run_and_clear();
		expect_refused(&outcome, IDENTITY " SetupRefused", "MissingPrimitive");
	}
}

TEST(a_lowering_that_executes_nothing_is_a_missing_primitive)
{
	launch_init(&launch);
	launch.plan.entry_count = 1;
	run_and_clear();
	expect_refused(&outcome, IDENTITY " SetupRefused", "MissingPrimitive");
	launch_init(&launch);
	launch.plan.entry_count = 0;
	run_and_clear();
	expect_refused(&outcome, IDENTITY " SetupRefused", "MissingPrimitive");
}

TEST(a_descriptor_of_another_kind_is_a_handle_mismatch)
{
	launch_init(&launch);
	launch_exe(&launch, "/usr");
	run_and_clear();
	expect_refused(&outcome, PLAN " SetupRefused", "HandleMismatch");

	launch_init(&launch);
	launch_slot(&launch, 15, "ReadRoot", "Directory", false,
		    open("/dev/null", O_RDONLY | O_CLOEXEC));
	run_and_clear();
	expect_refused(&outcome, PLAN " SetupRefused", "HandleMismatch");

	launch_init(&launch);
	launch_slot(&launch, 15, "Stdin", "Pipe", false, open("/usr", O_RDONLY | O_CLOEXEC));
	run_and_clear();
	expect_refused(&outcome, PLAN " SetupRefused", "HandleMismatch");
}

TEST(an_executable_that_is_declared_a_directory_is_a_handle_mismatch)
{
	launch_init(&launch);
	launch_exe(&launch, "/usr");
	launch.plan.slots[0].kind = "Directory";
	run_and_clear();
	expect_refused(&outcome, PLAN " SetupRefused", "HandleMismatch");
}

TEST(writable_must_be_as_declared_in_both_directions)
{
	struct scratch scratch;

	launch_init(&launch);
	launch.plan.slots[0].writable = true;
	run_and_clear();
	expect_refused(&outcome, PLAN " SetupRefused", "HandleMismatch");

	scratch_open(&scratch);
	launch_init(&launch);
	launch_slot(&launch, 15, "Stdout", "Regular", false,
		    open(scratch_path(&scratch, "rw/f"), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	run_and_clear();
	expect_refused(&outcome, PLAN " SetupRefused", "HandleMismatch");
	scratch_close(&scratch);
}

TEST(a_pipe_is_not_asked_whether_it_is_writable)
{
	int ends[2];

	EXPECT(pipe2(ends, O_CLOEXEC) == 0);
	launch_init(&launch);
	launch_slot(&launch, 15, "Stdout", "Pipe", false, ends[1]);
	launch_slot(&launch, 16, "Stdin", "Pipe", true, ends[0]);
	run_and_clear();
	expect_success(&outcome);
}

/* ---- R6 to R9 ---------------------------------------------------------------------------------------- */

TEST(landlock_without_a_kernel_for_it_is_a_missing_primitive)
{
	static char rule[32];

	snprintf(rule, sizeof(rule), "syscall:%d:38", 444);
	launch_init(&launch);
	launch_slot_path(&launch, 15, "ReadRoot", "/usr");
	launch_landlock(&launch);
	launch_wrap(&launch, rule, NULL);
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "MissingPrimitive");
}

TEST(landlock_without_roots_is_a_handle_mismatch)
{
	SKIP_UNLESS(landlock_abi() >= 3, "landlock ABI 3 is not here");
	launch_init(&launch);
	launch_landlock(&launch);
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "HandleMismatch");
}

TEST(a_root_that_is_no_directory_is_a_handle_mismatch)
{
	SKIP_UNLESS(landlock_abi() >= 3, "landlock ABI 3 is not here");
	launch_init(&launch);
	launch_slot_path(&launch, 15, "ReadRoot", probe_path());
	launch_landlock(&launch);
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "HandleMismatch");
}

TEST(a_filter_that_denies_nothing_is_a_missing_primitive)
{
	launch_init(&launch);
	launch_seccomp(&launch, false, false);
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "MissingPrimitive");
}

TEST(a_filter_action_without_request_is_a_missing_primitive)
{
	launch_init(&launch);
	launch_seccomp(&launch, true, true);
	launch.plan.seccomp = false;
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "MissingPrimitive");
}

/* The reference runs this unfiltered and says that all went well. */
TEST(a_filter_request_without_action_is_a_missing_primitive)
{
	launch_init(&launch);
	launch.plan.seccomp = launch.plan.deny_new_tasks = true;
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "MissingPrimitive");
}

TEST(a_lowering_that_closes_nothing_is_refused)
{
	launch_init(&launch);
	launch.plan.entries[0] = launch.plan.entries[1];
	launch.plan.entry_count = 1;
	run_and_clear();
	expect_refused(&outcome, HANDLES " SetupRefused", "PlanInvalid");
}

/* ---- G-31: what holds the plan, and the channels ----------------------------------------------------- */

TEST(a_plan_without_all_four_seals_is_refused)
{
	const int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	const int seals[] = {0, all & ~F_SEAL_SEAL, all & ~F_SEAL_SHRINK, all & ~F_SEAL_GROW,
			     all & ~F_SEAL_WRITE};

	for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
		launch_init(&launch);
		launch.seals = seals[i];
		run_and_clear();
		expect_refused(&outcome, STARTED " SetupRefused", "PlanInvalid");
	}
}

TEST(a_plan_that_is_a_pipe_is_refused)
{
	launch_init(&launch);
	launch.plan_is_pipe = true;
	run_and_clear();
	expect_refused(&outcome, STARTED " SetupRefused", "PlanInvalid");
}

TEST(a_plan_longer_than_any_can_be_is_refused)
{
	static uint8_t long_frame[(16 << 20) + 4096];

	launch_init(&launch);
	launch.frame = long_frame;
	launch.frame_bytes = sizeof(long_frame);
	run_and_clear();
	expect_refused(&outcome, STARTED " SetupRefused", "PlanInvalid");
}

TEST(an_error_channel_that_is_a_file_is_refused)
{
	launch_init(&launch);
	launch.error_read_fd = open("/usr", O_RDONLY | O_CLOEXEC);
	run_and_clear();
	expect_refused(&outcome, STARTED " SetupRefused", "HandleMismatch");
	close(launch.error_read_fd);
}

/* ---- faults ------------------------------------------------------------------------------------------- */

TEST(without_a_control_channel_there_is_one_line_on_standard_error)
{
	static const char *const texts[] = {"",    "abc",  "-1",
					    "1",   "2",    "999",
					    "12x", "0x0c", "99999999999999999999",
					    "+12", " "};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		launch_init(&launch);
		launch.control_text = texts[i];
		run_and_clear();
		EXPECT_INT(outcome_exit(&outcome), 4);
		EXPECT_STR(outcome.transcript, "");
		EXPECT_STR(outcome.err, "bvisor-linux-launcher: no usable control channel fd\n");
		EXPECT_STR(outcome.out, "");
	}
}

TEST(a_control_channel_that_is_a_pipe_is_none)
{
	launch_init(&launch);
	launch.control_is_pipe = true;
	run_and_clear();
	EXPECT_INT(outcome_exit(&outcome), 4);
	EXPECT_STR(outcome.transcript, "");
	EXPECT_STR(outcome.err, "bvisor-linux-launcher: no usable control channel fd\n");
}

TEST(a_version_1_plan_on_a_packet_channel_is_answered_in_version_1)
{
	launch_init(&launch);
	launch.control_is_packets = true;
	launch_args(&launch, "say", "1", "ran", NULL);
	run_and_clear();
	expect_success(&outcome);
	EXPECT_STR(outcome.out, "ran");
}

TEST(a_number_may_have_blanks_around_it)
{
	launch_init(&launch);
	launch.control_text = " 12\n";
	launch.plan_text = "\t11 ";
	run_and_clear();
	expect_success(&outcome);
}

TEST(a_missing_or_malformed_variable_is_a_fault_that_names_it)
{
	static const char *const texts[] = {"", "x", "-3", "2", "4294967307", "12"};
	static const char *const names[] = {"BVISOR_LAUNCH_PLAN_FD", "BVISOR_ERROR_FD",
					    "BVISOR_ERROR_READ_FD"};
	char note[128];

	for (size_t name = 0; name < 3; name++) {
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
			launch_init(&launch);
			*(name == 0   ? &launch.plan_text
			  : name == 1 ? &launch.error_text
				      : &launch.error_read_text) = texts[i];
			run_and_clear();
			expect_faulted(&outcome, STARTED " SetupFaulted");
			snprintf(note, sizeof(note), "# fault: missing or malformed fd env var %s",
				 names[name]);
			EXPECT_STR(outcome_last_line(&outcome), note);
		}
	}
}

TEST(a_launcher_with_a_second_task_is_a_fault)
{
	launch_init(&launch);
	launch_wrap(&launch, "many-tasks", NULL);
	run_and_clear();
	if (strstr(outcome.err, "wrap: unshare") != NULL ||
	    strstr(outcome.err, "wrap: bind") != NULL)
		SKIP("mount namespaces are not to be had here");
	expect_faulted(&outcome, STARTED " SetupFaulted");
	EXPECT(outcome_has_text(&outcome, "# fault: launcher is not single-threaded: "));
	EXPECT(outcome_has_text(&outcome, " tasks\n"));
}

TEST(a_plan_that_cannot_be_read_is_a_fault)
{
	launch_init(&launch);
	launch.plan_write_only = true;
	run_and_clear();
	expect_faulted(&outcome, STARTED " SetupFaulted");
	EXPECT_STR(outcome_last_line(&outcome),
		   "# fault: launcher OS fault: Bad file descriptor (os error 9)");
	launch_init(&launch);
	launch.plan_text = "77";
	run_and_clear();
	expect_faulted(&outcome, STARTED " SetupFaulted");
}

TEST(a_slot_that_is_not_open_is_a_fault)
{
	launch_init(&launch);
	launch_slot(&launch, 15, "ReadRoot", "Directory", false, -1);
	run_and_clear();
	expect_faulted(&outcome, PLAN " SetupFaulted");
	EXPECT_STR(outcome_last_line(&outcome),
		   "# fault: launcher OS fault: Bad file descriptor (os error 9)");
}

TEST(an_executable_that_is_not_open_is_a_fault)
{
	launch_init(&launch);
	close(launch.slot_fds[0]);
	launch.slot_fds[0] = -1;
	run_and_clear();
	expect_faulted(&outcome, PLAN " SetupFaulted");
}

TEST(a_network_namespace_without_user_namespace_is_a_fault)
{
	launch_init(&launch);
	launch.plan.network_namespace = true;
	run_and_clear();
	expect_faulted(&outcome, HANDLES " SetupFaulted");
	EXPECT(outcome_has_line(&outcome,
				"# network_namespace=requested_without_userns fail_closed"));
}

TEST(a_nul_byte_in_arguments_or_environment_is_a_fault)
{
	launch_init(&launch);
	launch.plan.argv[0] = (struct wire_text){"a\0b", 3};
	run_and_clear();
	expect_faulted(&outcome, HANDLES " SetupFaulted");
	launch_init(&launch);
	launch_env(&launch, "N", "V");
	launch.plan.values[0] = (struct wire_text){"a\0b", 3};
	run_and_clear();
	expect_faulted(&outcome, HANDLES " SetupFaulted");
	launch_init(&launch);
	launch_env(&launch, "N", "V");
	launch.plan.names[0] = (struct wire_text){"a\0b", 3};
	run_and_clear();
	expect_faulted(&outcome, HANDLES " SetupFaulted");
}

/* Each call the coordinator makes, taken away; before the child nothing has happened. */
TEST(a_pipe_or_child_that_cannot_be_made_is_a_fault)
{
	static const struct {
		int number, error;
		const char *note;
	} rows[] = {
		{SYS_pipe2, 24,
		 "# fault: launcher OS fault: No file descriptors available (os error 24)"},
		{435, 1, "# fault: launcher OS fault: Operation not permitted (os error 1)"},
		{435, 11,
		 "# fault: launcher OS fault: Resource temporarily unavailable (os error 11)"},
	};
	static char rule[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(rule, sizeof(rule), "syscall:%d:%d", rows[i].number, rows[i].error);
		launch_init(&launch);
		launch_wrap(&launch, rule, NULL);
		run_and_clear();
		expect_faulted(&outcome, HANDLES " SetupFaulted");
		EXPECT_STR(strrchr(outcome_last_line(&outcome), '('), strrchr(rows[i].note, '('));
	}
}
