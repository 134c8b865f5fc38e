#include "runtime/train/data/series_windows.h"

#include <math.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/schema/series_ports.h"

typedef enum window_field {
    FIELD_PAST,
    FIELD_PAST_OBSERVED,
    FIELD_MARKS,
    FIELD_DECODER_MARKS,
    FIELD_FUTURE,
    FIELD_FUTURE_OBSERVED
} window_field;

typedef struct series_windows {
    pml_dataset dataset;
    window_field kinds[PML_MAX_DATA_FIELDS];
    size_t context_length, n_before; /* n_before: steps of the look-back that future fields begin with */
    size_t n_channels, first_target; /* targets are the channels from that one on */
    size_t n_marks, label_length;
    bool has_missing;
    pml_window_rows rows;
    float *values; /* [n_rows][n_channels]; NaN = missing */
    float *marks;  /* [n_rows][n_marks] */
    char **columns;
    double *mean, *std;
} series_windows;

/* ---- fetching ---- */
static void copy_values(const series_windows *w, size_t first_row, const pml_data_field *field, size_t first_channel,
                        float *values) {
    const size_t n_steps = field->shape[0], n = field->shape[1];
    const float *from = w->values + first_row * w->n_channels + first_channel;
    for (size_t t = 0; t < n_steps; t++) {
        memcpy(values + t * n, from + t * w->n_channels, n * sizeof *values);
    }
}

/* Of copied values: missing ones become 0, or all of them what was observed. */
static void treat_missing(const pml_data_field *field, bool as_mask, float *values) {
    for (size_t i = 0; i < field->shape[0] * field->shape[1]; i++) {
        const bool is_missing = isnan(values[i]);
        values[i] = is_missing ? 0 : as_mask ? 1 : values[i];
    }
}

static pml_status fetch(const pml_dataset *dataset, size_t i_sample, const pml_data_key *key, void *const *values,
                        size_t *length, pml_error *error) {
    const series_windows *w = (const series_windows *)dataset;
    const size_t future = i_sample + w->context_length - w->n_before;
    const size_t decoder = i_sample + w->context_length - w->label_length;
    (void)key, (void)length, (void)error;
    for (size_t f = 0; f < dataset->n_fields; f++) {
        const pml_data_field *field = &dataset->fields[f];
        const bool as_mask = w->kinds[f] == FIELD_PAST_OBSERVED || w->kinds[f] == FIELD_FUTURE_OBSERVED;
        switch (w->kinds[f]) {
        case FIELD_PAST:
        case FIELD_PAST_OBSERVED:
            copy_values(w, i_sample, field, 0, values[f]);
            break;
        case FIELD_FUTURE:
        case FIELD_FUTURE_OBSERVED:
            copy_values(w, future, field, w->first_target, values[f]);
            break;
        case FIELD_MARKS:
        case FIELD_DECODER_MARKS:
            memcpy(values[f], w->marks + (w->kinds[f] == FIELD_MARKS ? i_sample : decoder) * w->n_marks,
                   field->shape[0] * w->n_marks * sizeof *w->marks);
            break;
        }
        if (as_mask || (w->has_missing && w->kinds[f] != FIELD_MARKS && w->kinds[f] != FIELD_DECODER_MARKS)) {
            treat_missing(field, as_mask, values[f]);
        }
    }
    return PML_OK;
}

static void destroy(pml_dataset *dataset) {
    series_windows *w = (series_windows *)dataset;
    for (size_t c = 0; w->columns != NULL && c < w->n_channels; c++) {
        pml_free(w->columns[c]);
    }
    pml_free(w->columns);
    pml_free(w->mean);
    pml_free(w->std);
    pml_free(w->values);
    pml_free(w->marks);
    pml_free(w);
}

/* ---- making ---- */
static pml_status find_target(const pml_series *series, const char *name, const char *target, size_t *i_column,
                              pml_error *error) {
    pml_quoted quoted;
    *i_column = series->n_columns - 1;
    for (size_t c = 0; target != NULL && c < series->n_columns; c++) {
        if (strcmp(series->columns[c], target) == 0) {
            *i_column = c;
            return PML_OK;
        }
    }
    return target == NULL
               ? PML_OK
               : PML_FAIL(error, PML_E_CONFIG, "%s has no column %s to be foretold", name, pml_quote(&quoted, target));
}

/* Which column each channel is: `columns` [n_channels]. */
static pml_status choose_channels(series_windows *w, const pml_series *series, const char *name,
                                  const pml_windows_options *options, size_t **columns, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_target = series->n_columns - 1, n = 0;
    if (options->channels != PML_WINDOWS_M) {
        PML_TRY(find_target(series, name, options->target, &i_target, error));
    }
    PML_TRY(pml_alloc(series->n_columns, sizeof **columns, columns, error));
    for (size_t c = 0; options->channels != PML_WINDOWS_S && c < series->n_columns; c++) {
        if (options->channels == PML_WINDOWS_M || c != i_target) {
            (*columns)[n++] = c;
        }
    }
    if (options->channels != PML_WINDOWS_M) {
        (*columns)[n++] = i_target;
    }
    w->n_channels = n;
    w->first_target = options->channels == PML_WINDOWS_MS ? n - 1 : 0;
    PML_TRY(pml_alloc(n, sizeof *w->columns, &w->columns, error));
    for (size_t c = 0; c < n; c++) {
        const char *column = series->columns[(*columns)[c]];
        PML_TRY(pml_string_copy(column, strlen(column), &w->columns[c], error));
    }
done:
    return status;
}

/* The rows of the split with the channels in the place of the columns; the values are the caller's (pml_free). */
static pml_status select_channels(const series_windows *w, const pml_series *series, const size_t *columns,
                                  pml_series *selected, pml_error *error) {
    *selected = *series;
    selected->n_columns = w->n_channels;
    selected->columns = w->columns;
    selected->values = NULL;
    pml_status status = pml_alloc(series->n_rows * w->n_channels, sizeof *selected->values, &selected->values, error);
    for (size_t i = 0; status == PML_OK && i < series->n_rows; i++) {
        for (size_t c = 0; c < w->n_channels; c++) {
            selected->values[i * w->n_channels + c] = series->values[i * series->n_columns + columns[c]];
        }
    }
    return status;
}

static pml_status make_scaler(series_windows *w, const pml_series *selected, const char *name, const size_t *columns,
                              const pml_windows_options *options, pml_error *error) {
    pml_status status = PML_OK;
    const bool is_given = options->mean != NULL && !options->without_scaler;
    PML_TRY(pml_alloc(w->n_channels, sizeof *w->mean, &w->mean, error));
    PML_TRY(pml_alloc(w->n_channels, sizeof *w->std, &w->std, error));
    if (!is_given && !options->without_scaler) {
        PML_TRY(pml_scaler_fit(selected, name, options->split.train_end,
                               options->allows_constant ? PML_CONSTANT_SHIFTED : PML_CONSTANT_REFUSED, w->mean, w->std,
                               error));
        goto done;
    }
    for (size_t c = 0; c < w->n_channels; c++) {
        if (is_given && (columns[c] >= options->n_scaled || !(options->std[columns[c]] > 0))) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s: the scaler has no scale of column '%s'", name, w->columns[c]));
        }
        w->mean[c] = is_given ? options->mean[columns[c]] : 0;
        w->std[c] = is_given ? options->std[columns[c]] : 1;
    }
done:
    return status;
}

/* The part's rows on the scale, row by row, so that they do not exist twice. */
static pml_status scale_rows(series_windows *w, const pml_series *selected, const char *name, bool allows_missing,
                             pml_error *error) {
    pml_status status = PML_OK;
    double *row = NULL;
    const size_t n_rows = w->rows.end_row - w->rows.first_row;
    PML_TRY(pml_alloc(w->n_channels, sizeof *row, &row, error));
    PML_TRY(pml_alloc(n_rows * w->n_channels, sizeof *w->values, &w->values, error));
    for (size_t i = 0; i < n_rows; i++) {
        const size_t i_row = w->rows.first_row + i;
        PML_TRY(pml_scaler_apply(selected, name, w->mean, w->std, i_row, 1, true, row, error));
        for (size_t c = 0; c < w->n_channels; c++) {
            if (isnan(row[c]) && !allows_missing) {
                pml_quoted quoted;
                PML_TRY(PML_FAIL(error, PML_E_FORMAT,
                                 "%s, line %llu, column %s: the value is missing, and training needs it: the model "
                                 "has no mask of what was observed",
                                 name, pml_series_line(selected, i_row), pml_quote(&quoted, w->columns[c])));
            }
            w->values[i * w->n_channels + c] = (float)row[c];
            w->has_missing = w->has_missing || isnan(row[c]);
        }
    }
done:
    pml_free(row);
    return status;
}

static pml_status make_marks(series_windows *w, const pml_series *series, const char *name,
                             const pml_windows_options *options, pml_error *error) {
    pml_status status = PML_OK;
    const size_t first_row = w->rows.first_row, n_rows = w->rows.end_row - first_row;
    pml_step step;
    if (options->marks.count == 0) {
        goto done;
    }
    if (series->stamps_us == NULL) {
        PML_TRY(
            PML_FAIL(error, PML_E_FORMAT, "%s has no date column, and the model is told the date of every step", name));
    }
    if (!options->allows_gaps) {
        status = pml_step_find(series->stamps_us + first_row, n_rows, first_row, &step, error);
        if (status != PML_OK) {
            PML_TRY(pml_error_prefix(error, status, "%s, column '%s'", name, series->date_column));
        }
    }
    w->n_marks = options->marks.count;
    PML_TRY(pml_alloc(n_rows * w->n_marks, sizeof *w->marks, &w->marks, error));
    pml_time_marks_fill(&options->marks, series->stamps_us + first_row, n_rows, w->marks);
done:
    return status;
}

static void add_field(series_windows *w, window_field kind, const char *name, size_t n_steps, size_t n) {
    const size_t f = w->dataset.n_fields++;
    w->kinds[f] = kind;
    w->dataset.fields[f] = (pml_data_field){.name = name, .dtype = PML_DTYPE_F32, .rank = 2, .shape = {n_steps, n}};
}

static void describe(series_windows *w, const pml_windows_options *options) {
    const size_t n_future = w->n_before + options->horizon, n_targets = w->n_channels - w->first_target;
    w->dataset.n_samples = w->rows.n_windows;
    add_field(w, FIELD_PAST, PML_PORT_VALUES, w->context_length, w->n_channels);
    if (options->allows_missing) {
        add_field(w, FIELD_PAST_OBSERVED, PML_FIELD_OBSERVED, w->context_length, w->n_channels);
    }
    if (w->n_marks > 0) {
        add_field(w, FIELD_MARKS, PML_PORT_MARKS, w->context_length, w->n_marks);
        add_field(w, FIELD_DECODER_MARKS, PML_PORT_DECODER_MARKS, w->label_length + options->horizon, w->n_marks);
    }
    if (!options->without_future) {
        add_field(w, FIELD_FUTURE, PML_FIELD_FUTURE, n_future, n_targets);
        if (options->allows_missing) {
            add_field(w, FIELD_FUTURE_OBSERVED, PML_FIELD_FUTURE_OBSERVED, n_future, n_targets);
        }
    }
    const size_t n_rows = w->rows.end_row - w->rows.first_row;
    const size_t sizes[] = {w->context_length, options->horizon, w->label_length, w->n_before, w->first_target};
    uint64_t digest = XXH3_64bits(w->values, n_rows * w->n_channels * sizeof *w->values);
    digest = XXH3_64bits_withSeed(w->marks, n_rows * w->n_marks * sizeof *w->marks, digest);
    w->dataset.digest = XXH3_64bits_withSeed(sizes, sizeof sizes, digest);
}

pml_status pml_series_windows_create(const pml_series *series, const char *name, const pml_windows_options *options,
                                     pml_dataset **dataset, pml_error *error) {
    static const pml_dataset_type type = {fetch, destroy};
    pml_status status = PML_OK;
    series_windows *made = NULL;
    size_t *columns = NULL;
    pml_series selected = {.values = NULL};
    *dataset = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->dataset.type = &type;
    made->context_length = options->context_length;
    made->label_length = options->label_length;
    made->n_before = options->has_label ? options->label_length : 0;
    PML_TRY(pml_windows_place(series, name, &options->split, options->part, options->context_length, options->horizon,
                              &made->rows, error));
    if (options->label_length > options->context_length) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the decoder looks back %zu steps, the model %zu",
                         options->label_length, options->context_length));
    }
    PML_TRY(choose_channels(made, series, name, options, &columns, error));
    PML_TRY(select_channels(made, series, columns, &selected, error));
    PML_TRY(make_scaler(made, &selected, name, columns, options, error));
    PML_TRY(scale_rows(made, &selected, name, options->allows_missing, error));
    PML_TRY(make_marks(made, series, name, options, error));
    describe(made, options);
    *dataset = &made->dataset;
    made = NULL;
done:
    pml_free(columns);
    pml_free(selected.values);
    pml_dataset_destroy(made != NULL ? &made->dataset : NULL);
    return status;
}

pml_windows_scale pml_series_windows_scale(const pml_dataset *dataset) {
    const series_windows *w = (const series_windows *)dataset;
    return (pml_windows_scale){w->n_channels, (const char *const *)w->columns, w->mean, w->std, w->rows};
}
