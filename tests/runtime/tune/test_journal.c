#include "runtime/tune/journal.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/tune/worker_mark.h"
#include "tests/harness.h"

typedef struct heard {
    char text[4096];
    size_t n;
} heard;

static pml_status hear(void *user, const char *line, size_t size_bytes, uint64_t number, pml_error *error) {
    heard *h = user;
    if (size_bytes == 3 && memcmp(line, "bad", 3) == 0) {
        return PML_FAIL(error, PML_E_FORMAT, "line %llu is bad", (unsigned long long)number);
    }
    (void)snprintf(h->text + strlen(h->text), sizeof h->text - strlen(h->text), "%.*s|", (int)size_bytes, line);
    CU_ASSERT_EQUAL(number, ++h->n);
    return PML_OK;
}

static pml_journal *open_journal(const char *path, const char *mark, heard *h) {
    pml_error error;
    pml_journal *journal = NULL;
    PML_ASSERT_OK(pml_journal_open(path, false, mark, hear, h, &journal, &error), &error);
    return journal;
}

static void lines_come_once_and_in_order(void) {
    pml_error error;
    heard a = {{0}, 0}, b = {{0}, 0};
    const char *path = pml_test_path("%s/order.journal", pml_test_temporary_dir());
    pml_journal *one = open_journal(path, "one", &a), *two = open_journal(path, "two", &b);
    PML_ASSERT_OK(pml_journal_append(one, "1\n2\n", 4, &error), &error);
    PML_ASSERT_OK(pml_journal_append(two, "3\n", 2, &error), &error);
    PML_ASSERT_OK(pml_journal_sync(one, &error), &error);
    CU_ASSERT_STRING_EQUAL(a.text, "1|2|3|");
    CU_ASSERT_STRING_EQUAL(b.text, "1|2|3|");
    CU_ASSERT_NOT_EQUAL(access(pml_test_path("%s.lock", path), F_OK), 0);
    pml_journal_close(one);
    pml_journal_close(two);
}

static void a_torn_line_is_cut_off(void) {
    pml_error error;
    heard h = {{0}, 0};
    const char *path = pml_test_path("%s/torn.journal", pml_test_temporary_dir());
    pml_test_write_file(path, "1\n2\ntor", 7);
    pml_journal *journal = open_journal(path, "one", &h);
    PML_ASSERT_OK(pml_journal_sync(journal, &error), &error);
    CU_ASSERT_STRING_EQUAL(h.text, "1|2|");
    CU_ASSERT_TRUE(pml_test_file_holds(path, "1\n2\ntor")); /* whoever only reads changes nothing */
    PML_ASSERT_OK(pml_journal_append(journal, "3\n", 2, &error), &error);
    CU_ASSERT_STRING_EQUAL(h.text, "1|2|3|");
    CU_ASSERT_TRUE(pml_test_file_holds(path, "1\n2\n3\n"));
    pml_journal_close(journal);
}

static void what_is_refused_says_where(void) {
    pml_error error;
    heard h = {{0}, 0};
    pml_journal *journal = NULL;
    const char *path = pml_test_path("%s/bad.journal", pml_test_temporary_dir());
    pml_test_write_file(path, "1\nbad\n3\n", 8);
    journal = open_journal(path, "one", &h);
    PML_ASSERT_FAILS(pml_journal_sync(journal, &error), PML_E_FORMAT, &error, "line 2");
    CU_ASSERT_STRING_EQUAL(h.text, "1|");
    pml_test_write_file(path, "", 0);
    PML_ASSERT_FAILS(pml_journal_sync(journal, &error), PML_E_FORMAT, &error, "shorter");
    pml_journal_close(journal);
    journal = NULL;
    PML_ASSERT_FAILS(pml_journal_open(pml_test_temporary_dir(), false, "one", hear, &h, &journal, &error), PML_E_IO,
                     &error, "");
    PML_ASSERT_FAILS(
        pml_journal_open(pml_test_path("%s/absent", pml_test_temporary_dir()), true, "one", hear, &h, &journal, &error),
        PML_E_NOT_FOUND, &error, "absent");
}

/* A worker that dies with the lock in its hand holds nobody up. */
static void the_lock_of_a_dead_worker_goes_at_once(void) {
    if (pml_test_cannot_fork()) {
        return;
    }
    pml_error error;
    heard h = {{0}, 0};
    char mark[PML_WORKER_MARK_BYTES];
    const char *path = pml_test_path("%s/dead.journal", pml_test_temporary_dir());
    pml_journal *journal = open_journal(path, "one", &h);
    const pid_t child = fork();
    if (child == 0) {
        heard other = {{0}, 0};
        pml_journal *own = NULL;
        const bool works = pml_worker_mark(mark, NULL) == PML_OK &&
                           pml_journal_open(path, false, mark, hear, &other, &own, NULL) == PML_OK &&
                           pml_journal_lock_begin(own, NULL) == PML_OK;
        _exit(works ? 7 : 1); /* with the lock */
    }
    int wait_status = 0;
    CU_ASSERT_EQUAL(waitpid(child, &wait_status, 0), child);
    CU_ASSERT_EQUAL(WEXITSTATUS(wait_status), 7);
    CU_ASSERT_EQUAL(access(pml_test_path("%s.lock", path), F_OK), 0);
    PML_ASSERT_OK(pml_journal_append(journal, "1\n", 2, &error), &error);
    CU_ASSERT_STRING_EQUAL(h.text, "1|");
    CU_ASSERT_NOT_EQUAL(access(pml_test_path("%s.lock", path), F_OK), 0);
    pml_journal_close(journal);
}

enum { N_WORKERS = 4, N_LINES = 40 };

/* Each of several processes appends numbered lines; none is lost, torn, or out of its own order. */
static void many_processes_append(void) {
    if (pml_test_cannot_fork()) {
        return;
    }
    pid_t children[N_WORKERS];
    const char *path = pml_test_path("%s/many.journal", pml_test_temporary_dir());
    for (int i = 0; i < N_WORKERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            heard h = {{0}, 0};
            char mark[PML_WORKER_MARK_BYTES], line[8];
            pml_journal *own = NULL;
            bool works = pml_worker_mark(mark, NULL) == PML_OK &&
                         pml_journal_open(path, false, mark, hear, &h, &own, NULL) == PML_OK;
            for (int j = 0; works && j < N_LINES; j++) {
                const int length = snprintf(line, sizeof line, "%d%02d\n", i, j);
                works = pml_journal_append(own, line, (size_t)length, NULL) == PML_OK;
            }
            _exit(works ? 0 : 1);
        }
    }
    for (int i = 0; i < N_WORKERS; i++) {
        int wait_status = 1;
        CU_ASSERT_EQUAL(waitpid(children[i], &wait_status, 0), children[i]);
        CU_ASSERT_EQUAL(wait_status, 0);
    }
    size_t size_bytes = 0;
    int next[N_WORKERS] = {0};
    unsigned char *bytes = pml_test_read_file(path, &size_bytes);
    CU_ASSERT_EQUAL_FATAL(size_bytes, 4 * N_WORKERS * N_LINES);
    for (size_t i = 0; i < size_bytes; i += 4) {
        const int worker = bytes[i] - '0', number = (bytes[i + 1] - '0') * 10 + bytes[i + 2] - '0';
        CU_ASSERT_TRUE_FATAL(worker >= 0 && worker < N_WORKERS && bytes[i + 3] == '\n');
        CU_ASSERT_EQUAL(number, next[worker]++);
    }
    free(bytes);
}

PML_TESTS("runtime/tune/journal", PML_TEST(lines_come_once_and_in_order), PML_TEST(a_torn_line_is_cut_off),
          PML_TEST(what_is_refused_says_where), PML_TEST(the_lock_of_a_dead_worker_goes_at_once),
          PML_TEST(many_processes_append))
