#include "runtime/models/window_scaler.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

#define EPSILON 1e-6
#define DEVIATIONS 0.6744897501960817 /* the median distance from the median, of a normal distribution */

pml_status pml_window_units_init(pml_window_units *units, const pml_model *model, size_t n_windows, size_t n_steps,
                                 size_t n_channels, pml_error *error) {
    static const char *const names[] = {"identity", "standard", "robust", "minmax", "minmax1", "invariant", NULL};
    pml_status status = PML_OK;
    size_t scaler = PML_WINDOW_IDENTITY;
    uint64_t count = 0;
    if (pml_metadata_find(pml_model_metadata(model), "config.window_scaler") != NULL) {
        PML_TRY(pml_model_config_choice(model, "window_scaler", names, &scaler, error));
    }
    units->scaler = (pml_window_scaler)scaler;
    if (units->scaler == PML_WINDOW_IDENTITY ||
        (units->shift != NULL && units->n_windows == n_windows && units->n_channels == n_channels)) {
        goto done;
    }
    pml_window_units_deinit(units);
    if (!pml_ck_mul(n_windows, n_channels, &count)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu windows of %zu channels are too many", n_windows, n_channels));
    }
    units->scaler = (pml_window_scaler)scaler;
    PML_TRY(pml_alloc(count, sizeof *units->shift, &units->shift, error));
    PML_TRY(pml_alloc(count, sizeof *units->scale, &units->scale, error));
    PML_TRY(pml_alloc(n_steps, sizeof *units->sorted, &units->sorted, error));
    units->n_windows = n_windows;
    units->n_channels = n_channels;

done:
    return status;
}

void pml_window_units_deinit(pml_window_units *units) {
    pml_free(units->shift);
    pml_free(units->scale);
    pml_free(units->sorted);
    *units = (pml_window_units){.scaler = PML_WINDOW_IDENTITY};
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of `count` > 0 values, which end up sorted. */
static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare);
    return values[(count - 1) / 2];
}

/* Population deviation; `mean` is set. */
static double deviation(const double *values, size_t count, double *mean) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    *mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) {
        squares += (values[i] - *mean) * (values[i] - *mean);
    }
    return sqrt(squares / (double)count);
}

static double divisor(double scale) {
    return (scale == 0 ? 1 : scale) + EPSILON;
}

/* Shift and scale of the values of one channel, which are scratch afterwards. */
static void measure(pml_window_scaler scaler, double *values, size_t count, double *shift, double *scale) {
    double mean;
    if (scaler == PML_WINDOW_STANDARD) {
        *scale = divisor(deviation(values, count, shift));
    } else if (scaler == PML_WINDOW_MINMAX || scaler == PML_WINDOW_MINMAX1) {
        const double half = scaler == PML_WINDOW_MINMAX1 ? 0.5 : 1;
        qsort(values, count, sizeof *values, compare);
        const double range = divisor(values[count - 1] - values[0]);
        *shift = values[0] + (1 - half) * range;
        *scale = half * range;
    } else {
        const double of_normal = DEVIATIONS * deviation(values, count, &mean);
        *shift = median(values, count);
        for (size_t i = 0; i < count; i++) {
            values[i] = fabs(values[i] - *shift);
        }
        const double distance = median(values, count);
        *scale = divisor(distance > 0 ? distance : of_normal);
    }
}

void pml_window_scale(pml_window_units *units, size_t i_window, size_t n_steps, float *values, const float *mask) {
    const size_t n_channels = units->n_channels;
    if (units->scaler == PML_WINDOW_IDENTITY) {
        return;
    }
    for (size_t c = 0; c < n_channels; c++) {
        double *shift = &units->shift[i_window * n_channels + c], *scale = &units->scale[i_window * n_channels + c];
        size_t count = 0;
        *shift = 0;
        *scale = 1;
        for (size_t t = 0; t < n_steps; t++) {
            if (mask == NULL || mask[t * n_channels + c] > 0) {
                units->sorted[count++] = (double)values[t * n_channels + c];
            }
        }
        if (count > 0) {
            measure(units->scaler, units->sorted, count, shift, scale);
        }
        for (size_t t = 0; t < n_steps; t++) {
            if (mask == NULL || mask[t * n_channels + c] > 0) {
                const double scaled = ((double)values[t * n_channels + c] - *shift) / *scale;
                values[t * n_channels + c] = (float)(units->scaler == PML_WINDOW_INVARIANT ? asinh(scaled) : scaled);
            }
        }
    }
}

double pml_window_restore(const pml_window_units *units, size_t i_window, size_t i_channel, double value) {
    if (units->scaler == PML_WINDOW_IDENTITY) {
        return value;
    }
    const size_t at = i_window * units->n_channels + i_channel;
    return (units->scaler == PML_WINDOW_INVARIANT ? sinh(value) : value) * units->scale[at] + units->shift[at];
}
