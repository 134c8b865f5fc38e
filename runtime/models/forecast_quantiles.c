/* Quantiles of a forecast: of the distribution that the head gives, in the window's units, in the data's units. */
#include <math.h>
#include <string.h>

#include "runtime/base/cancel.h"
#include "runtime/models/model_private.h"
#include "runtime/models/quantiles.h"
#include "runtime/models/series_metadata.h"

enum { DF, LOCATION, SCALE, WINDOW_LOCATION, WINDOW_SCALE, N_PARTS };

typedef enum distribution { STUDENT_T, NORMAL, NEGATIVE_BINOMIAL } distribution;
static const char *const distributions[] = {"student_t", "normal", "negative_binomial", NULL};

pml_status pml_model_check_quantiles(const pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    pml_forecast_shape shape;
    bool exists = false;
    PML_TRY(pml_model_forecast_shape(model, &shape, error));
    const pml_distribution_spec *spec = model->schema->forecast->distribution;
    if (spec != NULL) {
        PML_TRY(pml_model_eval_flag(model, spec->when, &exists, error));
    }
    if (!exists) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "%s: this %s model foretells points, no distribution that has quantiles",
                         pml_file_path(model->file), model->schema->name));
    }

done:
    return status;
}

/* The outputs that the quantiles come from; those that this distribution does not have stay NULL. */
static pml_status find_parts(const pml_model *model, const pml_distribution_spec *spec, size_t n_values,
                             size_t n_channels, const float **parts, pml_error *error) {
    const char *const names[N_PARTS] = {spec->df, spec->location, spec->scale, spec->window_location,
                                        spec->window_scale};
    for (size_t i = 0; i < N_PARTS; i++) {
        const pml_array *output = pml_model_output(model, names[i]);
        parts[i] = NULL;
        if (output == NULL && i == DF) {
            continue;
        }
        const size_t wanted = i >= WINDOW_LOCATION ? n_channels : n_values;
        if (output == NULL || output->rank != 3 || output->shape[0] != 1 ||
            output->shape[1] * output->shape[2] != wanted) {
            return PML_FAIL(error, PML_E_CONFIG, "%s: output '%s' is not that of one window of %zu channels",
                            pml_file_path(model->file), names[i], n_channels);
        }
        parts[i] = output->data;
    }
    return PML_OK;
}

/* Of value i and channel c, in the units that the window came in. A negative binomial's odds grow with the scale. */
static double quantile_of(distribution kind, double level, const float *const *parts, size_t i, size_t c) {
    const double location = (double)parts[LOCATION][i], scale = (double)parts[SCALE][i];
    const double window_scale = (double)parts[WINDOW_SCALE][c];
    if (kind == NEGATIVE_BINOMIAL) {
        return pml_negative_binomial_quantile(level, location, scale + log(window_scale));
    }
    const double standard =
        kind == STUDENT_T ? pml_student_t_quantile(level, (double)parts[DF][i]) : pml_normal_quantile(level);
    return (location + scale * standard) * window_scale + (double)parts[WINDOW_LOCATION][c];
}

pml_status pml_model_quantiles(const pml_model *model, const double *levels, size_t n_levels, size_t n_channels,
                               bool scaled, double *quantiles, pml_error *error) {
    pml_status status = PML_OK;
    pml_forecast_shape shape;
    pml_series_state scaler;
    size_t kind;
    const float *parts[N_PARTS];
    PML_TRY(pml_model_check_quantiles(model, error));
    PML_TRY(pml_model_forecast_shape(model, &shape, error));
    const pml_distribution_spec *spec = model->schema->forecast->distribution;
    PML_TRY(pml_model_config_choice(model, spec->key, distributions, &kind, error));
    const size_t n_values = shape.horizon * n_channels;
    PML_TRY(find_parts(model, spec, n_values, n_channels, parts, error));
    PML_TRY(pml_series_state_get(pml_file_metadata(model->file), &scaler, error));
    const bool restores = scaler.mean != NULL && !scaled;
    for (size_t q = 0; q < n_levels; q++) {
        for (size_t i = 0; i < n_values; i++) {
            const size_t c = i % n_channels;
            if (c == 0) {
                PML_TRY(pml_cancel_check(error));
            }
            double value = quantile_of((distribution)kind, levels[q], parts, i, c);
            value = restores ? value * scaler.std[c] + scaler.mean[c] : value;
            if (!isfinite(value)) {
                PML_TRY(PML_FAIL(error, PML_E_NUMERIC,
                                 "the quantile %g of step %zu of channel %zu is not finite or too large to compute",
                                 levels[q], i / n_channels, c));
            }
            quantiles[q * n_values + i] = value;
        }
    }

done:
    return status;
}
