/* Children: what they say and how they end is told, limits hold, and none outlives its parent. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "convert/batch/child_process.h"
#include "convert/batch/child_verdict.h"
#include "tests/harness.h"

static const pml_child_limits no_limits;

static void run_to_end(pml_child *child) {
    while (!pml_child_advance(child)) {
        struct pollfd entries[2];
        (void)poll(entries, pml_child_poll(child, entries), 50);
    }
}

/* Runs a line of shell to its end; deinit is the caller's. */
static pml_child run(const char *line, const pml_child_limits *limits) {
    const char *const arguments[] = {"sh", "-c", line, NULL};
    pml_error error = {0};
    pml_child child;
    PML_ASSERT_OK(pml_child_start("/bin/sh", arguments, limits, &child, &error), &error);
    run_to_end(&child);
    return child;
}

static void tells_how_it_ended(void) {
    static const struct {
        const char *line;
        int exit_code, signal_number;
        const char *out, *err;
    } rows[] = {
        {"echo word; echo other >&2", 0, 0, "word\n", "other\n"},
        {"exit 66", 66, 0, NULL, NULL},
        {"kill -SEGV $$", 128 + SIGSEGV, SIGSEGV, NULL, NULL},
        {"cat", 0, 0, NULL, NULL}, /* standard input is at its end */
        {"exec 1>&- 2>&-; sleep 0.1; exit 3", 3, 0, NULL, NULL},
        {"sleep 30 & exit 4", 4, 0, NULL, NULL}, /* a grandchild keeps the pipes */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pml_child child = run(rows[i].line, &no_limits);
        CU_ASSERT_EQUAL(child.exit_code, rows[i].exit_code);
        CU_ASSERT_EQUAL(child.signal_number, rows[i].signal_number);
        CU_ASSERT_STRING_EQUAL(child.out.bytes != NULL ? child.out.bytes : "", rows[i].out != NULL ? rows[i].out : "");
        CU_ASSERT_STRING_EQUAL(child.err.bytes != NULL ? child.err.bytes : "", rows[i].err != NULL ? rows[i].err : "");
        CU_ASSERT_TRUE(child.seconds >= 0 && child.pid == 0);
        pml_child_deinit(&child);
    }
}

static void keeps_the_last_of_much(void) {
    pml_child child = run("i=0; while [ $i -lt 9000 ]; do echo line $i >&2; i=$((i+1)); done", &no_limits);
    CU_ASSERT_TRUE(child.err.was_cut && child.err.size_bytes <= 65536);
    CU_ASSERT_PTR_NOT_NULL(strstr(child.err.bytes, "line 8999\n"));
    CU_ASSERT_PTR_NULL(strstr(child.err.bytes, "line 0\n"));
    pml_child_deinit(&child);
}

static void a_program_that_is_not_there(void) {
    const char *const arguments[] = {"x", NULL};
    pml_error error = {0};
    pml_child child;
    PML_ASSERT_OK(pml_child_start("/no/such/program", arguments, &no_limits, &child, &error), &error);
    run_to_end(&child);
    CU_ASSERT_EQUAL(child.signal_number, SIGKILL);
    CU_ASSERT_PTR_NOT_NULL(strstr(child.err.bytes, "cannot execute"));
    pml_child_deinit(&child);
}

static void time_and_memory_have_ends(void) {
    const pml_child_limits second = {.seconds = 1};
    pml_child child = run("sleep 600", &second);
    CU_ASSERT_TRUE(child.timed_out && child.signal_number == SIGTERM);
    pml_child_deinit(&child);
#ifndef PML_TEST_SANITIZED
    const pml_child_limits little = {.memory_bytes = 32u << 20};
    child = run("head -c 200000000 /dev/zero | tail -n 1 | wc -c", &little);
    CU_ASSERT_PTR_NOT_NULL(strstr(child.err.bytes != NULL ? child.err.bytes : "", "memory"));
    pml_child_deinit(&child);
    child = run("head -c 2000000 /dev/zero | tail -n 1 | wc -c", &little);
    CU_ASSERT_STRING_EQUAL(child.out.bytes, "2000000\n");
    pml_child_deinit(&child);
#endif
}

static void none_outlives_its_parent(void) {
    int pipes[2];
    CU_ASSERT_EQUAL_FATAL(pipe(pipes), 0);
    (void)fflush(NULL);
    const pid_t parent = fork();
    if (parent == 0) {
        const char *const arguments[] = {"sleep", "600", NULL};
        pml_child child;
        if (pml_child_start("/bin/sleep", arguments, &no_limits, &child, NULL) == PML_OK &&
            write(pipes[1], &child.pid, sizeof child.pid) == (ssize_t)sizeof child.pid) {
            (void)nanosleep(&(struct timespec){0, 200000000}, NULL);
        }
        (void)kill(getpid(), SIGKILL);
    }
    pid_t child = 0;
    CU_ASSERT_EQUAL(read(pipes[0], &child, sizeof child), (ssize_t)sizeof child);
    CU_ASSERT_EQUAL(waitpid(parent, NULL, 0), parent);
    bool is_gone = false;
    for (int i = 0; i < 500 && !is_gone; i++) {
        char *state = NULL;
        (void)pml_test_command(&state, "cut -d ' ' -f 3 /proc/%d/stat", (int)child);
        is_gone = state[0] != 'S' && state[0] != 'R' && state[0] != 'D';
        free(state);
        (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    CU_ASSERT_TRUE(is_gone);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

static void verdicts(void) {
    static const struct {
        const char *line;
        bool is_local;
        pml_job_cause cause;
        int exit_code;
        const char *message;
    } rows[] = {
        {"echo 'pml-convert: warning: w' >&2; echo 'pml-convert: error: a: error: b' >&2; echo after >&2; exit 65",
         true, PML_CAUSE_INPUT, 65, "a: error: b"},
        {"exit 66", true, PML_CAUSE_INPUT, 66, "ended with exit code 66 without a word"},
        {"exit 66", false, PML_CAUSE_REMOTE, 66, NULL},
        {"exit 77", false, PML_CAUSE_REMOTE, 77, NULL},
        {"exit 2", true, PML_CAUSE_INPUT, 2, NULL},
        {"exit 78", true, PML_CAUSE_INPUT, 78, NULL},
        {"exit 69", false, PML_CAUSE_TRANSIENT, 69, NULL},
        {"exit 75", false, PML_CAUSE_TRANSIENT, 75, NULL},
        {"exit 74", true, PML_CAUSE_RESOURCE, 74, NULL},
        {"echo words >&2; exit 1", true, PML_CAUSE_BUG, 1, "words"},
        {"echo 'p: error: out of memory: 7 bytes' >&2; exit 1", true, PML_CAUSE_RESOURCE, 1, "out of memory: 7 bytes"},
        {"kill -ABRT $$", true, PML_CAUSE_BUG, 134, "ended by signal 6"},
        {"kill -KILL $$", true, PML_CAUSE_RESOURCE, 137, "ended by signal 9"},
        {"kill -TERM $$", true, PML_CAUSE_TRANSIENT, 75, "ended by signal 15"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pml_error error = {0};
        pml_arena texts = {0};
        pml_verdict verdict;
        pml_child child = run(rows[i].line, &no_limits);
        PML_ASSERT_OK(pml_verdict_read(&child, 9, rows[i].is_local, &texts, &verdict, &error), &error);
        CU_ASSERT_EQUAL(verdict.cause, rows[i].cause);
        CU_ASSERT_EQUAL(verdict.exit_code, rows[i].exit_code);
        CU_ASSERT_TRUE(rows[i].message == NULL || strstr(verdict.message, rows[i].message) == verdict.message);
        pml_child_deinit(&child);
        pml_arena_deinit(&texts);
    }
}

PML_TESTS("convert/child_process", PML_TEST(tells_how_it_ended), PML_TEST(keeps_the_last_of_much),
          PML_TEST(a_program_that_is_not_there), PML_TEST(time_and_memory_have_ends),
          PML_TEST(none_outlives_its_parent), PML_TEST(verdicts))
