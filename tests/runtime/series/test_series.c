#include "runtime/series/series.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness.h"

static pml_series *parse(const char *text, const pml_series_request *request) {
    pml_series *series = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_series_parse(text, strlen(text), "t.csv", request, &series, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(series);
    return series;
}

static void reads_every_valid_golden(void) {
    static const struct {
        const char *name, *date_column;
        size_t n_rows;
    } files[] = {{"plain", "date", 3},
                 {"crlf-and-byte-order-mark", "ds", 2},
                 {"quoted-names-with-commas", "date", 2},
                 {"missing-values", "time", 5},
                 {"no-dates-no-final-newline", NULL, 2},
                 {"first-column-of-dates-by-content", "when", 2},
                 {"text-column-and-index", NULL, 2},
                 {"old-mac-line-ends", NULL, 2},
                 {"blank-lines", NULL, 2}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = pml_test_golden(pml_test_path("csv/valid/%s.csv", files[i].name));
        pml_series *series = NULL;
        pml_error error = {0};
        CU_ASSERT_PTR_NOT_NULL_FATAL(path);
        PML_ASSERT_OK(pml_series_read(path, NULL, &series, &error), &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(series);
        CU_ASSERT_EQUAL(series->n_columns, 2);
        CU_ASSERT_EQUAL(series->n_rows, files[i].n_rows);
        CU_ASSERT_EQUAL(series->date_column == NULL, files[i].date_column == NULL);
        if (series->date_column != NULL && files[i].date_column != NULL) {
            CU_ASSERT_STRING_EQUAL(series->date_column, files[i].date_column);
            CU_ASSERT_PTR_NOT_NULL(series->stamps_us);
        }
        pml_series_destroy(series);
    }
}

static void reads_numbers_and_names(void) {
    pml_series *series = parse("date,a,\"b, two\"\n2020-01-01,1.5,-2e3\n2020-01-02,,7\n", NULL);
    CU_ASSERT_STRING_EQUAL(series->columns[0], "a");
    CU_ASSERT_STRING_EQUAL(series->columns[1], "b, two");
    CU_ASSERT_EQUAL(series->values[0], 1.5);
    CU_ASSERT_EQUAL(series->values[1], -2000);
    CU_ASSERT_TRUE(isnan(series->values[2]));
    CU_ASSERT_EQUAL(series->values[3], 7);
    CU_ASSERT_EQUAL(series->stamps_us[1] - series->stamps_us[0], INT64_C(86400000000));
    CU_ASSERT_FALSE(series->stamp_form.has_time);
    pml_series_destroy(series);
}

static void wanted_columns_come_in_their_own_order(void) {
    static const char *const names[] = {"c", "a"};
    const pml_series_request request = {names, 2, false};
    pml_series *series = parse("a,note,DS,b,c\n1,x,2020-01-01,2,3\n4,y,2020-01-02,5,6\n", &request);
    CU_ASSERT_EQUAL(series->n_columns, 2);
    CU_ASSERT_STRING_EQUAL(series->columns[0], "c");
    CU_ASSERT_EQUAL(series->values[0], 3);
    CU_ASSERT_EQUAL(series->values[1], 1);
    CU_ASSERT_EQUAL(series->values[2], 6);
    CU_ASSERT_EQUAL(series->values[3], 4);
    CU_ASSERT_STRING_EQUAL(series->date_column, "DS");
    pml_series_destroy(series);
}

static void a_wanted_column_named_like_a_date_is_numbers(void) {
    static const char *const names[] = {"time"};
    const pml_series_request request = {names, 1, false};
    pml_series *series = parse("time,x\n1,2\n3,4\n", &request);
    CU_ASSERT_PTR_NULL(series->date_column);
    CU_ASSERT_EQUAL(series->values[1], 3);
    pml_series_destroy(series);
}

static void names_what_is_absent(void) {
    static const char *const names[] = {"a", "z"};
    static const char *const twice[] = {"a", "a"};
    const pml_series_request request = {names, 2, false}, doubled = {twice, 2, false};
    pml_series *series = NULL;
    pml_error error = {0};
    PML_ASSERT_FAILS(pml_series_parse("a,b\n1,2\n", 8, "t.csv", &request, &series, &error), PML_E_CONFIG, &error,
                     "t.csv has no column 'z'; it has 'a', 'b'");
    PML_ASSERT_FAILS(pml_series_parse("a,b\n1,2\n", 8, "t.csv", &doubled, &series, &error), PML_E_CONFIG, &error,
                     "twice");
    /* A wanted column must be numbers from its first row on. */
    static const char *const only_b[] = {"b"};
    const pml_series_request wants_b = {only_b, 1, false};
    PML_ASSERT_FAILS(pml_series_parse("a,b\n1,x\n", 8, "t.csv", &wants_b, &series, &error), PML_E_FORMAT, &error,
                     "line 2, column 'b': 'x' is not a number");
    /* A message lists the first few names, and stays a message however long they are. */
    char text[8192] = "";
    for (int i = 0; i < 12; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%sc%d", i > 0 ? "," : "", i);
    }
    PML_ASSERT_FAILS(pml_series_parse(text, strlen(text), "t.csv", &request, &series, &error), PML_E_CONFIG, &error,
                     "it has 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7' and 4 more");
    for (int i = 0; i < 8; i++) {
        (void)snprintf(text + (size_t)i * 601, sizeof text - (size_t)i * 601, "%0600d,", i);
    }
    PML_ASSERT_FAILS(pml_series_parse(text, strlen(text), "t.csv", &request, &series, &error), PML_E_CONFIG, &error,
                     "t.csv has no column 'a'; it has '0000");
}

static void columns_of_text_are_left_out_wherever_they_stand(void) {
    pml_series *series = parse("city,a,kind,b,rest\n,1,,2,x\n,3,NA,4,y\nOslo,5,z,6,w\n", NULL);
    CU_ASSERT_EQUAL_FATAL(series->n_columns, 2);
    CU_ASSERT_STRING_EQUAL(series->columns[0], "a");
    CU_ASSERT_STRING_EQUAL(series->columns[1], "b");
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(series->values[i], (double)i + 1);
    }
    pml_series_destroy(series);
}

static void a_column_without_any_value_stays(void) {
    pml_series *series = parse("a,b\n1,\n2,NaN\n", NULL);
    CU_ASSERT_EQUAL(series->n_columns, 2);
    CU_ASSERT_TRUE(isnan(series->values[1]) && isnan(series->values[3]));
    pml_series_destroy(series);
}

/* Values in the first line are no names: taking them for names would lose a row without a word. */
static void a_file_without_header_is_refused(void) {
    static const char *const texts[] = {"2016-07-01 00:00:00,1.5,2\n2016-07-01 01:00:00,2.5,3\n", "1.5,2\n3,4\n",
                                        "-1\n2\n", "2016-07-01,1\n2016-07-02,2\n", ",0.5\n0,1\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        pml_series *series = NULL;
        pml_error error = {0};
        PML_ASSERT_FAILS(pml_series_parse(texts[i], strlen(texts[i]), "f.csv", NULL, &series, &error), PML_E_FORMAT,
                         &error, "f.csv, line 1: values where the column names belong");
    }
    static const char *const numbered[] = {"date,0,1\n2016-07-01,1,2\n", "0,1\n5.5,6\n", "x,1.5\n1,2\n"};
    for (size_t i = 0; i < sizeof numbered / sizeof numbered[0]; i++) {
        pml_series *series = parse(numbered[i], NULL);
        CU_ASSERT_EQUAL(series->n_columns, 2);
        pml_series_destroy(series);
    }
}

static void dates_can_be_ignored(void) {
    const pml_series_request request = {NULL, 0, true};
    pml_series *series = parse("date,a\nsoon,1\nlater,2\n", &request);
    CU_ASSERT_PTR_NULL(series->date_column);
    CU_ASSERT_PTR_NULL(series->stamps_us);
    CU_ASSERT_EQUAL(series->n_columns, 1);
    pml_series_destroy(series);
    series = parse("when,a\n2020-01-01,1\nlater,2\n", &request);
    CU_ASSERT_EQUAL(series->n_columns, 1);
    CU_ASSERT_EQUAL(series->values[1], 2);
    pml_series_destroy(series);
}

static void forms_of_dates_are_joined(void) {
    pml_series *series = parse("date,a\n2020-01-01,1\n2020-01-01 06:00:00.5,2\n", NULL);
    CU_ASSERT_TRUE(series->stamp_form.has_time && series->stamp_form.has_seconds);
    CU_ASSERT_EQUAL(series->stamp_form.fraction_digits, 1);
    pml_series_destroy(series);
}

static void reads_the_whole_of_etth1(void) {
    const char *path = pml_test_data("ETT/ETTh1.csv");
    if (path == NULL) {
        pml_test_skip("PML_DATA is not set");
        return;
    }
    pml_series *series = NULL;
    pml_error error = {0};
    pml_step step;
    char name[32];
    PML_ASSERT_OK(pml_series_read(path, NULL, &series, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(series);
    CU_ASSERT_EQUAL(series->n_rows, 17420);
    CU_ASSERT_EQUAL(series->n_columns, 7);
    CU_ASSERT_STRING_EQUAL(series->columns[6], "OT");
    PML_ASSERT_OK(pml_step_find(series->stamps_us, series->n_rows, 0, &step, &error), &error);
    CU_ASSERT_STRING_EQUAL(pml_step_name(&step, name), "h");
    pml_series_destroy(series);
}

PML_TESTS("runtime/series/series", PML_TEST(reads_every_valid_golden), PML_TEST(reads_numbers_and_names),
          PML_TEST(wanted_columns_come_in_their_own_order), PML_TEST(a_wanted_column_named_like_a_date_is_numbers),
          PML_TEST(names_what_is_absent), PML_TEST(columns_of_text_are_left_out_wherever_they_stand),
          PML_TEST(a_column_without_any_value_stays), PML_TEST(dates_can_be_ignored),
          PML_TEST(a_file_without_header_is_refused), PML_TEST(forms_of_dates_are_joined),
          PML_TEST(reads_the_whole_of_etth1))
