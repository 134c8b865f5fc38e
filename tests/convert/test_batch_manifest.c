/* Manifests: three spellings of one job, names and outputs by default, and everything that is refused. */
#include <string.h>

#include "convert/batch/batch_manifest.h"
#include "tests/harness.h"

static pml_status parse(const char *text, pml_manifest *manifest, pml_error *error) {
    return pml_manifest_parse(text, strlen(text), "list", NULL, 0, manifest, error);
}

static void check_job(const pml_batch_job *job, const char *source, const char *revision, const char *output,
                      const char *key) {
    CU_ASSERT_STRING_EQUAL(job->source, source);
    CU_ASSERT_TRUE((job->revision == NULL) == (revision == NULL));
    if (job->revision != NULL && revision != NULL) {
        CU_ASSERT_STRING_EQUAL(job->revision, revision);
    }
    CU_ASSERT_STRING_EQUAL(job->output, output);
    CU_ASSERT_STRING_EQUAL(job->options.key, key);
}

static void reads_three_spellings_of_one_job(void) {
    static const char *const texts[] = {
        "{\"source\": \"org/name\", \"revision\": \"v1\", \"dtype\": \"bf16\", \"options\": [\"--layout=row\"], "
        "\"output\": \"x/y.pml\"}",
        "org/name\tv1\tbf16\t--layout=row\tx/y.pml\r\n",
        "output\tsource\tdtype\toptions\trevision\nx/y.pml\torg/name\tbf16\t--layout=row\tv1\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        pml_error error = {0};
        pml_manifest manifest;
        PML_ASSERT_OK(parse(texts[i], &manifest, &error), &error);
        CU_ASSERT_EQUAL_FATAL(manifest.n_jobs, 1);
        check_job(&manifest.jobs[0], "org/name", "v1", "x/y.pml", "dtype=bf16\nlayout=row");
        CU_ASSERT_FALSE(manifest.jobs[0].is_local);
        pml_manifest_deinit(&manifest);
    }
}

static void passes_over_blanks_and_comments(void) {
    pml_error error = {0};
    pml_manifest manifest;
    PML_ASSERT_OK(parse("\xef\xbb\xbf# models\n\n   \norg/a@v2\n  hf://b \n  # end\n./gone/c\n", &manifest, &error),
                  &error);
    CU_ASSERT_EQUAL_FATAL(manifest.n_jobs, 3);
    check_job(&manifest.jobs[0], "org/a", "v2", "org--a.pml", "dtype=f32\nlayout=panel");
    CU_ASSERT_STRING_EQUAL(manifest.jobs[0].id, "org--a");
    CU_ASSERT_EQUAL(manifest.jobs[0].i_line, 4);
    check_job(&manifest.jobs[1], "b", NULL, "b.pml", "dtype=f32\nlayout=panel");
    check_job(&manifest.jobs[2], "./gone/c", NULL, "c.pml", "dtype=f32\nlayout=panel");
    CU_ASSERT_TRUE(manifest.jobs[2].is_local);
    pml_manifest_deinit(&manifest);
}

static void options_of_the_batch_give_way(void) {
    static const char *const options[] = {"--dtype=bf16", "--layout=row"};
    static const char text[] = "a\n{\"source\":\"b\",\"dtype\":\"f32\"}\n{\"source\":\"c\",\"options\":"
                               "[\"--set=k=1\",\"--layout=panel\",\"--set=l=2\",\"--allow-nonfinite\"]}\n";
    pml_error error = {0};
    pml_manifest manifest;
    PML_ASSERT_OK(pml_manifest_parse(text, strlen(text), "list", options, 2, &manifest, &error), &error);
    CU_ASSERT_EQUAL_FATAL(manifest.n_jobs, 3);
    check_job(&manifest.jobs[0], "a", NULL, "a-bf16.pml", "dtype=bf16\nlayout=row");
    check_job(&manifest.jobs[1], "b", NULL, "b.pml", "dtype=f32\nlayout=row");
    check_job(&manifest.jobs[2], "c", NULL, "c-bf16.pml",
              "dtype=bf16\nlayout=panel\nallow-nonfinite\nset=k=1\nset=l=2");
    CU_ASSERT_EQUAL(manifest.jobs[2].options.n_arguments, 5);
    CU_ASSERT_STRING_EQUAL(manifest.jobs[2].options.arguments[1], "--layout=panel");
    pml_manifest_deinit(&manifest);
}

static void hashes_files_that_options_name(void) {
    const char *path = pml_test_path("%s/rules.map", pml_test_temporary_dir());
    pml_test_write_file(path, "a b\n", 4);
    const char *text = pml_test_path("{\"source\":\"a\",\"options\":[\"--map=%s\"]}", path);
    pml_error error = {0};
    pml_manifest first, second;
    PML_ASSERT_OK(parse(text, &first, &error), &error);
    CU_ASSERT_TRUE(first.jobs[0].options.names_files);
    CU_ASSERT_PTR_NOT_NULL(strstr(first.jobs[0].options.key, "\nmap=sha256:"));
    pml_test_write_file(path, "a c\n", 4);
    PML_ASSERT_OK(parse(text, &second, &error), &error);
    CU_ASSERT_STRING_NOT_EQUAL(first.jobs[0].options.key, second.jobs[0].options.key);
    pml_manifest_deinit(&first);
    pml_manifest_deinit(&second);
}

static void refuses_what_it_does_not_understand(void) {
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "names no source"},
        {"# only words\n", "names no source"},
        {"a\nb c\n", "line 2"},
        {"org/na me", "neither a path nor a repository"},
        {"org/..", "neither a path nor a repository"},
        {"-x", "neither a path nor a repository"},
        {"hf://a/b/c", "neither a path nor a repository"},
        {"a@", "no revision"},
        {"a@--x", "no revision"},
        {"{\"source\":\"a@v1\",\"revision\":\"v2\"}", "two revisions"},
        {"{\"source\":\"/\",\"revision\":\"v2\"}", "has no revision"},
        {"{\"revision\":\"v2\"}", "no source"},
        {"{\"source\":\"a\",\"source\":\"b\"}", "given twice"},
        {"{\"source\":\"a\",\"outptu\":\"b\"}", "unknown key"},
        {"{\"source\":1}", "expected a text"},
        {"{\"source\":\"a\"} x", "line 1"},
        {"{\"source\":\"a\",\"options\":[\"--force\"]}", "a job may set"},
        {"{\"source\":\"a\",\"options\":[\"-o\"]}", "a job may set"},
        {"{\"source\":\"a\",\"options\":[\"--dtype\"]}", "expected --NAME=VALUE"},
        {"{\"source\":\"a\",\"options\":[\"--allow-nonfinite=1\"]}", "takes no value"},
        {"{\"source\":\"a\",\"options\":[\"--set=a=\\nb\"]}", "line break"},
        {"{\"source\":\"a\",\"options\":[\"--map=/no/such/file\"]}", "no such file"},
        {"a\t\t\t\t\tmore", "more than 5 columns"},
        {"{\"source\":\"a\",\"output\":\"../a.pml\"}", "below the output folder"},
        {"{\"source\":\"a\",\"output\":\"/a.pml\"}", "below the output folder"},
        {"{\"source\":\"a\",\"output\":\"x//a.pml\"}", "below the output folder"},
        {"{\"source\":\"a\",\"output\":\".pml-batch/a.pml\"}", "below the output folder"},
        {"{\"source\":\"a\",\"output\":\"a.bin\"}", "ends with .pml"},
        {"{\"source\":\"a\",\"dtype\":\"../../x\"}", "no dtype has such a name"},
        {"{\"source\":\"a\",\"output\":\"a\\u001b.pml\"}", "below the output folder"},
        {"a\n#\na@v2\n", "is that of line 1, too"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pml_error error = {0};
        pml_manifest manifest;
        const pml_status status = parse(rows[i].text, &manifest, &error);
        const pml_status expected = strstr(rows[i].message, "no such file") != NULL ? PML_E_NOT_FOUND : PML_E_CONFIG;
        if (status != expected || strstr(error.message, rows[i].message) == NULL) {
            (void)printf("\n    %s: %d, %s\n", rows[i].text, status, error.message);
        }
        PML_ASSERT_FAILS(status, expected, &error, rows[i].message);
    }
    pml_error error = {0};
    pml_manifest manifest;
    PML_ASSERT_FAILS(pml_manifest_parse("a\0b", 3, "list", NULL, 0, &manifest, &error), PML_E_CONFIG, &error, "zero");
}

static void survives_every_failing_allocation(void) {
    static const char text[] = "{\"source\":\"a/b\",\"options\":[\"--set=k=1\"]}\nc\td\n./e\n";
    for (unsigned long n = 1;; n++) {
        pml_error error = {0};
        pml_manifest manifest;
        pml_test_fail_allocation(n, false);
        const pml_status status = parse(text, &manifest, &error);
        pml_test_fail_allocation(0, false);
        if (status == PML_OK) {
            CU_ASSERT_TRUE(n > 10);
            pml_manifest_deinit(&manifest);
            break;
        }
        CU_ASSERT_EQUAL(status, PML_E_MEMORY);
    }
}

PML_TESTS("convert/batch_manifest", PML_TEST(reads_three_spellings_of_one_job),
          PML_TEST(passes_over_blanks_and_comments), PML_TEST(options_of_the_batch_give_way),
          PML_TEST(hashes_files_that_options_name), PML_TEST(refuses_what_it_does_not_understand),
          PML_TEST(survives_every_failing_allocation))
