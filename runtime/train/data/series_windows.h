/* Windows of a series as the forecasting literature trains on them: look-back and horizon on the scale of the train
 * rows, at every row of a part. Fields, all F32:
 *
 *     past_values [T, C]            past_observed_mask [T, C]   (allows_missing)
 *     past_marks [T, M]             decoder_marks [label_length + S, M]   (marks)
 *     future_values [S, K]          future_observed_mask [S, K]   (allows_missing)
 *
 * K is C or, of PML_WINDOWS_MS, 1. With `has_label`, the last two begin label_length steps earlier. */
#ifndef PML_RUNTIME_TRAIN_DATA_SERIES_WINDOWS_H
#define PML_RUNTIME_TRAIN_DATA_SERIES_WINDOWS_H

#include "runtime/models/model.h"
#include "runtime/series/time_marks.h"
#include "runtime/series/windows.h"
#include "runtime/train/data/dataset.h"

#define PML_FIELD_OBSERVED "past_observed_mask"
#define PML_FIELD_FUTURE "future_values"
#define PML_FIELD_FUTURE_OBSERVED "future_observed_mask"

typedef enum pml_windows_channels {                /* research code's --features */
                                    PML_WINDOWS_M, /* every column foretells every column */
                                    PML_WINDOWS_S, /* the target column itself */
                                    PML_WINDOWS_MS /* every column the target column, which is the last channel */
} pml_windows_channels;

typedef struct pml_windows_options {
    size_t context_length, horizon; /* T, S */
    size_t label_length;            /* <= T: the steps of the look-back that decoder_marks begin with */
    bool has_label, without_future;
    pml_split split;
    pml_part part;
    pml_windows_channels channels;
    const char *target;       /* of S and MS; NULL: the last column */
    pml_time_marks marks;     /* count 0: none */
    const double *mean, *std; /* [n_scaled] by column of the series; NULL: fitted on the train rows */
    size_t n_scaled;
    bool without_scaler;  /* values as they are */
    bool allows_missing;  /* a missing value is 0, and the masks say so; otherwise it is an error */
    bool allows_constant; /* a constant column is only shifted; otherwise it is an error */
    bool allows_gaps;     /* dates need not keep one step; otherwise, with marks, that is an error */
} pml_windows_options;

/* Fills T, S, label_length, the marks and allows_missing as a forecasting model takes them. Errors: those of
 * pml_model_forecast_shape, pml_time_marks_of, pml_model_label_length. */
pml_status pml_windows_options_of(const pml_model *model, pml_windows_options *options,
                                  pml_error *error) PML_WARN_UNUSED;

/* `series` and `name`, which messages call it, are borrowed for the call. Errors name file, line and column: FORMAT (no
 * window fits, no value to fit a scaler on, a constant or a missing value, a value beyond float32, no dates where there
 * are marks, dates that break their step), CONFIG (there is no target column of that name), ARGUMENT (sizes, split,
 * scaler), MEMORY. */
pml_status pml_series_windows_create(const pml_series *series, const char *name, const pml_windows_options *options,
                                     pml_dataset **dataset, pml_error *error) PML_WARN_UNUSED;

typedef struct pml_windows_scale { /* by channel of past_values; borrowed from the data set */
    size_t n_channels;
    const char *const *columns;
    const double *mean, *std; /* 0 and 1 without a scaler */
    pml_window_rows rows;     /* of the series */
} pml_windows_scale;
/* What a file must say of the series that its model was trained on. `dataset` is one of this kind. */
pml_windows_scale pml_series_windows_scale(const pml_dataset *dataset);

#endif
