/* Forecasting from a series: which rows a model looks at, and what dates its answer has. */
#ifndef PML_RUNTIME_SERIES_SERIES_FORECAST_H
#define PML_RUNTIME_SERIES_SERIES_FORECAST_H

#include "runtime/series/series.h"

typedef struct pml_series_forecast { /* zero = safe to deinit */
    size_t start_row;                /* of the series: the row that values[0] foretells */
    size_t n_steps, n_columns;
    double *values;     /* [n_steps][n_columns], units of the series */
    int64_t *stamps_us; /* [n_steps]; NULL: the series has no dates */
} pml_series_forecast;

/* Forecasts the rows from `start_row` on, from the T rows before it. With dates, those T rows must keep one step, which
 * is then continued. Errors: ARGUMENT (start_row outside [T, n_rows]), FORMAT (too few rows, dates, another number of
 * columns), UNSUPPORTED (a missing value and a model that takes none; a model that does not forecast), and those of
 * pml_model_forecast. */
pml_status pml_series_forecast_run(pml_model *model, const pml_series *series, const char *series_name,
                                   size_t start_row, pml_series_forecast *forecast, pml_error *error) PML_WARN_UNUSED;
void pml_series_forecast_deinit(pml_series_forecast *forecast);

#endif
