/* How forecasting is trained and judged in the literature (Informer, Autoformer and their successors): a series is cut
 * into parts for training, validation and test, put on the scale of its train rows, and read window by window. */
#ifndef PML_RUNTIME_SERIES_WINDOWS_H
#define PML_RUNTIME_SERIES_WINDOWS_H

#include "runtime/series/series.h"

/* Rows [0, train_end) train, [train_end, val_end) validation, [val_end, test_end) test. */
typedef struct pml_split {
    size_t train_end, val_end, test_end;
} pml_split;

/* "ett-hour" (12, 4 and 4 months of 30 days, in hours), "ett-minute" (the same in quarter hours), or three shares such
 * as "0.7,0.1,0.2", where train and test are rounded down and validation is what is left between them.
 * Errors: ARGUMENT (not such a text), FORMAT (fewer rows than the split needs). */
pml_status pml_split_parse(const char *text, size_t n_rows, pml_split *split, pml_error *error) PML_WARN_UNUSED;

typedef enum pml_part { PML_PART_TRAIN, PML_PART_VAL, PML_PART_TEST } pml_part;

/* Windows of a part: window i looks back on the rows first_row + i .. + T - 1, and the S rows behind them are its
 * horizon, which lies in the part. */
typedef struct pml_window_rows {
    size_t first_row; /* of the first window's look-back */
    size_t end_row;   /* of the part */
    size_t n_windows; /* >= 1 */
} pml_window_rows;
/* With look-back `context_length` (T) and horizon S; those of validation and test look back into the part before.
 * `name` is the series' for messages. Errors: ARGUMENT (a split that does not fit the series' rows, T or S 0), FORMAT
 * (no window fits). */
pml_status pml_windows_place(const pml_series *series, const char *name, const pml_split *split, pml_part part,
                             size_t context_length, size_t horizon, pml_window_rows *rows,
                             pml_error *error) PML_WARN_UNUSED;

/* What becomes of a column that has one value throughout the rows that a scaler is fitted on: deviation 1, or FORMAT.
 */
typedef enum pml_constant_columns { PML_CONSTANT_SHIFTED, PML_CONSTANT_REFUSED } pml_constant_columns;
/* Mean and population deviation of each column over the rows [0, n_rows), missing values aside: `mean` and `std` [C].
 * Errors: FORMAT, naming the column (no value at all, or constant). */
pml_status pml_scaler_fit(const pml_series *series, const char *name, size_t n_rows, pml_constant_columns constant,
                          double *mean, double *std, pml_error *error) PML_WARN_UNUSED;
/* (value - mean) / std of the rows from `first_row` on: `scaled` [n_rows][C], NaN = missing. `as_float`: rounded to
 * float32, as a model sees them. Errors: FORMAT, naming row and column (beyond float32). */
pml_status pml_scaler_apply(const pml_series *series, const char *name, const double *mean, const double *std,
                            size_t first_row, size_t n_rows, bool as_float, double *scaled,
                            pml_error *error) PML_WARN_UNUSED;

#endif
