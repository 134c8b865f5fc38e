/* Allocation n of the batch itself fails, for every n, while its steps run in real processes: it ends with an error or
 * as always, nothing unfinished is left, and it goes on afterwards. */
#include "convert/batch/batch.h"
#include "convert/batch/batch_report.h"
#include "runtime/base/alloc.h"
#include "tests/convert/batch_fixture.h"

#ifdef PML_TEST_SANITIZED
#define STRIDE 8
#else
#define STRIDE 2
#endif

/* The batch with steps run by `program`. */
static pml_status run_with(const char *program, const char *list, const char *out, uint64_t memory_bytes,
                           pml_error *error) {
    pml_status status = PML_OK;
    pml_manifest manifest = {0};
    pml_journal *journal = NULL;
    char *report = NULL;
    const pml_batch_settings settings = {.program = program,
                                         .folder = out,
                                         .n_conversions = 2,
                                         .memory_bytes = memory_bytes,
                                         .step_seconds = 300,
                                         .lock_seconds = 1,
                                         .shard = {0, 1}};
    PML_TRY(pml_manifest_read(list, NULL, 0, &manifest, error));
    PML_TRY(pml_journal_open(out, &settings.shard, manifest.sha256, 5000, &journal, error));
    PML_TRY(pml_batch_run(&settings, &manifest, journal, error));
    PML_TRY(pml_batch_report_write(out, &manifest, &settings.shard, journal, &report, error));
done:
    pml_free(report);
    pml_journal_close(journal);
    pml_manifest_deinit(&manifest);
    return status;
}

static pml_status run_batch(const char *list, const char *out, pml_error *error) {
    return run_with(pml_test_path("%s/pml-convert", pml_test_binary_dir()), list, out, 1u << 30, error);
}

/* A program that finds its share of memory too small, and is content with twice as much: then no other may run. */
static void a_share_that_is_too_small_is_repeated_alone(void) {
    const char *folder = pml_test_fresh_dir("share"), *list = test_manifest(folder, 4);
    if (list == NULL) {
        return;
    }
    const char *program = pml_test_path("%s/program", folder), *out = pml_test_path("%s/out", folder);
    const char *text =
        pml_test_path("#!/bin/sh\n"
                      "limit=$(ulimit -d)\n"
                      "if [ $limit != unlimited ] && [ $limit -lt 200000 ]; then\n"
                      "  echo small >>'%s/log'; echo 'pml-convert: error: out of memory: 1 bytes' >&2; exit 1\n"
                      "fi\n"
                      "[ $limit = unlimited ] || mkdir '%s/alone' || echo overlap >>'%s/log'\n"
                      "sleep 0.1; '%s/pml-convert' \"$@\"; code=$?\n"
                      "rmdir '%s/alone' 2>/dev/null; exit $code\n",
                      folder, folder, folder, pml_test_binary_dir(), folder);
    pml_test_write_file(program, text, strlen(text));
    CU_ASSERT_EQUAL_FATAL(chmod(program, 0755), 0);
    pml_error error = {0};
    PML_ASSERT_OK(run_with(program, list, out, 332u << 20, &error), &error);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_TRUE(test_exists(pml_test_path("%s/m%d.pml", out, i)));
    }
#ifndef PML_TEST_SANITIZED
    CU_ASSERT_EQUAL(test_count_lines(pml_test_path("%s/log", folder), "small"), 4);
    CU_ASSERT_EQUAL(test_count_lines(pml_test_path("%s/log", folder), "overlap"), 0);
#endif
    CU_ASSERT_TRUE(test_is_tidy(out));
}

static void every_failing_allocation(void) {
    const char *folder = pml_test_fresh_dir("memory"), *list = test_manifest(folder, 2);
    if (list == NULL) {
        return;
    }
    const char *out = pml_test_path("%s/out", folder);
    test_append(list, pml_test_path("%s/models/missing\n", folder));
    for (int persistently = 0; persistently < 2; persistently++) {
        unsigned long n = 0, n_failed = 0, n_made = 0;
        do {
            pml_error error = {0};
            n += STRIDE;
            (void)pml_test_command(NULL, "rm -rf '%s'", out);
            const uint64_t before = pml_allocation_count();
            pml_test_fail_allocation(n, persistently == 1);
            const pml_status status = run_batch(list, out, &error);
            pml_test_fail_allocation(0, false);
            n_made = (unsigned long)(pml_allocation_count() - before);
            CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
            n_failed += status != PML_OK;
            CU_ASSERT_TRUE(!test_exists(out) || test_is_tidy(out));
            if (status != PML_OK && n % 8 == 0) { /* what is there is whole, and the rest follows */
                PML_ASSERT_OK(run_batch(list, out, &error), &error);
            }
            if (status == PML_OK || n % 8 == 0) {
                CU_ASSERT_TRUE(test_exists(pml_test_path("%s/m0.pml", out)));
                CU_ASSERT_TRUE(test_exists(pml_test_path("%s/m1.pml", out)));
            }
        } while (n <= n_made && n < 5000);
        CU_ASSERT_TRUE(n_failed * STRIDE > 40 && n < 5000);
    }
}

PML_TESTS("convert/batch_memory", PML_TEST(a_share_that_is_too_small_is_repeated_alone),
          PML_TEST(every_failing_allocation))
