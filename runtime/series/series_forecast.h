/* Forecasting from a series: which rows a model looks at, and what dates its answer has. */
#ifndef PML_RUNTIME_SERIES_SERIES_FORECAST_H
#define PML_RUNTIME_SERIES_SERIES_FORECAST_H

#include "runtime/series/series.h"
#include "runtime/series/time_marks.h"

typedef struct pml_series_forecast { /* zero = safe to deinit */
    size_t start_row;                /* of the series: the row that values[0] foretells */
    size_t n_steps, n_columns;
    double *values;     /* [n_steps][n_columns], units of the series */
    double *quantiles;  /* [n_levels][n_steps][n_columns]; NULL: none were asked for */
    int64_t *stamps_us; /* [n_steps]; NULL: the series has no dates */
} pml_series_forecast;

/* Forecasts the rows from `start_row` on, from the T rows before it. With dates, those T rows must keep one step, which
 * is then continued. Errors: ARGUMENT (start_row outside [T, n_rows]), FORMAT (too few rows, dates, no dates where the
 * model takes time marks, another number of columns), UNSUPPORTED (a missing value and a model that takes none; a model
 * that does not forecast, or quantiles of one that has no distribution), and those of pml_model_forecast. */
typedef struct pml_series_forecast_options {
    size_t start_row;
    bool scaled;          /* values on the scale of the file's scaler instead of in the series' units */
    bool without_marks;   /* a model that can do without the dates of its steps is not told them */
    const double *levels; /* [n_levels] in (0, 1): which quantiles are wanted beside the point forecast */
    size_t n_levels;
} pml_series_forecast_options;
pml_status pml_series_forecast_run(pml_model *model, const pml_series *series, const char *series_name,
                                   const pml_series_forecast_options *options, pml_series_forecast *forecast,
                                   pml_error *error) PML_WARN_UNUSED;
/* Whether a model is told the marks of a series' dates. Errors: FORMAT (it is, and the series has none). */
pml_status pml_series_check_marks(const pml_model *model, const pml_time_marks *marks, const pml_series *series,
                                  const char *name, bool without_marks, bool *is_used,
                                  pml_error *error) PML_WARN_UNUSED;
void pml_series_forecast_deinit(pml_series_forecast *forecast);

#endif
