/* The journal: what was written is found again by whoever asks next, and nothing else is. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "convert/batch/batch_journal.h"
#include "tests/harness.h"

static const pml_shard whole = {0, 1}, first = {0, 2}, second = {1, 2};

static pml_batch_job make_job(const char *output) {
    return (pml_batch_job){.source = "org/name",
                           .output = output,
                           .options = {.key = "dtype=f32"},
                           .identity = "0123456789012345678901234567890123456789",
                           .folder = "/cache/x",
                           .outcome = PML_JOB_PUBLISHED,
                           .family = "bert",
                           .content_digest = "00",
                           .size_bytes = 7,
                           .seconds = 0.5};
}

static pml_journal *open_journal(const char *folder, const pml_shard *shard) {
    pml_error error = {0};
    pml_journal *journal = NULL;
    PML_ASSERT_OK(pml_journal_open(folder, shard, "hash", 0, &journal, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(journal);
    return journal;
}

static void append(pml_journal *journal, const pml_batch_job *job, const char *event) {
    pml_error error = {0};
    PML_ASSERT_OK(pml_journal_append(journal, job, event, &error), &error);
}

static void finds_what_was_written(void) {
    const char *folder = pml_test_fresh_dir("found");
    pml_journal *journal = open_journal(folder, &whole);
    pml_batch_job a = make_job("a.pml"), b = make_job("b.pml");
    b.outcome = PML_JOB_FAILED;
    b.cause = PML_CAUSE_REMOTE;
    b.exit_code = 77;
    b.error = "no\n\"way\"";
    append(journal, &a, "published");
    append(journal, &b, "failed");
    pml_journal_close(journal);
    journal = open_journal(folder, &whole);
    const pml_journal_entry *e = pml_journal_find(journal, &a);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT_TRUE(strcmp(e->event, "published") == 0 && strcmp(e->identity, a.identity) == 0 && e->size_bytes == 7);
    e = pml_journal_find(journal, &b);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT_TRUE(strcmp(e->error, b.error) == 0 && strcmp(e->cause, "remote") == 0 && e->exit_code == 77);
    /* About another source, revision, or other options it says nothing. */
    pml_batch_job other = a;
    other.source = "org/other";
    CU_ASSERT_PTR_NULL(pml_journal_find(journal, &other));
    other = a;
    other.revision = "v1";
    CU_ASSERT_PTR_NULL(pml_journal_find(journal, &other));
    other = a;
    other.options.key = "dtype=bf16";
    CU_ASSERT_PTR_NULL(pml_journal_find(journal, &other));
    /* The newest line counts. */
    a.outcome = PML_JOB_FAILED;
    append(journal, &a, "failed");
    PML_ASSERT_OK(pml_journal_refresh(journal, NULL), NULL);
    CU_ASSERT_STRING_EQUAL(pml_journal_find(journal, &a)->event, "failed");
    pml_journal_close(journal);
}

static void commits_hold_until_the_end(void) {
    const char *folder = pml_test_fresh_dir("resolved");
    pml_journal *journal = open_journal(folder, &whole);
    pml_batch_job a = make_job("a.pml");
    append(journal, &a, "resolved");
    CU_ASSERT_PTR_NULL(pml_journal_find(journal, &a));
    pml_journal_close(journal);
    journal = open_journal(folder, &whole);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pml_journal_find_resolved(journal, &a));
    CU_ASSERT_STRING_EQUAL(pml_journal_find_resolved(journal, &a)->identity, a.identity);
    PML_ASSERT_OK(pml_journal_end(journal, NULL), NULL);
    pml_journal_close(journal);
    journal = open_journal(folder, &whole);
    CU_ASSERT_PTR_NULL(pml_journal_find_resolved(journal, &a));
    pml_journal_close(journal);
}

static void shards_read_each_other(void) {
    const char *folder = pml_test_fresh_dir("shards");
    pml_journal *one = open_journal(folder, &first), *two = open_journal(folder, &second), *again = NULL;
    pml_batch_job a = make_job("a.pml");
    append(one, &a, "published");
    CU_ASSERT_PTR_NULL(pml_journal_find(two, &a));
    PML_ASSERT_OK(pml_journal_refresh(two, NULL), NULL);
    CU_ASSERT_PTR_NOT_NULL(pml_journal_find(two, &a));
    pml_error error = {0};
    PML_ASSERT_FAILS(pml_journal_open(folder, &first, "hash", 100, &again, &error), PML_E_BUSY, &error,
                     "works on shard 0 of 2");
    pml_journal_close(one);
    PML_ASSERT_OK(pml_journal_open(folder, &first, "hash", 0, &again, &error), &error);
    pml_journal_close(again);
    pml_journal_close(two);
}

/* A line cut at any byte is no line; what came before it stays. */
static void a_line_cut_anywhere_is_dropped(void) {
    const char *folder = pml_test_fresh_dir("cut");
    const char *path = pml_test_path("%s/" PML_BATCH_FOLDER "/journal-0-of-1.jsonl", folder);
    pml_journal *journal = open_journal(folder, &whole);
    pml_batch_job a = make_job("a.pml"), b = make_job("b.pml");
    append(journal, &a, "published");
    struct stat info;
    CU_ASSERT_EQUAL_FATAL(stat(path, &info), 0);
    const size_t before = (size_t)info.st_size;
    append(journal, &b, "published");
    pml_journal_close(journal);
    size_t size = 0;
    unsigned char *bytes = pml_test_read_file(path, &size);
    for (size_t n = before; n < size; n++) {
        pml_test_write_file(path, bytes, n);
        journal = open_journal(folder, &whole);
        CU_ASSERT_PTR_NOT_NULL(pml_journal_find(journal, &a));
        CU_ASSERT_PTR_NULL(pml_journal_find(journal, &b));
        CU_ASSERT_TRUE(stat(path, &info) == 0 && (size_t)info.st_size == before);
        pml_journal_close(journal);
    }
    free(bytes);
}

/* The disk is full after any number of bytes: the line is there whole or not at all. */
static void a_full_disk_leaves_whole_lines(void) {
    const char *folder = pml_test_fresh_dir("full");
    const char *path = pml_test_path("%s/" PML_BATCH_FOLDER "/journal-0-of-1.jsonl", folder);
    pml_journal *journal = open_journal(folder, &whole);
    pml_batch_job a = make_job("a.pml"), b = make_job("b.pml");
    struct stat info;
    struct rlimit limit, small;
    append(journal, &a, "published");
    CU_ASSERT_EQUAL_FATAL(stat(path, &info), 0);
    const off_t before = info.st_size;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &limit), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    for (off_t n = 0; n < before; n += 7) {
        pml_error error = {0};
        small = (struct rlimit){(rlim_t)(before + n), limit.rlim_max};
        CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &small), 0);
        const pml_status status = pml_journal_append(journal, &b, "published", &error);
        CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
        CU_ASSERT_EQUAL(status, PML_E_IO);
        CU_ASSERT_TRUE(stat(path, &info) == 0 && info.st_size == before);
    }
    append(journal, &b, "published");
    PML_ASSERT_OK(pml_journal_refresh(journal, NULL), NULL);
    CU_ASSERT_PTR_NOT_NULL(pml_journal_find(journal, &b));
    pml_journal_close(journal);
}

static void survives_every_failing_allocation(void) {
    const char *folder = pml_test_fresh_dir("memory");
    pml_batch_job a = make_job("a.pml");
    pml_journal *journal = open_journal(folder, &whole);
    append(journal, &a, "resolved");
    append(journal, &a, "published");
    pml_journal_close(journal);
    for (unsigned long n = 1;; n++) {
        pml_error error = {0};
        journal = NULL;
        pml_test_fail_allocation(n, n % 2 == 0);
        const pml_status status = pml_journal_open(folder, &whole, "hash", 0, &journal, &error);
        pml_test_fail_allocation(0, false);
        pml_journal_close(journal);
        if (status == PML_OK) {
            CU_ASSERT_TRUE(n > 8);
            break;
        }
        CU_ASSERT_EQUAL(status, PML_E_MEMORY);
    }
}

PML_TESTS("convert/batch_journal", PML_TEST(finds_what_was_written), PML_TEST(commits_hold_until_the_end),
          PML_TEST(shards_read_each_other), PML_TEST(a_line_cut_anywhere_is_dropped),
          PML_TEST(a_full_disk_leaves_whole_lines), PML_TEST(survives_every_failing_allocation))
