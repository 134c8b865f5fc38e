/* Mean squared and mean absolute error of forecasts over all windows of one part of a series, on standardised values:
 * the protocol of the long-horizon forecasting literature (Informer, Autoformer and their successors). */
#ifndef PML_RUNTIME_SERIES_EVALUATE_H
#define PML_RUNTIME_SERIES_EVALUATE_H

#include "runtime/series/series_forecast.h"
#include "runtime/series/windows.h"

typedef struct pml_evaluate_options {
    pml_model *model;      /* NULL: every step repeats the last value of the look-back */
    size_t context_length; /* T; with a model, the model's */
    size_t horizon;        /* S; with a model, the model's */
    pml_split split;
    pml_part part;
    const double *mean, *std; /* [C] the scaler; NULL: fitted on the train rows (population deviation) */
    size_t n_scaled;
    size_t batch_size;  /* windows per run, >= 1 */
    bool drop_last;     /* windows that do not fill a batch are left out, as some repositories do */
    bool without_marks; /* see pml_series_forecast_options */
    const char *scored; /* the one column whose errors count; NULL: all */
    void (*progress)(void *user, uint64_t n_done, uint64_t n_windows); /* NULL: nobody asks */
    void *user;
} pml_evaluate_options;

typedef struct pml_evaluation {
    double mse, mae;
    uint64_t windows;
    uint64_t n_values;         /* compared; missing targets do not count */
    size_t first_row, end_row; /* the rows that are foretold, in all windows together */
    bool fitted_scaler;
} pml_evaluation;

/* Validation and test windows look back into the part before. Errors: FORMAT (no window fits, number of columns, no
 * dates, no column `scored`), UNSUPPORTED (missing value in an input and a model that takes none), INTERRUPTED, and
 * those of pml_model_run.
 */
pml_status pml_evaluation_run(const pml_series *series, const char *series_name, const pml_evaluate_options *options,
                              pml_evaluation *evaluation, pml_error *error) PML_WARN_UNUSED;

#endif
