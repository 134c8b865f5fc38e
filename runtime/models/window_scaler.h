/* Scaling of windows around a network: each channel of a look-back window by its own statistics, and the forecast back
 * into the window's units. Part of forecasting, not of the network: pml_model_run does not do it. After the temporal
 * scalers of Nixtla/neuralforecast, whose names config.window_scaler keeps:
 *
 *   standard   (x - mean) / (population deviation + 1e-6)
 *   robust     (x - median) / (median of |x - median| + 1e-6); where that is 0: 0.6745 deviations
 *   minmax     to [0, 1]      minmax1   to [-1, 1]
 *   invariant  asinh of robust
 *
 * A median of an even number of values is the lower of the two in the middle. A divisor of 0 becomes 1. */
#ifndef PML_RUNTIME_MODELS_WINDOW_SCALER_H
#define PML_RUNTIME_MODELS_WINDOW_SCALER_H

#include "runtime/models/model.h"

typedef enum pml_window_scaler {
    PML_WINDOW_IDENTITY,
    PML_WINDOW_STANDARD,
    PML_WINDOW_ROBUST,
    PML_WINDOW_MINMAX,
    PML_WINDOW_MINMAX1,
    PML_WINDOW_INVARIANT
} pml_window_scaler;

typedef struct pml_window_units { /* zeroed at first; pml_window_units_deinit releases it */
    pml_window_scaler scaler;
    size_t n_windows, n_channels;
    double *shift, *scale; /* [n_windows][n_channels] */
    double *sorted;        /* scratch, [n_steps] */
} pml_window_units;

/* What the model's file says, with room for windows [n_windows, n_steps, n_channels]; storage that fits is kept.
 * Identity takes none. Errors: CONFIG, MEMORY, ARGUMENT (sizes that overflow). */
pml_status pml_window_units_init(pml_window_units *units, const pml_model *model, size_t n_windows, size_t n_steps,
                                 size_t n_channels, pml_error *error) PML_WARN_UNUSED;
void pml_window_units_deinit(pml_window_units *units);

/* Scales window `i_window`, [n_steps][n_channels], in place, and remembers how. Values whose `mask` is 0 neither count
 * nor change; NULL: all count. */
void pml_window_scale(pml_window_units *units, size_t i_window, size_t n_steps, float *values, const float *mask);
/* A forecast of that window's channel, in the window's units. */
double pml_window_restore(const pml_window_units *units, size_t i_window, size_t i_channel, double value);

#endif
