#include "runtime/train/data/series_windows.h"

#include <math.h>
#include <string.h>

#include "runtime/train/data/loader.h"
#include "tests/harness.h"

static pml_series *parse(const char *text) {
    pml_series *series = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_series_parse(text, strlen(text), "s.csv", NULL, &series, &error), &error);
    return series;
}

static bool same(const float *values, const float *expected, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)values[i] - (double)expected[i]) <= 2e-7 * (1 + fabs((double)expected[i])))) {
            return false;
        }
    }
    return true;
}

/* Against windows that numpy cut (scripts/make_window_oracle.py). */
static void windows_are_those_of_research_code(void) {
    enum { T = 5, LABEL = 2, S = 3, MARKS = 4 };
    static const size_t n_channels[] = {3, 1, 3}, n_targets[] = {3, 1, 1}, n_windows[] = {17, 6, 6};
    size_t size_bytes = 0, used = 0;
    pml_series *series = NULL;
    pml_error error = {0};
    unsigned char *bytes = pml_test_read_file(pml_test_golden("windows/expected.f32"), &size_bytes);
    const float *expected = (const float *)(const void *)bytes;
    PML_ASSERT_OK(pml_series_read(pml_test_golden("windows/series.csv"), NULL, &series, &error), &error);
    pml_windows_options options = {.context_length = T,
                                   .horizon = S,
                                   .label_length = LABEL,
                                   .has_label = true,
                                   .split = {24, 32, 40},
                                   .target = "OT"};
    PML_ASSERT_OK(pml_time_marks_choose("timeF", "h", &options.marks, &error), &error);
    for (options.channels = PML_WINDOWS_M; options.channels <= PML_WINDOWS_MS; options.channels++) {
        const size_t c = n_channels[options.channels], k = n_targets[options.channels];
        for (options.part = PML_PART_TRAIN; options.part <= PML_PART_TEST; options.part++) {
            pml_dataset *dataset = NULL;
            PML_ASSERT_OK(pml_series_windows_create(series, "s.csv", &options, &dataset, &error), &error);
            CU_ASSERT_EQUAL_FATAL(dataset->n_samples, n_windows[options.part]);
            CU_ASSERT_EQUAL_FATAL(dataset->n_fields, 4);
            for (size_t i = 0; i < dataset->n_samples; i++) {
                float x[T * 3], marks[T * MARKS], decoder[(LABEL + S) * MARKS], y[(LABEL + S) * 3];
                void *const values[] = {x, marks, decoder, y};
                const size_t counts[] = {T * c, T * MARKS, (LABEL + S) * MARKS, (LABEL + S) * k};
                PML_ASSERT_OK(pml_dataset_fetch(dataset, i, &(pml_data_key){0}, values, &(size_t){0}, &error), &error);
                for (size_t f = 0; f < 4; f++) {
                    size_t count = 0;
                    PML_ASSERT_OK(pml_data_field_count(&dataset->fields[f], &count, &error), &error);
                    CU_ASSERT_EQUAL(count, counts[f]);
                    CU_ASSERT_FATAL((used + count) * sizeof(float) <= size_bytes);
                    CU_ASSERT_TRUE(same(values[f], expected + used, count));
                    used += count;
                }
            }
            PML_ASSERT_FAILS(pml_dataset_fetch(dataset, dataset->n_samples, &(pml_data_key){0}, (void *[4]){0},
                                               &(size_t){0}, &error),
                             PML_E_ARGUMENT, &error, "no sample");
            pml_dataset_destroy(dataset);
        }
    }
    CU_ASSERT_EQUAL(used * sizeof(float), size_bytes);
    pml_series_destroy(series);
    free(bytes);
}

/* The scaler and the windows of the papers' first data set, through a loader. */
static void etth1(void) {
    static const double mean[] = {7.937742, 2.021039, 5.079771, 0.746186, 2.781762, 0.788453, 17.128262};
    static const double std[] = {5.812749, 2.090105, 5.518794, 1.926379, 1.023523, 0.630237, 9.176491};
    static const size_t n_windows[] = {8449, 2785, 2785};
    const char *path = pml_test_data("ETT/ETTh1.csv");
    if (path == NULL) {
        pml_test_skip("PML_DATA is not set");
        return;
    }
    pml_series *series = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_series_read(path, NULL, &series, &error), &error);
    pml_windows_options options = {.context_length = 96, .horizon = 96};
    PML_ASSERT_OK(pml_split_parse("ett-hour", series->n_rows, &options.split, &error), &error);
    PML_ASSERT_OK(pml_time_marks_choose("timeF", "h", &options.marks, &error), &error);
    for (options.part = PML_PART_TRAIN; options.part <= PML_PART_TEST; options.part++) {
        pml_dataset *dataset = NULL;
        PML_ASSERT_OK(pml_series_windows_create(series, path, &options, &dataset, &error), &error);
        CU_ASSERT_EQUAL(dataset->n_samples, n_windows[options.part]);
        const pml_windows_scale scale = pml_series_windows_scale(dataset);
        CU_ASSERT_EQUAL_FATAL(scale.n_channels, 7);
        CU_ASSERT_STRING_EQUAL(scale.columns[6], "OT");
        for (size_t c = 0; c < 7; c++) {
            CU_ASSERT_DOUBLE_EQUAL(scale.mean[c], mean[c], 6e-7);
            CU_ASSERT_DOUBLE_EQUAL(scale.std[c], std[c], 6e-7);
        }
        pml_loader *loader = NULL;
        const pml_batch *batch = NULL;
        PML_ASSERT_OK(pml_loader_create(dataset,
                                        &(pml_loader_options){.batch_size = 32, .shuffle = true, .n_prefetch = 2},
                                        &loader, &error),
                      &error);
        PML_ASSERT_OK(pml_loader_next(loader, &batch, &error), &error);
        const float *x = pml_batch_find(batch, "past_values")->data, *y = pml_batch_find(batch, "future_values")->data;
        for (size_t b = 0; b < 32; b++) {
            const double *row = series->values + (scale.rows.first_row + batch->samples[b]) * 7;
            for (size_t j = 0; j < 96 * 7; j++) {
                const size_t c = j % 7;
                CU_ASSERT_EQUAL(x[b * 96 * 7 + j], (float)((row[j] - scale.mean[c]) / scale.std[c]));
                CU_ASSERT_EQUAL(y[b * 96 * 7 + j], (float)((row[96 * 7 + j] - scale.mean[c]) / scale.std[c]));
            }
        }
        pml_loader_destroy(loader);
        pml_dataset_destroy(dataset);
    }
    pml_series_destroy(series);
}

static void missing_values_are_masked_where_that_is_allowed(void) {
    pml_series *series = parse("date,a,b\n2020-01-01,1,7\n2020-01-02,NA,8\n2020-01-03,3,\n2020-01-04,5,9\n");
    const double mean[] = {0, 0}, std[] = {1, 2};
    pml_windows_options options = {.context_length = 2,
                                   .horizon = 1,
                                   .split = {4, 4, 4},
                                   .mean = mean,
                                   .std = std,
                                   .n_scaled = 2,
                                   .allows_missing = true};
    pml_dataset *dataset = NULL;
    pml_error error = {0};
    PML_ASSERT_OK(pml_series_windows_create(series, "s.csv", &options, &dataset, &error), &error);
    CU_ASSERT_EQUAL_FATAL(dataset->n_fields, 4);
    CU_ASSERT_PTR_NOT_NULL(pml_dataset_field(dataset, PML_FIELD_OBSERVED));
    float x[4], observed[4], y[2], y_observed[2];
    void *const values[] = {x, observed, y, y_observed};
    PML_ASSERT_OK(pml_dataset_fetch(dataset, 0, &(pml_data_key){0}, values, &(size_t){0}, &error), &error);
    CU_ASSERT_TRUE(x[0] == 1 && x[1] == 3.5f && x[2] == 0 && x[3] == 4);
    CU_ASSERT_TRUE(observed[0] == 1 && observed[1] == 1 && observed[2] == 0 && observed[3] == 1);
    CU_ASSERT_TRUE(y[0] == 3 && y[1] == 0 && y_observed[0] == 1 && y_observed[1] == 0);
    pml_dataset_destroy(dataset);
    options.allows_missing = false;
    PML_ASSERT_FAILS(pml_series_windows_create(series, "s.csv", &options, &dataset, &error), PML_E_FORMAT, &error,
                     "s.csv, line 3, column 'a': the value is missing");
    options.channels = PML_WINDOWS_S;
    PML_ASSERT_FAILS(pml_series_windows_create(series, "s.csv", &options, &dataset, &error), PML_E_FORMAT, &error,
                     "s.csv, line 4, column 'b': the value is missing");
    pml_series_destroy(series);
    /* Blank lines do not mislead the message. */
    series = parse("a\n1\n\n2\n\n\nnan\n4\n");
    options = (pml_windows_options){.context_length = 1, .horizon = 1, .split = {4, 4, 4}};
    PML_ASSERT_FAILS(pml_series_windows_create(series, "s.csv", &options, &dataset, &error), PML_E_FORMAT, &error,
                     "s.csv, line 7, column 'a': the value is missing");
    pml_series_destroy(series);
}

/* Faults that the text of a file shows: each with file, line and column where it has them. */
static void spoilt_files_are_named(void) {
    static const char *const wanted[] = {"a", "load"};
    static const struct {
        const char *text, *part;
        pml_status status;
        bool by_name;
    } rows[] = {
        {"", "s.csv: no header row; the file is empty", PML_E_FORMAT, false},
        {"date,a\n", "s.csv: no rows below the header", PML_E_FORMAT, false},
        {"date,a\n2020-01-01,1\n", "s.csv has no column 'load'; it has 'date', 'a'", PML_E_CONFIG, true},
        {"date,a\n2020-01-01,1\n2020-01-02,x1\n", "s.csv, line 3, column 'a': 'x1' is not a number", PML_E_FORMAT,
         false},
        {"date,a\n2020-01-01,1\n2020-13-02,2\n", "s.csv, line 3, column 'date': '2020-13-02' is not a date",
         PML_E_FORMAT, false},
        {"date,a\n2020-01-01,1\n2020-01-02\n", "s.csv, line 3: 1 field where the header has 2", PML_E_FORMAT, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const pml_series_request request = {rows[i].by_name ? wanted : NULL, rows[i].by_name ? 2 : 0, false};
        pml_series *series = NULL;
        pml_error error = {0};
        PML_ASSERT_FAILS(pml_series_parse(rows[i].text, strlen(rows[i].text), "s.csv", &request, &series, &error),
                         rows[i].status, &error, rows[i].part);
        pml_series_destroy(series);
    }
}

/* Faults that only windows show. */
static void what_cannot_be_trained_on_is_an_error(void) {
    static const char text[] = "date,a,still\n2020-01-01,1,0.1\n2020-01-02,2,0.1\n2020-01-03,4,0.1\n"
                               "2020-01-05,3,0.1\n2020-01-06,9,0.2\n";
    pml_series *series = parse(text);
    const pml_windows_options good = {
        .context_length = 1, .horizon = 1, .split = {4, 5, 5}, .channels = PML_WINDOWS_S, .target = "a"};
    pml_dataset *dataset = NULL;
    pml_error error = {0};
    pml_windows_options o = good;
    PML_ASSERT_OK(pml_series_windows_create(series, "s.csv", &o, &dataset, &error), &error);
    pml_dataset_destroy(dataset);
    o.channels = PML_WINDOWS_M;
    PML_ASSERT_FAILS(pml_series_windows_create(series, "s.csv", &o, &dataset, &error), PML_E_FORMAT, &error,
                     "s.csv, column 'still': 0.1 in all 4 train rows");
    CU_ASSERT_PTR_NULL(dataset);
    o.allows_constant = true;
    PML_ASSERT_OK(pml_series_windows_create(series, "s.csv", &o, &dataset, &error), &error);
    CU_ASSERT_EQUAL(pml_series_windows_scale(dataset).std[1], 1);
    pml_dataset_destroy(dataset);
    o = good;
    o.target = "b";
    PML_ASSERT_FAILS(pml_series_windows_create(series, "s.csv", &o, &dataset, &error), PML_E_CONFIG, &error,
                     "s.csv has no column 'b'");
    o = good;
    o.context_length = 4;
    PML_ASSERT_FAILS(pml_series_windows_create(series, "s.csv", &o, &dataset, &error), PML_E_FORMAT, &error,
                     "s.csv: rows 0 to 4 hold no window of 4 + 1 rows");
    o = good;
    o.label_length = 2;
    PML_ASSERT_FAILS(pml_series_windows_create(series, "s.csv", &o, &dataset, &error), PML_E_ARGUMENT, &error,
                     "the decoder looks back 2 steps");
    o = good;
    PML_ASSERT_OK(pml_time_marks_choose("timeF", "d", &o.marks, &error), &error);
    PML_ASSERT_FAILS(pml_series_windows_create(series, "s.csv", &o, &dataset, &error), PML_E_FORMAT, &error,
                     "s.csv, column 'date': row 3: date 2020-01-05 00:00:00 follows 2020-01-03");
    o.allows_gaps = true;
    PML_ASSERT_OK(pml_series_windows_create(series, "s.csv", &o, &dataset, &error), &error);
    pml_dataset_destroy(dataset);
    o = good;
    const double mean[] = {0}, std[] = {0};
    o.mean = mean;
    o.std = std;
    o.n_scaled = 1;
    PML_ASSERT_FAILS(pml_series_windows_create(series, "s.csv", &o, &dataset, &error), PML_E_ARGUMENT, &error,
                     "no scale of column 'a'");
    pml_series_destroy(series);
    series = parse("a\n1\n2\n3\n4\n5\n");
    o = good;
    PML_ASSERT_OK(pml_time_marks_choose("timeF", "d", &o.marks, &error), &error);
    PML_ASSERT_FAILS(pml_series_windows_create(series, "s.csv", &o, &dataset, &error), PML_E_FORMAT, &error,
                     "s.csv has no date column");
    pml_series_destroy(series);
    pml_split split;
    PML_ASSERT_FAILS(pml_split_parse("ett-hour", 14399, &split, &error), PML_E_FORMAT, &error,
                     "needs 14400 rows, there are 14399");
}

static void memory_may_run_out_anywhere(void) {
    pml_series *series = parse("date,a,b\n2020-01-01,1,2\n2020-01-02,2,4\n2020-01-03,4,3\n");
    pml_windows_options options = {.context_length = 1, .horizon = 1, .split = {3, 3, 3}};
    pml_error error = {0};
    PML_ASSERT_OK(pml_time_marks_choose("timeF", "d", &options.marks, &error), &error);
    for (unsigned long n = 1;; n++) {
        pml_dataset *dataset = NULL;
        pml_test_fail_allocation(n, false);
        const pml_status status = pml_series_windows_create(series, "s.csv", &options, &dataset, &error);
        pml_test_fail_allocation(0, false);
        if (status == PML_OK) {
            CU_ASSERT_TRUE(n > 6);
            pml_dataset_destroy(dataset);
            break;
        }
        CU_ASSERT_EQUAL(status, PML_E_MEMORY);
        CU_ASSERT_PTR_NULL(dataset);
    }
    pml_series_destroy(series);
}

PML_TESTS("runtime/train/data/series_windows", PML_TEST(windows_are_those_of_research_code), PML_TEST(etth1),
          PML_TEST(missing_values_are_masked_where_that_is_allowed), PML_TEST(spoilt_files_are_named),
          PML_TEST(what_cannot_be_trained_on_is_an_error), PML_TEST(memory_may_run_out_anywhere))
