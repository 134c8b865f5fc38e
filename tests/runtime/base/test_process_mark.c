/* Marks in the names of temporary files: what is written reads back, what is no mark does not, the dead are told from
 * the living. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/process_mark.h"
#include "tests/harness.h"

static void marks_read_back(void) {
    pml_error error = {0};
    char mark[PML_PROCESS_MARK_BYTES], other[PML_PROCESS_MARK_BYTES], host[PML_PROCESS_HOST_BYTES],
        this_host[PML_PROCESS_HOST_BYTES];
    size_t n_before = 0;
    long pid = 0;
    PML_ASSERT_OK(pml_process_mark(mark, &error), &error);
    PML_ASSERT_OK(pml_process_mark(other, &error), &error);
    CU_ASSERT_STRING_NOT_EQUAL(mark, other);
    const char *name = pml_test_path("a.name.of.a.file.%s.tail", mark);
    pml_process_host(this_host);
    CU_ASSERT_TRUE(pml_process_mark_read(name, strlen(name) - 5, &n_before, host, &pid));
    CU_ASSERT_EQUAL(n_before, strlen("a.name.of.a.file"));
    CU_ASSERT_EQUAL(pid, (long)getpid());
    CU_ASSERT_STRING_EQUAL(host, this_host);
    CU_ASSERT_FALSE(pml_process_mark_read(name, strlen(name), &n_before, host, &pid));
}

static void other_names_are_no_marks(void) {
    static const char *const names[] = {
        "",
        "...",
        "model.safetensors",
        "host.12.0123456789abcdef",           /* nothing in front */
        "x.host.12.0123456789abcde",          /* 15 digits */
        "x.host.12.0123456789abcdeX",         /* no digit */
        "x.host.1x.0123456789abcdef",         /* no process */
        "x.host..0123456789abcdef",           /* none */
        "x.host.1234567890.0123456789abcdef", /* no process has that number */
        "x..12.0123456789abcdef",             /* no host */
        "x.host-of-more-than-thirty-two-letters.12.0123456789abcdef",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char host[PML_PROCESS_HOST_BYTES];
        size_t n_before = 0;
        long pid = 0;
        CU_ASSERT_FALSE(pml_process_mark_read(names[i], strlen(names[i]), &n_before, host, &pid));
    }
}

static void the_dead_are_told_from_the_living(void) {
    int ends[2], result = 0;
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        char byte;
        (void)close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    (void)close(ends[0]);
    CU_ASSERT_FALSE(pml_process_has_ended((long)child));
    CU_ASSERT_FALSE(pml_process_has_ended((long)getpid()));
    (void)close(ends[1]); /* the child ends now, and nobody waits for it yet */
    siginfo_t info;
    CU_ASSERT_EQUAL(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    CU_ASSERT_TRUE(pml_process_has_ended((long)child));
    CU_ASSERT_EQUAL(waitpid(child, &result, 0), child);
    CU_ASSERT_TRUE(pml_process_has_ended((long)child));
}

PML_TESTS("runtime/base/process_mark", PML_TEST(marks_read_back), PML_TEST(other_names_are_no_marks),
          PML_TEST(the_dead_are_told_from_the_living))
