#include "runtime/tune/journal_lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/tune/worker_mark.h"
#include "tests/harness.h"

static pml_journal_lock make_lock(const char *name, int *fd, const char *mark) {
    pml_error error;
    pml_journal_lock lock;
    const char *journal = pml_test_path("%s/%s", pml_test_temporary_dir(), name);
    *fd = open(journal, O_RDWR | O_CREAT, 0666);
    PML_ASSERT_OK(pml_journal_lock_init(&lock, journal, *fd, mark, &error), &error);
    return lock;
}

/* Optuna's locks: a link to the journal, or an empty file. Nobody comes back for these; after the grace they go. */
static void foreign_locks_are_waited_for_and_then_removed(void) {
    pml_error error;
    int fd;
    pml_journal_lock lock = make_lock("foreign", &fd, "me");
    lock.grace_ms = 50;
    CU_ASSERT_EQUAL(symlink("foreign", lock.path), 0);
    PML_ASSERT_OK(pml_journal_lock_take(&lock, &error), &error);
    pml_journal_lock_release(&lock);
    CU_ASSERT_NOT_EQUAL(access(lock.path, F_OK), 0);
    pml_test_write_file(lock.path, "", 0);
    PML_ASSERT_OK(pml_journal_lock_take(&lock, &error), &error);
    pml_journal_lock_release(&lock);
    CU_ASSERT_NOT_EQUAL(access(lock.path, F_OK), 0);
    CU_ASSERT_EQUAL(pml_test_count_files(pml_test_temporary_dir()), 1); /* the journal, no leftovers */
    pml_journal_lock_deinit(&lock);
    (void)close(fd);
}

/* Waiting ends when somebody wants it to. */
static void waiting_can_be_cancelled(void) {
    pml_error error;
    int fd;
    pml_journal_lock lock = make_lock("held", &fd, "me");
    pml_test_write_file(lock.path, "somebody else", 13);
    pml_cancel_request();
    PML_ASSERT_FAILS(pml_journal_lock_take(&lock, &error), PML_E_INTERRUPTED, &error, "");
    pml_cancel_reset();
    CU_ASSERT_TRUE(pml_test_file_holds(lock.path, "somebody else"));
    pml_journal_lock_release(&lock); /* not ours: stays */
    CU_ASSERT_TRUE(pml_test_file_holds(lock.path, "somebody else"));
    pml_journal_lock_deinit(&lock);
    (void)close(fd);
}

static void a_mark_tells_whether_its_process_has_ended(void) {
    char mark[PML_WORKER_MARK_BYTES], other[PML_WORKER_MARK_BYTES];
    pml_error error;
    PML_ASSERT_OK(pml_worker_mark(mark, &error), &error);
    CU_ASSERT_FALSE(pml_worker_has_ended(mark));
    CU_ASSERT_FALSE(pml_worker_has_ended(""));
    CU_ASSERT_FALSE(pml_worker_has_ended("a1b2-140123"));
    CU_ASSERT_FALSE(pml_worker_has_ended("pml.elsewhere.abcdef01.1.1.1.0000000000000000"));
    /* The same number, another start: somebody else has the number now. */
    (void)snprintf(other, sizeof other, "%s", mark);
    char *start = strrchr(other, '.');
    *start = '\0';
    start = strrchr(other, '.');
    CU_ASSERT_PTR_NOT_NULL_FATAL(start);
    (void)snprintf(start, (size_t)(other + sizeof other - start), ".1.0123456789abcdef");
    CU_ASSERT_TRUE(pml_worker_has_ended(other));
}

PML_TESTS("runtime/tune/journal_lock", PML_TEST(foreign_locks_are_waited_for_and_then_removed),
          PML_TEST(waiting_can_be_cancelled), PML_TEST(a_mark_tells_whether_its_process_has_ended))
