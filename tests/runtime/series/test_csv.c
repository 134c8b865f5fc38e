#include "runtime/series/csv.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/series/series.h"
#include "tests/harness.h"

/* Records written out as "line:field|field;" so that whole readings compare as text. */
typedef struct trace {
    char text[4096];
    size_t used;
    size_t n_records;
} trace;

static pml_status on_record(void *user, const char *const *fields, size_t n_fields, uint64_t line, pml_error *error) {
    trace *t = user;
    (void)error;
    t->n_records++;
    for (size_t i = 0; i < n_fields && t->used + 64 < sizeof t->text; i++) {
        if (i == 0) {
            t->used += (size_t)snprintf(t->text + t->used, sizeof t->text - t->used, "%d:", (int)line);
        }
        t->used += (size_t)snprintf(t->text + t->used, sizeof t->text - t->used, "%.40s%s", fields[i],
                                    i + 1 < n_fields ? "|" : ";");
    }
    return PML_OK;
}

static void reads_records_with_their_lines(void) {
    static const struct {
        const char *text, *records;
    } cases[] = {
        {"a,b\n1,2\n", "1:a|b;2:1|2;"},
        {"a,b\r\n1,2\r\n3,4\r\n", "1:a|b;2:1|2;3:3|4;"},
        {"a,b\r1,2\r", "1:a|b;2:1|2;"},
        {"a,b\n\n\n1,2", "1:a|b;4:1|2;"},
        {"\xEF\xBB\xBF"
         "a,b\n1,2",
         "1:a|b;2:1|2;"},
        {"\"a\nb\",c\n1,2\n", "2:a\nb|c;3:1|2;"},
        {"a,b\n\"x \"\"y\"\"\",\"1,5\"\n", "1:a|b;2:x \"y\"|1,5;"},
        {"a,b\n  1 ,\t2\t\n,\n", "1:a|b;2:1|2;3:|;"},
        {"a\r\n\r\n1\r\n", "1:a;3:1;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trace t = {0};
        pml_error error = {0};
        PML_ASSERT_OK(pml_csv_parse(cases[i].text, strlen(cases[i].text), "t.csv", on_record, &t, &error), &error);
        CU_ASSERT_STRING_EQUAL(t.text, cases[i].records);
    }
}

static pml_status refuse_third(void *user, const char *const *fields, size_t n_fields, uint64_t line,
                               pml_error *error) {
    size_t *count = user;
    (void)fields;
    (void)n_fields;
    return ++*count == 3 ? PML_FAIL(error, PML_E_CONFIG, "stop at %d", (int)line) : PML_OK;
}

static void stops_where_the_record_function_fails(void) {
    size_t count = 0;
    pml_error error = {0};
    PML_ASSERT_FAILS(pml_csv_parse("a\n1\n2\n3\n4\n", 10, "t.csv", refuse_third, &count, &error), PML_E_CONFIG, &error,
                     "stop at 3");
    CU_ASSERT_EQUAL(count, 3);
}

static void numbers_are_strict(void) {
    static const char *const good[] = {"0", "-1", "+2.5", ".5", "5.", "1e3", "1E-3", "-0", "1e-400", "007", "1e+2"};
    static const double values[] = {0, -1, 2.5, 0.5, 5, 1000, 0.001, 0, 0, 7, 100};
    static const char *const bad[] = {"",    ".",   "-",   "e5",  "1e",  "1e+", "0x1",   "inf",
                                      "nan", "1 2", "1,5", "1_0", "--1", "1d5", "1e999", "-1e999",
                                      " 1",  "1 ",  "1f",  "١",   "0b1", "+-1", "1.2.3"};
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double value = NAN;
        CU_ASSERT_TRUE(pml_csv_number(good[i], locale, &value));
        CU_ASSERT_EQUAL(value, values[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double value = 42;
        CU_ASSERT_FALSE(pml_csv_number(bad[i], locale, &value));
        CU_ASSERT_EQUAL(value, 42);
    }
    freelocale(locale);
}

/* Every file of tests/goldens/csv/invalid against the status and the part of the message that stand beside it. */
static void rejects_every_golden_fault(void) {
    const char *folder = pml_test_golden("csv/invalid");
    size_t n_files = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    DIR *dir = opendir(folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char *end = strstr(entry->d_name, ".csv");
        if (end == NULL) {
            continue;
        }
        const char *path = pml_test_path("%s/%s", folder, entry->d_name);
        size_t size_bytes = 0;
        char *expected = (char *)pml_test_read_file(
            pml_test_path("%s/%.*s.expected", folder, (int)(end - entry->d_name), entry->d_name), &size_bytes);
        char *part = strchr(expected, '\n');
        CU_ASSERT_PTR_NOT_NULL_FATAL(part);
        *part++ = '\0';
        part[strcspn(part, "\n")] = '\0';
        pml_series *series = NULL;
        pml_error error = {0};
        pml_status status = pml_series_read(path, NULL, &series, &error);
        if (strcmp(pml_status_name(status), expected) != 0 || strstr(error.message, part) == NULL) {
            (void)printf("\n    %s: %s: %s\n", entry->d_name, pml_status_name(status), error.message);
            CU_FAIL("another status or message than expected");
        }
        CU_ASSERT_PTR_NULL(series);
        pml_series_destroy(series);
        free(expected);
        n_files++;
    }
    (void)closedir(dir);
    CU_ASSERT_TRUE(n_files >= 25);
}

static void bounds_columns(void) {
    size_t size_bytes = 2 * (PML_MAX_CSV_COLUMNS + 1);
    char *text = malloc(size_bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (size_t i = 0; i < size_bytes; i++) {
        text[i] = i % 2 == 0 ? 'x' : ',';
    }
    trace t = {0};
    pml_error error = {0};
    PML_ASSERT_FAILS(pml_csv_parse(text, size_bytes, "wide.csv", on_record, &t, &error), PML_E_FORMAT, &error,
                     "wide.csv, line 1: more than 65536 columns");
    free(text);
}

static void long_files_cross_buffers(void) {
    const char *path = pml_test_path("%s/long.csv", pml_test_temporary_dir());
    FILE *stream = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    (void)fputs("a,b\r\n", stream);
    for (int i = 0; i < 20000; i++) {
        (void)fprintf(stream, "%d,\"%d.5\"\r\n", i, -i);
    }
    (void)fclose(stream);
    pml_series *series = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_series_read(path, NULL, &series, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(series);
    CU_ASSERT_EQUAL(series->n_rows, 20000);
    for (size_t i = 0; i < series->n_rows; i++) {
        CU_ASSERT_EQUAL_FATAL(series->values[2 * i], (double)i);
        CU_ASSERT_EQUAL_FATAL(series->values[2 * i + 1], i == 0 ? 0.5 : -(double)i - 0.5);
    }
    pml_series_destroy(series);
}

static void strange_paths_are_errors_at_once(void) {
    pml_series *series = NULL;
    pml_error error = {0};
    const char *folder = pml_test_temporary_dir();
    const char *fifo = pml_test_path("%s/fifo", folder);
    PML_ASSERT_FAILS(pml_series_read(pml_test_path("%s/absent.csv", folder), NULL, &series, &error), PML_E_NOT_FOUND,
                     &error, "absent.csv");
    PML_ASSERT_FAILS(pml_series_read(folder, NULL, &series, &error), PML_E_ARGUMENT, &error, "not a regular file");
    CU_ASSERT_EQUAL_FATAL(mkfifo(fifo, 0600), 0);
    PML_ASSERT_FAILS(pml_series_read(fifo, NULL, &series, &error), PML_E_ARGUMENT, &error, "not a regular file");
    PML_ASSERT_FAILS(pml_series_read("/dev/zero", NULL, &series, &error), PML_E_ARGUMENT, &error, "not a regular file");
    PML_ASSERT_FAILS(pml_series_read("/etc/hostname/x.csv", NULL, &series, &error), PML_E_NOT_FOUND, &error, NULL);
}

static void cancellation_stops_the_reading(void) {
    const char *path = pml_test_golden("csv/valid/plain.csv");
    pml_series *series = NULL;
    pml_error error = {0};
    CU_ASSERT_PTR_NOT_NULL_FATAL(path);
    pml_cancel_request();
    PML_ASSERT_FAILS(pml_series_read(path, NULL, &series, &error), PML_E_INTERRUPTED, &error, NULL);
    pml_cancel_reset();
}

static void every_failed_allocation_is_an_error(void) {
    const char *path = pml_test_golden("csv/valid/text-column-and-index.csv");
    bool finished = false;
    CU_ASSERT_PTR_NOT_NULL_FATAL(path);
    for (int persistent = 0; persistent < 2; persistent++) {
        finished = false;
        for (unsigned long n = 1; n < 200 && !finished; n++) {
            pml_series *series = NULL;
            pml_error error = {0};
            pml_test_fail_allocation(n, persistent != 0);
            pml_status status = pml_series_read(path, NULL, &series, &error);
            pml_test_fail_allocation(0, false);
            finished = status == PML_OK;
            if (!finished) {
                CU_ASSERT_EQUAL(status, PML_E_MEMORY);
                CU_ASSERT_PTR_NULL(series);
            }
            pml_series_destroy(series);
        }
        CU_ASSERT_TRUE(finished);
    }
}

static void quotes_what_it_writes(void) {
    static const char *const texts[] = {"plain", "with space", " edge", "a,b", "say \"hi\"", "two\nlines", ""};
    static const char *const written[] = {
        "plain", "with space", "\" edge\"", "\"a,b\"", "\"say \"\"hi\"\"\"", "\"two\nlines\"", ""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *text = NULL;
        size_t size_bytes = 0;
        FILE *stream = open_memstream(&text, &size_bytes);
        CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
        pml_csv_write_field(stream, texts[i]);
        (void)fclose(stream);
        CU_ASSERT_STRING_EQUAL(text, written[i]);
        free(text);
    }
}

PML_TESTS("runtime/series/csv", PML_TEST(reads_records_with_their_lines),
          PML_TEST(stops_where_the_record_function_fails), PML_TEST(numbers_are_strict),
          PML_TEST(rejects_every_golden_fault), PML_TEST(bounds_columns), PML_TEST(long_files_cross_buffers),
          PML_TEST(strange_paths_are_errors_at_once), PML_TEST(cancellation_stops_the_reading),
          PML_TEST(every_failed_allocation_is_an_error), PML_TEST(quotes_what_it_writes))
