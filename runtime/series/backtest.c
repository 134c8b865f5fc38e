#include "runtime/series/backtest.h"

#include <math.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/checked.h"
#include "runtime/models/series_metadata.h"

static pml_status check_rows(const pml_backtest_options *o, const pml_series *series, const char *name,
                             const pml_forecast_shape *shape, size_t *n_windows, pml_error *error) {
    if (o->stride == 0) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the stride must be at least 1");
    }
    if (o->end_row > series->n_rows || o->first_row < shape->context_length || o->first_row > o->end_row) {
        return PML_FAIL(error, PML_E_ARGUMENT,
                        "rows %zu to %zu cannot be foretold: with a look-back of %zu, %s allows rows %zu to %zu",
                        o->first_row, o->end_row, shape->context_length, name, shape->context_length, series->n_rows);
    }
    if (o->end_row - o->first_row < shape->horizon) {
        return PML_FAIL(error, PML_E_FORMAT, "%s: rows %zu to %zu hold no forecast of %zu steps", name, o->first_row,
                        o->end_row, shape->horizon);
    }
    *n_windows = (o->end_row - o->first_row - shape->horizon) / o->stride + 1;
    return PML_OK;
}

/* Adds the errors of one forecast. */
static void add_errors(pml_backtest *b, const pml_series *series, const pml_series_forecast *forecast,
                       const pml_series_state *scaler) {
    const double *actual = series->values + forecast->start_row * b->n_columns;
    for (size_t i = 0; i < b->n_steps * b->n_columns; i++) {
        const size_t c = i % b->n_columns;
        const double truth = scaler->mean != NULL ? (actual[i] - scaler->mean[c]) / scaler->std[c] : actual[i];
        if (!isnan(truth)) {
            const double difference = forecast->values[i] - truth;
            b->squared[i] += difference * difference;
            b->absolute[i] += fabs(difference);
            b->counts[i]++;
        }
    }
}

pml_status pml_backtest_run(const pml_series *series, const char *series_name, const pml_backtest_options *options,
                            pml_backtest *backtest, pml_error *error) {
    pml_status status = PML_OK;
    pml_forecast_shape shape;
    pml_series_state scaler = {.mean = NULL};
    pml_backtest made = {.n_columns = series->n_columns};
    pml_series_forecast forecast = {0};
    uint64_t n_values = 0;
    PML_TRY(pml_model_forecast_shape(options->model, &shape, error));
    PML_TRY(check_rows(options, series, series_name, &shape, &made.n_windows, error));
    made.n_steps = shape.horizon;
    if (options->scaled) {
        PML_TRY(pml_series_state_get(pml_model_metadata(options->model), &scaler, error));
    }
    if (!pml_ck_mul(made.n_steps, made.n_columns, &n_values)) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%zu steps of %zu columns", made.n_steps, made.n_columns));
    }
    PML_TRY(pml_alloc(n_values, sizeof *made.squared, &made.squared, error));
    PML_TRY(pml_alloc(n_values, sizeof *made.absolute, &made.absolute, error));
    PML_TRY(pml_alloc(n_values, sizeof *made.counts, &made.counts, error));
    for (size_t i = 0; i < made.n_windows; i++) {
        const pml_series_forecast_options how = {.start_row = options->first_row + i * options->stride,
                                                 .scaled = options->scaled,
                                                 .without_marks = options->without_marks};
        PML_TRY(pml_cancel_check(error));
        PML_TRY(pml_series_forecast_run(options->model, series, series_name, &how, &forecast, error));
        add_errors(&made, series, &forecast, &scaler);
        pml_series_forecast_deinit(&forecast);
        if (options->progress != NULL) {
            options->progress(options->user, i + 1, made.n_windows);
        }
    }
    if (pml_backtest_error_of(&made, PML_BACKTEST_ALL, PML_BACKTEST_ALL).count == 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: every value to be foretold is missing", series_name));
    }
    *backtest = made;
    made = (pml_backtest){0};
done:
    pml_series_forecast_deinit(&forecast);
    pml_backtest_deinit(&made);
    return status;
}

void pml_backtest_deinit(pml_backtest *backtest) {
    pml_free(backtest->squared);
    pml_free(backtest->absolute);
    pml_free(backtest->counts);
    *backtest = (pml_backtest){0};
}

pml_backtest_error pml_backtest_error_of(const pml_backtest *backtest, size_t i_step, size_t i_column) {
    const size_t n_columns = backtest->n_columns;
    const size_t first_step = i_step == PML_BACKTEST_ALL ? 0 : i_step,
                 end_step = i_step == PML_BACKTEST_ALL ? backtest->n_steps : i_step + 1;
    const size_t first = i_column == PML_BACKTEST_ALL ? 0 : i_column,
                 end = i_column == PML_BACKTEST_ALL ? n_columns : i_column + 1;
    pml_backtest_error sum = {0};
    for (size_t s = first_step; s < end_step; s++) {
        for (size_t c = first; c < end; c++) {
            sum.mse += backtest->squared[s * n_columns + c];
            sum.mae += backtest->absolute[s * n_columns + c];
            sum.count += backtest->counts[s * n_columns + c];
        }
    }
    sum.mse /= (double)sum.count; /* NaN of none */
    sum.mae /= (double)sum.count;
    return sum;
}
