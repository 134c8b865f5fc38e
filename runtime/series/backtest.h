/* A model's errors along a series: forecasts from every so many rows, compared with the rows that followed, by step of
 * the horizon and by column. */
#ifndef PML_RUNTIME_SERIES_BACKTEST_H
#define PML_RUNTIME_SERIES_BACKTEST_H

#include "runtime/series/series_forecast.h"

typedef struct pml_backtest_options {
    pml_model *model;
    size_t first_row;   /* the first that is foretold; at least the model's look-back */
    size_t end_row;     /* one past the last that is foretold */
    size_t stride;      /* rows from one forecast to the next, >= 1 */
    bool scaled;        /* errors on the scale of the file's scaler instead of in the series' units */
    bool without_marks; /* see pml_series_forecast_options */
    void (*progress)(void *user, uint64_t n_done, uint64_t n_windows); /* NULL: nobody asks */
    void *user;
} pml_backtest_options;

typedef struct pml_backtest { /* zero = safe to deinit */
    size_t n_windows, n_steps, n_columns;
    double *squared, *absolute; /* [n_steps][n_columns] sums of errors */
    uint64_t *counts;           /* of values compared; missing ones do not count */
} pml_backtest;

/* Errors: ARGUMENT (rows, stride), FORMAT (no window fits, nothing to compare), and those of
 * pml_series_forecast_run. */
pml_status pml_backtest_run(const pml_series *series, const char *series_name, const pml_backtest_options *options,
                            pml_backtest *backtest, pml_error *error) PML_WARN_UNUSED;
void pml_backtest_deinit(pml_backtest *backtest);

typedef struct pml_backtest_error { /* NaN where nothing was compared */
    double mae, mse;
    uint64_t count;
} pml_backtest_error;
/* Of one step and column; PML_BACKTEST_ALL: over all of them. */
#define PML_BACKTEST_ALL SIZE_MAX
pml_backtest_error pml_backtest_error_of(const pml_backtest *backtest, size_t i_step, size_t i_column);

#endif
