#include "runtime/series/series_forecast.h"

#include <float.h>
#include <math.h>

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/base/quote.h"
#include "runtime/models/model.h"
#include "runtime/models/quantiles.h"

static pml_status check_range(const pml_series *series, const char *name, size_t start_row,
                              const pml_forecast_shape *shape, pml_error *error) {
    if (shape->n_channels != 0 && series->n_columns != shape->n_channels) {
        return PML_FAIL(error, PML_E_FORMAT, "%s has %zu columns of numbers, the model takes %zu", name,
                        series->n_columns, shape->n_channels);
    }
    if (series->n_rows < shape->context_length) {
        return PML_FAIL(error, PML_E_FORMAT, "%s has %zu rows, the model looks back %zu", name, series->n_rows,
                        shape->context_length);
    }
    if (start_row < shape->context_length || start_row > series->n_rows) {
        return PML_FAIL(error, PML_E_ARGUMENT,
                        "row %zu cannot be the first forecast step: with a look-back of %zu, %s allows rows %zu to %zu",
                        start_row, shape->context_length, name, shape->context_length, series->n_rows);
    }
    return PML_OK;
}

/* A column of which the model sees nothing is foretold from nothing: that is worth a word. */
static void warn_of_empty_columns(const pml_series *series, const char *name, size_t first_row, size_t end_row) {
    for (size_t j = 0; j < series->n_columns; j++) {
        size_t i = first_row;
        while (i < end_row && isnan(series->values[i * series->n_columns + j])) {
            i++;
        }
        if (i == end_row) {
            pml_quoted quoted;
            pml_log(PML_LOG_WARNING, "%s: column %s has no value in rows %zu to %zu, which its forecast is made from",
                    name, pml_quote(&quoted, series->columns[j]), first_row, end_row - 1);
        }
    }
}

/* Every value reaches the model as a float32 number, or as "not observed" where the model has a way to say so. */
static pml_status check_values(const pml_model *model, const pml_series *series, const char *name, size_t first_row,
                               size_t end_row, pml_error *error) {
    const pml_forecast_spec *spec = pml_model_schema(model)->forecast;
    size_t n_missing = 0;
    for (size_t i = first_row * series->n_columns; i < end_row * series->n_columns; i++) {
        if (fabs(series->values[i]) > (double)FLT_MAX) {
            pml_quoted quoted;
            return PML_FAIL(error, PML_E_FORMAT, "%s, row %zu, column %s: %g is too large for a model", name,
                            i / series->n_columns, pml_quote(&quoted, series->columns[i % series->n_columns]),
                            series->values[i]);
        }
        if (!isnan(series->values[i])) {
            continue;
        }
        n_missing++;
        if (spec == NULL || spec->observed_mask == NULL) {
            pml_quoted quoted;
            return PML_FAIL(error, PML_E_UNSUPPORTED,
                            "%s, row %zu, column %s: the value is missing, and this model needs every value", name,
                            i / series->n_columns, pml_quote(&quoted, series->columns[i % series->n_columns]));
        }
    }
    if (n_missing > 0) {
        pml_log(PML_LOG_INFO, "%s: %zu missing values among those the model looks at", name, n_missing);
        warn_of_empty_columns(series, name, first_row, end_row);
    }
    return PML_OK;
}

/* Continues the dates of rows [first_row, start_row). */
static pml_status continue_dates(const pml_model *model, const pml_series *series, const char *name, size_t first_row,
                                 pml_series_forecast *forecast, pml_error *error) {
    pml_status status = PML_OK;
    pml_step step;
    char step_name[32];
    const pml_meta_entry *frequency = pml_metadata_find(pml_model_metadata(model), "series.frequency");
    /* A look-back of one row has no step of its own. */
    size_t from = forecast->start_row - first_row >= 3 || first_row == 0
                      ? first_row
                      : (forecast->start_row >= 3 ? forecast->start_row - 3 : 0);
    status = pml_step_find(series->stamps_us + from, forecast->start_row - from, from, &step, error);
    if (status != PML_OK) {
        PML_TRY(pml_error_prefix(error, status, "%s", name));
    }
    (void)pml_step_name(&step, step_name);
    if (frequency != NULL && frequency->type == PML_META_STRING &&
        !pml_frequency_agrees(step_name, frequency->value.string)) {
        pml_quoted quoted;
        pml_log(PML_LOG_WARNING, "%s has the step %s, the model was fitted on %s", name, step_name,
                pml_quote(&quoted, frequency->value.string));
    }
    PML_TRY(pml_alloc(forecast->n_steps, sizeof *forecast->stamps_us, &forecast->stamps_us, error));
    int64_t stamp_us = series->stamps_us[forecast->start_row - 1];
    for (size_t i = 0; i < forecast->n_steps; i++) {
        status = pml_step_next(&step, stamp_us, &stamp_us, error);
        if (status != PML_OK) {
            PML_TRY(pml_error_prefix(error, status, "%s", name));
        }
        forecast->stamps_us[i] = stamp_us;
    }
done:
    return status;
}

pml_status pml_series_check_marks(const pml_model *model, const pml_time_marks *marks, const pml_series *series,
                                  const char *name, bool without_marks, bool *is_used, pml_error *error) {
    *is_used = marks->count > 0 && (!without_marks || pml_model_needs_marks(model));
    if (*is_used && series->stamps_us == NULL) {
        return PML_FAIL(error, PML_E_FORMAT, "%s has no date column, and the model is told the date of every step%s",
                        name, pml_model_needs_marks(model) ? "" : " (--no-dates: it is not)");
    }
    return PML_OK;
}

/* The time marks of the look-back from `first_row` on and of the horizon; NULL: the model is told none. */
static pml_status make_marks(const pml_model *model, const pml_series *series, const char *name, size_t first_row,
                             bool without_marks, const pml_series_forecast *forecast, float **values,
                             pml_error *error) {
    pml_status status = PML_OK;
    pml_time_marks marks;
    bool is_used;
    PML_TRY(pml_time_marks_of(model, &marks, error));
    PML_TRY(pml_series_check_marks(model, &marks, series, name, without_marks, &is_used, error));
    if (is_used) {
        const size_t n_past = forecast->start_row - first_row;
        PML_TRY(pml_alloc(n_past + forecast->n_steps, marks.count * sizeof **values, values, error));
        pml_time_marks_fill(&marks, series->stamps_us + first_row, n_past, *values);
        pml_time_marks_fill(&marks, forecast->stamps_us, forecast->n_steps, *values + n_past * marks.count);
    }
done:
    return status;
}

pml_status pml_series_forecast_run(pml_model *model, const pml_series *series, const char *series_name,
                                   const pml_series_forecast_options *options, pml_series_forecast *forecast,
                                   pml_error *error) {
    pml_status status = PML_OK;
    pml_forecast_shape shape;
    const size_t start_row = options->start_row;
    pml_series_forecast made = {.start_row = start_row, .n_columns = series->n_columns};
    float *marks = NULL;
    uint64_t n_values = 0;
    PML_TRY(pml_model_forecast_shape(model, &shape, error));
    if (options->n_levels > 0) {
        PML_TRY(pml_model_check_quantiles(model, error));
    }
    PML_TRY(check_range(series, series_name, start_row, &shape, error));
    size_t first_row = start_row - shape.context_length;
    made.n_steps = shape.horizon;
    PML_TRY(check_values(model, series, series_name, first_row, start_row, error));
    if (series->stamps_us != NULL) {
        PML_TRY(continue_dates(model, series, series_name, first_row, &made, error));
    }
    if (__builtin_mul_overflow(made.n_steps, made.n_columns, &n_values)) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%zu steps of %zu columns", made.n_steps, made.n_columns));
    }
    PML_TRY(pml_alloc(n_values, sizeof *made.values, &made.values, error));
    PML_TRY(make_marks(model, series, series_name, first_row, options->without_marks, &made, &marks, error));
    const pml_forecast_options call = {.marks = marks, .scaled = options->scaled};
    PML_TRY(pml_model_forecast_with(model, series->values + first_row * series->n_columns, shape.context_length,
                                    series->n_columns, &call, made.values, error));
    if (options->n_levels > 0) {
        PML_TRY(pml_alloc(n_values, options->n_levels * sizeof *made.quantiles, &made.quantiles, error));
        PML_TRY(pml_model_quantiles(model, options->levels, options->n_levels, series->n_columns, options->scaled,
                                    made.quantiles, error));
    }
    *forecast = made;
    made = (pml_series_forecast){0};
done:
    pml_free(marks);
    pml_series_forecast_deinit(&made);
    return status;
}

void pml_series_forecast_deinit(pml_series_forecast *forecast) {
    pml_free(forecast->values);
    pml_free(forecast->quantiles);
    pml_free(forecast->stamps_us);
    *forecast = (pml_series_forecast){0};
}
