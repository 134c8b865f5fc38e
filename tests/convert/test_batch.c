/* pml-convert batch over local sources: every job accounted for, work recognised, failures kept apart. */
#include "tests/convert/batch_fixture.h"

static void usage(void) {
    TEST_EXITS(0, "Usage: pml-convert batch", "batch --help");
    TEST_EXITS(2, "expected MANIFEST", "batch -o /tmp/x");
    TEST_EXITS(2, "-o DIR is missing", "batch /no/such/list");
    TEST_EXITS(66, "no such file", "batch /no/such/list -o '%s/out'", pml_test_fresh_dir("usage"));
    const char *list = pml_test_path("%s/usage/list.txt", pml_test_temporary_dir());
    pml_test_write_file(list, "a b\n", 4);
    TEST_EXITS(78, "line 1", "batch '%s' -o '%s/usage/out'", list, pml_test_temporary_dir());
    pml_test_write_file(list, "./a\n", 4);
    TEST_EXITS(2, "expected 1 to", "batch '%s' -o '%s/usage/out' --jobs 0", list, pml_test_temporary_dir());
    TEST_EXITS(2, "needs at least", "batch '%s' -o '%s/usage/out' --mem 1M", list, pml_test_temporary_dir());
    TEST_EXITS(2, "expected bytes", "batch '%s' -o '%s/usage/out' --mem 1X", list, pml_test_temporary_dir());
    TEST_EXITS(2, "no shard 2 of 2", "batch '%s' -o '%s/usage/out' --shard 2/2", list, pml_test_temporary_dir());
    TEST_EXITS(74, "Not a directory", "batch '%s' -o '%s'", list, list);
}

static void one_bad_model_stops_nothing(void) {
    const char *folder = pml_test_fresh_dir("bad"), *list = test_manifest(folder, 3);
    if (list == NULL) {
        return;
    }
    const char *damaged = test_small_model(folder, "models/damaged");
    pml_test_write_file(pml_test_path("%s/model.safetensors", damaged), "no header", 9);
    const char *text = pml_test_path("%s/models/missing\n%s\n", folder, damaged);
    size_t size = 0;
    char *lines = (char *)pml_test_read_file(list, &size);
    pml_test_write_file(list, pml_test_path("%s%s", text, lines), strlen(text) + size);
    free(lines);

    TEST_EXITS(1, "2 of 5 jobs failed", "batch '%s' -o '%s/out' --jobs 2", list, folder);
    const char *report = pml_test_path("%s/out/report.jsonl", folder);
    CU_ASSERT_EQUAL(test_count_lines(report, "\"manifest_sha256\""), 5);
    CU_ASSERT_EQUAL(test_count_lines(report, "\"status\":\"published\""), 3);
    CU_ASSERT_EQUAL(test_count_lines(report, "\"exit_code\":66"), 1);
    CU_ASSERT_EQUAL(test_count_lines(report, "\"exit_code\":65"), 1);
    CU_ASSERT_EQUAL(test_count_lines(report, "\"family\":\"patchtst\""), 3);
    for (int i = 0; i < 3; i++) {
        TEST_EXITS(0, NULL, "verify -q '%s/out/m%d.pml' --source '%s/models/m%d'", folder, i, folder, i);
    }
    CU_ASSERT_TRUE(test_is_tidy(pml_test_path("%s/out", folder)));

    /* What failed for good is not tried again, until it changes or is asked for. */
    TEST_EXITS(1, "damaged failed before", "batch '%s' -o '%s/out'", list, folder);
    CU_ASSERT_EQUAL(test_count_lines(report, "\"status\":\"up to date\""), 3);
    CU_ASSERT_EQUAL(test_count_lines(report, "\"tried_now\":false"), 1);
    TEST_EXITS(1, "damaged failed (", "batch '%s' -o '%s/out' --retry-failed", list, folder);
    (void)test_small_model(folder, "models/damaged");
    (void)test_small_model(folder, "models/missing");
    TEST_EXITS(0, "2 published, 3 up to date, 0 failed", "batch '%s' -o '%s/out'", list, folder);
}

static void output_tells(void) {
    const char *folder = pml_test_fresh_dir("tells"), *list = test_manifest(folder, 2);
    if (list == NULL) {
        return;
    }
    char *output = NULL;
    CU_ASSERT_EQUAL(pml_test_command(&output, "{ '%s/pml-convert' batch '%s' -o '%s/out' 2>&1 >/dev/null; }",
                                     pml_test_binary_dir(), list, folder),
                    0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "2 of 2: "));
    CU_ASSERT_PTR_NULL(strstr(output, "[0/"));
    free(output);
    CU_ASSERT_EQUAL(
        pml_test_command(&output, "'%s/pml-convert' batch '%s' -o '%s/out' -q", pml_test_binary_dir(), list, folder),
        0);
    CU_ASSERT_STRING_EQUAL(output, pml_test_path("%s/out/report.jsonl\n", folder));
    free(output);
    TEST_EXITS(0, "\"n_up_to_date\": 2", "batch '%s' -o '%s/out' --json -q", list, folder);
    TEST_EXITS(0, "[1/2] 1 of 1: m1 up to date", "batch '%s' -o '%s/out' --shard 1/2", list, folder);
    CU_ASSERT_EQUAL(test_count_lines(pml_test_path("%s/out/report.jsonl", folder), "\"status\":\"published\""), 1);
}

static void recognises_work_by_source_and_options(void) {
    const char *folder = pml_test_fresh_dir("known"), *list = test_manifest(folder, 1);
    if (list == NULL) {
        return;
    }
    const char *out = pml_test_path("%s/out", folder), *model = pml_test_path("%s/m0.pml", out);
    TEST_EXITS(0, "1 published", "batch '%s' -o '%s'", list, out);
    /* Without a journal the bytes decide. */
    (void)pml_test_command(NULL, "rm -r '%s/.pml-batch'", out);
    TEST_EXITS(0, "1 up to date", "batch '%s' -o '%s'", list, out);
    CU_ASSERT_TRUE(test_is_tidy(out));
    /* Other times of the source, the same bytes. */
    (void)pml_test_command(NULL, "touch -d 2001-01-01 '%s/models/m0/config.json'", folder);
    TEST_EXITS(0, "1 up to date", "batch '%s' -o '%s'", list, out);
    /* Other options under the same name. */
    const char *other = pml_test_path("%s/other.txt", folder);
    const char *line = pml_test_path("{\"source\":\"%s/models/m0\",\"options\":[\"--layout=row\"]}\n", folder);
    pml_test_write_file(other, line, strlen(line));
    TEST_EXITS(1, "was made with other options", "batch '%s' -o '%s'", other, out);
    TEST_EXITS(0, "1 published", "batch '%s' -o '%s' --force", other, out);
    TEST_EXITS(0, "1 up to date", "batch '%s' -o '%s'", other, out);
    TEST_EXITS(0, "row", "inspect '%s'", model);
    /* Another file of that name is nobody's to replace. */
    pml_test_write_file(model, "mine", 4);
    TEST_EXITS(1, "is not a .pml file", "batch '%s' -o '%s'", other, out);
    CU_ASSERT_TRUE(pml_test_file_holds(model, "mine"));
    TEST_EXITS(0, "1 published", "batch '%s' -o '%s' --force", other, out);
}

static void an_output_that_differs_is_an_error(void) {
    const char *folder = pml_test_fresh_dir("differs"), *list = test_manifest(folder, 1);
    if (list == NULL) {
        return;
    }
    TEST_EXITS(0, "1 published", "batch '%s' -o '%s/out'", list, folder);
    /* The source changes: the last byte of a weight. */
    const char *weights = pml_test_path("%s/models/m0/model.safetensors", folder);
    struct stat info;
    CU_ASSERT_EQUAL_FATAL(stat(weights, &info), 0);
    test_flip_byte(weights, (size_t)info.st_size - 3);
    TEST_EXITS(1, "exists and differs", "batch '%s' -o '%s/out'", list, folder);
    CU_ASSERT_TRUE(test_is_tidy(pml_test_path("%s/out", folder)));
    TEST_EXITS(0, "1 published", "batch '%s' -o '%s/out' --force", list, folder);
    TEST_EXITS(0, NULL, "verify -q '%s/out/m0.pml' --source '%s/models/m0'", folder, folder);
}

static void a_torn_journal_is_mended(void) {
    const char *folder = pml_test_fresh_dir("torn"), *list = test_manifest(folder, 2);
    if (list == NULL) {
        return;
    }
    const char *journal = pml_test_path("%s/out/.pml-batch/journal-0-of-1.jsonl", folder);
    TEST_EXITS(0, "2 published", "batch '%s' -o '%s/out'", list, folder);
    test_append(journal, "{\"event\":\"published\",\"output\":\"m0.pml\",\"sour");
    TEST_EXITS(0, "2 up to date", "batch '%s' -o '%s/out'", list, folder);
    CU_ASSERT_EQUAL(test_count_lines(journal, "\"sour"), 2);
    test_append(journal, "not json\n[]\n{\"event\":7}\n{\"event\":\"published\",\"output\":\"m0.pml\"}\n");
    TEST_EXITS(0, "a damaged line is passed over", "batch '%s' -o '%s/out'", list, folder);
    TEST_EXITS(0, "2 up to date", "batch '%s' -o '%s/out'", list, folder);
}

static void shards_cover_everything_once(void) {
    const char *folder = pml_test_fresh_dir("shards"), *list = test_manifest(folder, 10);
    if (list == NULL) {
        return;
    }
    /* Four processes at once, and a fifth that works on all of it. */
    const char *command =
        pml_test_path("'%s/pml-convert' batch '%s' -o '%s/out' -q", pml_test_binary_dir(), list, folder);
    CU_ASSERT_EQUAL(pml_test_command(NULL,
                                     "for i in 0 1 2 3; do %s --jobs 1 --shard $i/4 & p=\"$p $!\"; done; %s --jobs 2 & "
                                     "p=\"$p $!\"; r=0; for q in $p; do wait $q || r=1; done; exit $r",
                                     command, command),
                    0);
    CU_ASSERT_TRUE(test_is_tidy(pml_test_path("%s/out", folder)));
    for (int i = 0; i < 10; i++) {
        TEST_EXITS(0, NULL, "verify -q '%s/out/m%d.pml'", folder, i);
    }
    /* The last to end wrote the report, whole. */
    CU_ASSERT_EQUAL(test_count_lines(pml_test_path("%s/out/report.jsonl", folder), "\"content_digest\":\""), 10);
    /* Each was converted once, whoever did it: a second conversion would have been refused, and failed the run. */
    TEST_EXITS(0, "10 up to date", "batch '%s' -o '%s/out'", list, folder);
}

static void same_shard_twice_is_busy(void) {
    const char *folder = pml_test_fresh_dir("busy"), *list = test_manifest(folder, 1);
    if (list == NULL) {
        return;
    }
    (void)pml_test_command(NULL, "mkdir -p '%s/out/.pml-batch'", folder);
    const char *journal = pml_test_path("%s/out/.pml-batch/journal-0-of-1.jsonl", folder);
    CU_ASSERT_EQUAL(pml_test_command(NULL, "flock '%s' '%s/pml-convert' batch '%s' -o '%s/out' --lock-timeout 0",
                                     journal, pml_test_binary_dir(), list, folder),
                    75);
    TEST_EXITS(0, "1 published", "batch '%s' -o '%s/out'", list, folder);
}

/* The lock file of the only output, as another process would hold it. */
static const char *place_lock(const char *folder, const char *list, const char *holder) {
    char *name = NULL;
    (void)list;
    CU_ASSERT_EQUAL(pml_test_command(&name, "printf m0.pml | sha256sum | cut -c 1-32 | tr -d '\\n'"), 0);
    (void)pml_test_command(NULL, "mkdir -p '%s/out/.pml-batch'", folder);
    const char *path = pml_test_path("%s/out/.pml-batch/lock-%s", folder, name);
    pml_test_write_file(path, holder, strlen(holder));
    free(name);
    return path;
}

static void locks_of_the_dead_are_taken_over(void) {
    const char *folder = pml_test_fresh_dir("locks"), *list = test_manifest(folder, 1);
    char host[256] = "";
    if (list == NULL) {
        return;
    }
    CU_ASSERT_EQUAL_FATAL(gethostname(host, sizeof host - 1), 0);
    /* Another host's, alive: for now only, and then not waited for. */
    const char *lock = place_lock(folder, list, "elsewhere 7 7\n");
    TEST_EXITS(75, "is being made by another process", "batch '%s' -o '%s/out' --lock-timeout 0", list, folder);
    CU_ASSERT_FALSE(test_exists(pml_test_path("%s/out/m0.pml", folder)));
    /* The same, without a sign of life for long. */
    (void)pml_test_command(NULL, "touch -d '1 hour ago' '%s'", lock);
    TEST_EXITS(0, "1 published", "batch '%s' -o '%s/out' --lock-timeout 0", list, folder);
    /* This host's, of a process that is not there, or is another by now. */
    (void)place_lock(folder, list, pml_test_path("%s 999999999 7\n", host));
    TEST_EXITS(0, "1 up to date", "batch '%s' -o '%s/out' --lock-timeout 0", list, folder);
    (void)place_lock(folder, list, pml_test_path("%s %ld 7\n", host, (long)getpid()));
    TEST_EXITS(0, "1 up to date", "batch '%s' -o '%s/out' --lock-timeout 0", list, folder);
    CU_ASSERT_TRUE(test_is_tidy(folder));
}

static void outputs_go_where_the_manifest_says(void) {
    const char *folder = pml_test_fresh_dir("places"), *list = test_manifest(folder, 1);
    if (list == NULL) {
        return;
    }
    const char *line =
        pml_test_path("{\"source\":\"%s/models/m0\",\"output\":\"deep/er/x.pml\",\"dtype\":\"bf16\"}\n", folder);
    test_append(list, line);
    TEST_EXITS(0, "2 published", "batch '%s' -o '%s/out'", list, folder);
    TEST_EXITS(0, "BF16", "inspect '%s/out/deep/er/x.pml'", folder);
    CU_ASSERT_TRUE(test_is_tidy(folder));
}

static void warnings_of_steps_are_handed_on(void) {
    const char *folder = pml_test_fresh_dir("warn"), *model = test_small_model(folder, "m");
    if (model == NULL) {
        return;
    }
    /* The last weight becomes NaN. */
    const char *weights = pml_test_path("%s/model.safetensors", model);
    size_t size = 0;
    unsigned char *bytes = pml_test_read_file(weights, &size);
    memset(bytes + size - 4, 0xff, 4);
    pml_test_write_file(weights, bytes, size);
    free(bytes);
    const char *list = pml_test_path("%s/list.txt", folder);
    const char *line = pml_test_path("{\"source\":\"%s\",\"options\":[\"--allow-nonfinite\"]}\n", model);
    pml_test_write_file(list, line, strlen(line));
    TEST_EXITS(0, "warning: m: weight '", "batch '%s' -o '%s/out'", list, folder);
}

static void a_full_disk_ends_what_would_only_fail(void) {
    const char *folder = pml_test_fresh_dir("full"), *list = test_manifest(folder, 8);
    if (list == NULL) {
        return;
    }
    /* Files may have 32 KiB: the models do not fit, journal and report do. */
    const char *command = pml_test_path("ulimit -f 32; '%s/pml-convert' batch '%s' -o '%s/out' --jobs 1",
                                        pml_test_binary_dir(), list, folder);
    char *output = NULL;
    CU_ASSERT_EQUAL(pml_test_command(&output, "%s", command), 74);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "5 failures in a row"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "3 not started"));
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "%s --keep-going", command), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "8 failed"));
    free(output);
    CU_ASSERT_TRUE(test_is_tidy(folder));
    TEST_EXITS(0, "8 published", "batch '%s' -o '%s/out'", list, folder);
}

PML_TESTS("convert/batch", PML_TEST(usage), PML_TEST(one_bad_model_stops_nothing), PML_TEST(output_tells),
          PML_TEST(recognises_work_by_source_and_options), PML_TEST(an_output_that_differs_is_an_error),
          PML_TEST(a_torn_journal_is_mended), PML_TEST(shards_cover_everything_once),
          PML_TEST(same_shard_twice_is_busy), PML_TEST(locks_of_the_dead_are_taken_over),
          PML_TEST(outputs_go_where_the_manifest_says), PML_TEST(warnings_of_steps_are_handed_on),
          PML_TEST(a_full_disk_ends_what_would_only_fail))
