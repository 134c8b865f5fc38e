#include "runtime/series/evaluate.h"

#include <math.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/checked.h"
#include "runtime/base/quote.h"
#include "runtime/models/model.h"
#include "runtime/models/window_scaler.h"

/* The state of one evaluation. */
typedef struct evaluator {
    const pml_evaluate_options *options;
    const pml_series *series;
    const char *name;
    size_t n_columns, context_length, horizon;
    size_t first_input_row, n_windows, batch_size;
    size_t n_rows;        /* from first_input_row on: what `scaled` holds */
    double *scaled;       /* [n_rows][C]; NaN = missing; with a model, rounded to float32 */
    float *inputs, *mask; /* [batch][T][C] */
    size_t n_marks, label_length;
    float *marks;                      /* [n_rows][n_marks]; NULL: the model is told none */
    float *past_marks, *decoder_marks; /* [batch][T] and [batch][label_length + S], [n_marks] each */
    const char *input_name, *mask_name;
    const pml_array *output;
    size_t first_scored, end_scored; /* columns whose errors count */
    pml_window_units units;          /* of the windows of a batch */
    double squared, absolute;        /* sums */
    uint64_t n_values;
} evaluator;

static pml_status scale(evaluator *e, bool *fitted, pml_error *error) {
    pml_status status = PML_OK;
    double *own = NULL;
    const double *mean = e->options->mean, *std = e->options->std;
    size_t n_columns = e->n_columns;
    *fitted = mean == NULL;
    if (mean == NULL) {
        PML_TRY(pml_alloc(2 * n_columns, sizeof *own, &own, error));
        PML_TRY(pml_scaler_fit(e->series, e->name, e->options->split.train_end, PML_CONSTANT_SHIFTED, own,
                               own + n_columns, error));
        mean = own;
        std = own + n_columns;
    } else if (e->options->n_scaled != n_columns) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s has %zu columns of numbers, the scaler has %zu", e->name, n_columns,
                         e->options->n_scaled));
    }
    PML_TRY(pml_alloc(e->n_rows * n_columns, sizeof *e->scaled, &e->scaled, error));
    PML_TRY(pml_scaler_apply(e->series, e->name, mean, std, e->first_input_row, e->n_rows, e->options->model != NULL,
                             e->scaled, error));
done:
    pml_free(own);
    return status;
}

/* Finds the rows of the part and how many windows they hold. */
static pml_status place_windows(evaluator *e, pml_evaluation *evaluation, pml_error *error) {
    pml_status status = PML_OK;
    pml_window_rows rows;
    PML_TRY(pml_windows_place(e->series, e->name, &e->options->split, e->options->part, e->context_length, e->horizon,
                              &rows, error));
    e->first_input_row = rows.first_row;
    e->n_rows = rows.end_row - rows.first_row;
    e->n_windows = rows.n_windows;
    if (e->options->drop_last) {
        e->n_windows -= e->n_windows % e->options->batch_size;
        if (e->n_windows == 0) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: fewer windows than a batch of %zu, and the rest is dropped",
                             e->name, e->options->batch_size));
        }
    }
    evaluation->first_row = rows.first_row + e->context_length;
    evaluation->end_row = rows.end_row;
done:
    return status;
}

static pml_status prepare_model(evaluator *e, pml_error *error) {
    pml_status status = PML_OK;
    const pml_schema *schema = pml_model_schema(e->options->model);
    pml_forecast_shape shape;
    PML_TRY(pml_model_forecast_shape(e->options->model, &shape, error));
    if (shape.n_channels != 0 && shape.n_channels != e->n_columns) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s has %zu columns of numbers, the model takes %zu", e->name,
                         e->n_columns, shape.n_channels));
    }
    e->context_length = shape.context_length;
    e->horizon = shape.horizon;
    e->input_name = schema->forecast->input;
    e->mask_name = schema->forecast->observed_mask;
done:
    return status;
}

/* Storage for the inputs of a batch, once the number of windows is known: no batch is larger. */
static pml_status make_room(evaluator *e, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t n_values = 0;
    e->batch_size = e->options->batch_size < e->n_windows ? e->options->batch_size : e->n_windows;
    if (e->options->model == NULL) {
        goto done;
    }
    uint64_t sizes[3] = {e->context_length, e->n_columns, e->batch_size};
    if (!pml_ck_product(sizes, 3, &n_values)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a batch of %zu windows is too large", e->batch_size));
    }
    PML_TRY(pml_alloc(n_values, sizeof *e->inputs, &e->inputs, error));
    PML_TRY(pml_window_units_init(&e->units, e->options->model, e->batch_size, e->context_length, e->n_columns, error));
    if (e->mask_name != NULL) {
        PML_TRY(pml_alloc(n_values, sizeof *e->mask, &e->mask, error));
    }
done:
    return status;
}

/* The marks of every row, and room for those of a batch, where the model is told the dates. */
static pml_status prepare_marks(evaluator *e, pml_error *error) {
    pml_status status = PML_OK;
    const pml_model *model = e->options->model;
    pml_time_marks marks;
    bool is_used;
    if (model == NULL) {
        goto done;
    }
    PML_TRY(pml_time_marks_of(model, &marks, error));
    PML_TRY(pml_series_check_marks(model, &marks, e->series, e->name, e->options->without_marks, &is_used, error));
    if (!is_used) {
        goto done;
    }
    PML_TRY(pml_model_label_length(model, &e->label_length, error));
    if (e->label_length > e->context_length) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "the decoder looks back %zu steps, the model %zu", e->label_length,
                         e->context_length));
    }
    e->n_marks = marks.count;
    const uint64_t past[] = {e->batch_size, e->context_length, e->n_marks};
    const uint64_t decoder[] = {e->batch_size, e->label_length + e->horizon, e->n_marks};
    uint64_t n_past = 0, n_decoder = 0;
    if (!pml_ck_product(past, 3, &n_past) || !pml_ck_product(decoder, 3, &n_decoder)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a batch of %zu windows is too large", e->batch_size));
    }
    PML_TRY(pml_alloc(e->n_rows, e->n_marks * sizeof *e->marks, &e->marks, error));
    PML_TRY(pml_alloc(n_past, sizeof *e->past_marks, &e->past_marks, error));
    PML_TRY(pml_alloc(n_decoder, sizeof *e->decoder_marks, &e->decoder_marks, error));
    pml_time_marks_fill(&marks, e->series->stamps_us + e->first_input_row, e->n_rows, e->marks);
done:
    return status;
}

/* Appends the marks of `count` windows as inputs of the ports that the model has. */
static void gather_marks(const evaluator *e, size_t first, size_t count, pml_array *inputs, size_t *n_inputs) {
    const pml_forecast_spec *spec = pml_model_schema(e->options->model)->forecast;
    const size_t n_decoder = e->label_length + e->horizon, n_before = e->context_length - e->label_length;
    const struct {
        const char *name;
        float *values;
        size_t n_steps, offset;
    } ports[] = {{spec->marks, e->past_marks, e->context_length, 0},
                 {spec->decoder_marks, e->decoder_marks, n_decoder, n_before}};
    for (size_t i = 0; i < 2 && e->marks != NULL; i++) {
        if (ports[i].name == NULL || pml_model_find_input(e->options->model, ports[i].name) == NULL) {
            continue;
        }
        const size_t n_values = ports[i].n_steps * e->n_marks;
        for (size_t w = 0; w < count; w++) {
            memcpy(ports[i].values + w * n_values, e->marks + (first + w + ports[i].offset) * e->n_marks,
                   n_values * sizeof(float));
        }
        inputs[(*n_inputs)++] = (pml_array){
            .name = ports[i].name, .data = ports[i].values, .rank = 3, .shape = {count, ports[i].n_steps, e->n_marks}};
    }
}

static pml_status missing_value(const evaluator *e, size_t i_window, size_t i_value, pml_error *error) {
    pml_quoted quoted;
    return PML_FAIL(error, PML_E_UNSUPPORTED, "%s, row %zu, column %s: the value is missing, and %s needs it", e->name,
                    e->first_input_row + i_window + i_value / e->n_columns,
                    pml_quote(&quoted, e->series->columns[i_value % e->n_columns]),
                    e->options->model != NULL ? "this model" : "repeating it");
}

/* Copies the inputs of `count` windows; *any_missing tells whether the mask is needed. */
static pml_status gather(evaluator *e, size_t first, size_t count, bool *any_missing, pml_error *error) {
    size_t n_input = e->context_length * e->n_columns;
    *any_missing = false;
    for (size_t i = 0; i < count; i++) {
        const double *from = e->scaled + (first + i) * e->n_columns;
        for (size_t j = 0; j < n_input; j++) {
            bool missing = isnan(from[j]);
            if (missing && e->mask_name == NULL) {
                return missing_value(e, first + i, j, error);
            }
            e->inputs[i * n_input + j] = missing ? 0 : (float)from[j];
            if (e->mask_name != NULL) {
                e->mask[i * n_input + j] = missing ? 0 : 1;
            }
            *any_missing = *any_missing || missing;
        }
    }
    return PML_OK;
}

static pml_status find_output(evaluator *e, size_t count, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_model_point_forecast(e->options->model, &e->output, error));
    const size_t *shape = e->output->shape;
    if (e->output->rank != 3 || shape[0] != count || shape[1] != e->horizon || shape[2] != e->n_columns) {
        PML_TRY(
            PML_FAIL(error, PML_E_UNSUPPORTED, "the model's forecast does not cover all %zu columns", e->n_columns));
    }
done:
    return status;
}

static pml_status run_model(evaluator *e, size_t first, size_t count, pml_error *error) {
    pml_status status = PML_OK;
    bool any_missing = false;
    PML_TRY(gather(e, first, count, &any_missing, error));
    for (size_t i = 0; i < count; i++) {
        const size_t at = i * e->context_length * e->n_columns;
        pml_window_scale(&e->units, i, e->context_length, e->inputs + at, any_missing ? e->mask + at : NULL);
    }
    pml_array inputs[4] = {
        {.name = e->input_name, .data = e->inputs, .rank = 3, .shape = {count, e->context_length, e->n_columns}},
        {.name = e->mask_name, .data = e->mask, .rank = 3, .shape = {count, e->context_length, e->n_columns}},
    };
    size_t n_inputs = any_missing ? 2 : 1;
    gather_marks(e, first, count, inputs, &n_inputs);
    PML_TRY(pml_model_run(e->options->model, inputs, n_inputs, error));
    PML_TRY(find_output(e, count, error));
done:
    return status;
}

/* Adds the errors of one window. Each window is summed on its own, so that the batch size does not show in the result.
 */
static pml_status score(evaluator *e, size_t i_window, size_t i_batch, const float *forecast, pml_error *error) {
    const double *last = e->scaled + (i_window + e->context_length - 1) * e->n_columns;
    const double *target = last + e->n_columns;
    double squared = 0, absolute = 0;
    for (size_t j = 0; j < e->horizon * e->n_columns; j++) {
        if (isnan(target[j])) {
            continue;
        }
        const size_t c = j % e->n_columns;
        if (c < e->first_scored || c >= e->end_scored) {
            continue;
        }
        const double foretold =
            forecast != NULL ? pml_window_restore(&e->units, i_batch, c, (double)forecast[j]) : last[c];
        if (isnan(foretold)) {
            return missing_value(e, i_window, (e->context_length - 1) * e->n_columns + c, error);
        }
        double difference = foretold - target[j];
        squared += difference * difference;
        absolute += fabs(difference);
        e->n_values++;
    }
    e->squared += squared;
    e->absolute += absolute;
    return PML_OK;
}

static pml_status run_windows(evaluator *e, pml_error *error) {
    pml_status status = PML_OK;
    size_t n_output = e->horizon * e->n_columns;
    for (size_t first = 0; first < e->n_windows;) {
        size_t count = e->n_windows - first < e->batch_size ? e->n_windows - first : e->batch_size;
        PML_TRY(pml_cancel_check(error));
        if (e->options->model != NULL) {
            PML_TRY(run_model(e, first, count, error));
        }
        for (size_t i = 0; i < count; i++) {
            PML_TRY(score(e, first + i, i, e->options->model != NULL ? e->output->data + i * n_output : NULL, error));
        }
        first += count;
        if (e->options->progress != NULL) {
            e->options->progress(e->options->user, first, e->n_windows);
        }
    }
    if (e->n_values == 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: every value to be foretold is missing", e->name));
    }
done:
    return status;
}

static pml_status find_scored(evaluator *e, pml_error *error) {
    const char *name = e->options->scored;
    e->first_scored = 0;
    e->end_scored = e->n_columns;
    for (size_t c = 0; name != NULL && c < e->n_columns; c++) {
        if (strcmp(e->series->columns[c], name) == 0) {
            e->first_scored = c;
            e->end_scored = c + 1;
            return PML_OK;
        }
    }
    pml_quoted quoted;
    return name == NULL
               ? PML_OK
               : PML_FAIL(error, PML_E_FORMAT, "%s has no column %s of numbers", e->name, pml_quote(&quoted, name));
}

pml_status pml_evaluation_run(const pml_series *series, const char *series_name, const pml_evaluate_options *options,
                              pml_evaluation *evaluation, pml_error *error) {
    pml_status status = PML_OK;
    pml_evaluation made = {0};
    evaluator e = {.options = options,
                   .series = series,
                   .name = series_name,
                   .n_columns = series->n_columns,
                   .context_length = options->context_length,
                   .horizon = options->horizon};
    if (options->batch_size == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the batch size must be at least 1"));
    }
    if (options->model != NULL) {
        PML_TRY(prepare_model(&e, error));
    }
    PML_TRY(find_scored(&e, error));
    PML_TRY(place_windows(&e, &made, error));
    PML_TRY(make_room(&e, error));
    PML_TRY(prepare_marks(&e, error));
    PML_TRY(scale(&e, &made.fitted_scaler, error));
    PML_TRY(run_windows(&e, error));
    made.windows = e.n_windows;
    made.n_values = e.n_values;
    made.mse = e.squared / (double)e.n_values;
    made.mae = e.absolute / (double)e.n_values;
    if (!isfinite(made.mse) || !isfinite(made.mae)) {
        PML_TRY(PML_FAIL(error, PML_E_NUMERIC, "%s: the error is not finite", series_name));
    }
    *evaluation = made;
done:
    pml_window_units_deinit(&e.units);
    pml_free(e.scaled);
    pml_free(e.inputs);
    pml_free(e.mask);
    pml_free(e.marks);
    pml_free(e.past_marks);
    pml_free(e.decoder_marks);
    return status;
}
