#include "runtime/series/series_cache.h"

#include <string.h>
#include <sys/stat.h>

#include "runtime/base/alloc.h"
#include "tests/harness.h"

static const char text[] = "date,a,b\n2020-01-01 00:00,1,2.5\n\n2020-01-01 01:00,NA,-3\n2020-01-01 02:00,4,1e300\n";

static bool same(const pml_series *a, const pml_series *b) {
    bool is_same = a->n_rows == b->n_rows && a->n_columns == b->n_columns &&
                   (a->stamps_us == NULL) == (b->stamps_us == NULL) && (a->lines == NULL) == (b->lines == NULL) &&
                   memcmp(&a->stamp_form, &b->stamp_form, sizeof a->stamp_form) == 0;
    is_same =
        is_same && (a->date_column == NULL ? b->date_column == NULL : strcmp(a->date_column, b->date_column) == 0);
    for (size_t c = 0; is_same && c < a->n_columns; c++) {
        is_same = strcmp(a->columns[c], b->columns[c]) == 0;
    }
    for (size_t i = 0; is_same && i < a->n_rows; i++) {
        is_same = (a->stamps_us == NULL || a->stamps_us[i] == b->stamps_us[i]) &&
                  pml_series_line(a, i) == pml_series_line(b, i);
    }
    return is_same && memcmp(a->values, b->values, a->n_rows * a->n_columns * sizeof *a->values) == 0;
}

/* Opens through the cache, checks that the series is what the reader gives, and tells whether it was kept. */
static bool open_kept(const char *csv, const pml_series_request *request, const char *folder) {
    pml_series_cache cache;
    pml_series *series = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_series_cache_open(csv, request, folder, &cache, &error), &error);
    PML_ASSERT_OK(pml_series_read(csv, request, &series, &error), &error);
    CU_ASSERT_TRUE(cache.series != NULL && series != NULL && same(cache.series, series));
    const bool was_kept = cache.was_kept;
    pml_series_cache_close(&cache);
    pml_series_destroy(series);
    return was_kept;
}

static const char *write_csv(const char *folder, const char *name, const char *content) {
    const char *path = pml_test_path("%s/%s", folder, name);
    pml_test_write_file(path, content, strlen(content));
    return path;
}

static void a_second_reading_finds_the_first(void) {
    static const char *const names[] = {"b"}, *const other[] = {"b", "a"};
    static const pml_series_request requests[] = {{0}, {names, 1, false}, {other, 2, false}, {NULL, 0, true}};
    const char *folder = pml_test_fresh_dir("kept"), *data = pml_test_fresh_dir("data");
    const char *csv = write_csv(data, "s.csv", text);
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_FALSE(open_kept(csv, &requests[i], folder)); /* what was asked before is another series */
        CU_ASSERT_TRUE(open_kept(csv, &requests[i], folder));
        CU_ASSERT_EQUAL(pml_test_count_files(folder), i + 1);
    }
    CU_ASSERT_TRUE(open_kept(csv, NULL, folder));
    CU_ASSERT_TRUE(open_kept(write_csv(data, "elsewhere.csv", text), NULL, folder)); /* whatever it is called */
    CU_ASSERT_FALSE(open_kept(csv, NULL, NULL));
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 4);
    CU_ASSERT_FALSE(open_kept(csv, NULL, pml_test_path("%s/new", data))); /* a folder that is made */
    CU_ASSERT_TRUE(open_kept(csv, NULL, pml_test_path("%s/new", data)));
}

/* The same name, another content: never the old series. */
static void a_changed_file_is_another_series(void) {
    const char *folder = pml_test_fresh_dir("changed"), *data = pml_test_fresh_dir("changing");
    const char *csv = write_csv(data, "s.csv", "a\n1\n2\n");
    CU_ASSERT_FALSE(open_kept(csv, NULL, folder));
    (void)write_csv(data, "s.csv", "a\n1\n3\n"); /* of the same size, within the same second */
    CU_ASSERT_FALSE(open_kept(csv, NULL, folder));
    CU_ASSERT_TRUE(open_kept(csv, NULL, folder));
}

/* Any byte changed and any length cut is found out; opening makes the cache anew. */
static void damage_is_found(void) {
    const char *folder = pml_test_fresh_dir("damaged"), *data = pml_test_fresh_dir("source");
    const char *csv = write_csv(data, "s.csv", text);
    pml_series_key key, other;
    char *path = NULL;
    size_t size_bytes = 0;
    pml_series series;
    pml_error error = {0};
    CU_ASSERT_FALSE(open_kept(csv, NULL, folder));
    PML_ASSERT_OK(pml_series_key_of(csv, NULL, &key, &error), &error);
    PML_ASSERT_OK(pml_series_cache_path(folder, &key, &path, &error), &error);
    unsigned char *good = pml_test_read_file(path, &size_bytes);
    PML_ASSERT_OK(pml_series_cache_view(good, size_bytes, &key, &series, &error), &error);
    pml_free(series.columns);
    other = key;
    other.bytes[3] ^= 1;
    PML_ASSERT_FAILS(pml_series_cache_view(good, size_bytes, &other, &series, &error), PML_E_FORMAT, &error,
                     "the series of another file");
    for (size_t i = 0; i < size_bytes; i++) {
        good[i] ^= 0x20;
        PML_ASSERT_FAILS(pml_series_cache_view(good, size_bytes, &key, &series, &error), PML_E_FORMAT, &error, NULL);
        good[i] ^= 0x20;
        PML_ASSERT_FAILS(pml_series_cache_view(good, i, &key, &series, &error), PML_E_FORMAT, &error, NULL);
    }
    for (size_t i = 0; i < size_bytes; i += 41) {
        good[i] ^= 1;
        pml_test_write_file(path, good, size_bytes);
        good[i] ^= 1;
        CU_ASSERT_FALSE(open_kept(csv, NULL, folder));
        CU_ASSERT_TRUE(open_kept(csv, NULL, folder));
        pml_test_write_file(path, good, i);
        CU_ASSERT_FALSE(open_kept(csv, NULL, folder));
        CU_ASSERT_TRUE(open_kept(csv, NULL, folder));
    }
    free(good);
    pml_free(path);
}

/* A folder that cannot be written to, or that is none, costs the cache and nothing else. */
static void a_folder_that_takes_nothing_is_no_error(void) {
    const char *data = pml_test_fresh_dir("readable");
    const char *csv = write_csv(data, "s.csv", text), *file = write_csv(data, "file", "x");
    CU_ASSERT_FALSE(open_kept(csv, NULL, file));
    CU_ASSERT_FALSE(open_kept(csv, NULL, file));
    CU_ASSERT_FALSE(open_kept(csv, NULL, "/proc/none/such"));
    const char *locked = pml_test_fresh_dir("locked");
    CU_ASSERT_EQUAL(chmod(locked, 0555), 0);
    (void)open_kept(csv, NULL, locked); /* who may write everywhere (root) keeps it even there */
    CU_ASSERT_EQUAL(chmod(locked, 0755), 0);
}

static void faults_of_the_file_stay_errors(void) {
    const char *folder = pml_test_fresh_dir("none"), *data = pml_test_fresh_dir("faulty");
    pml_series_cache cache;
    pml_error error = {0};
    PML_ASSERT_FAILS(pml_series_cache_open(write_csv(data, "x.csv", "a\n1\nx\n"), NULL, folder, &cache, &error),
                     PML_E_FORMAT, &error, "x.csv, line 3, column 'a': 'x' is not a number");
    PML_ASSERT_FAILS(pml_series_cache_open("/nowhere.csv", NULL, folder, &cache, &error), PML_E_NOT_FOUND, &error,
                     "/nowhere.csv");
    PML_ASSERT_FAILS(pml_series_cache_open(write_csv(data, "empty.csv", ""), NULL, folder, &cache, &error),
                     PML_E_FORMAT, &error, "the file is empty");
    CU_ASSERT_EQUAL(pml_test_count_files(folder), 0);
    pml_series_cache_close(&cache);
}

static void memory_may_run_out_anywhere(void) {
    const char *folder = pml_test_fresh_dir("scarce"), *csv = write_csv(pml_test_fresh_dir("much"), "s.csv", text);
    for (int kept = 0; kept < 2; kept++) {
        for (unsigned long n = 1;; n++) {
            pml_series_cache cache;
            pml_error error = {0};
            pml_test_fail_allocation(n, false);
            const pml_status status = pml_series_cache_open(csv, NULL, folder, &cache, &error);
            pml_test_fail_allocation(0, false);
            CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
            const bool is_over = status == PML_OK && n > 60;
            pml_series_cache_close(&cache);
            if (is_over) {
                break;
            }
        }
        CU_ASSERT_TRUE(open_kept(csv, NULL, folder));
    }
}

PML_TESTS("runtime/series/series_cache", PML_TEST(a_second_reading_finds_the_first),
          PML_TEST(a_changed_file_is_another_series), PML_TEST(damage_is_found),
          PML_TEST(a_folder_that_takes_nothing_is_no_error), PML_TEST(faults_of_the_file_stay_errors),
          PML_TEST(memory_may_run_out_anywhere))
