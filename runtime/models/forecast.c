/* Forecasting in the units of the data: standardising with the file's series state, masking what is missing. */
#include <math.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/models/model_private.h"
#include "runtime/models/series_metadata.h"

/* A size of at least `least`. */
static pml_status evaluate(const pml_model *model, const char *expression, size_t least, size_t *value,
                           pml_error *error) {
    pml_status status = pml_model_eval_size(model, expression, value, error);
    if (status == PML_OK && *value < least) {
        status = PML_FAIL(error, PML_E_CONFIG, "'%s' is %zu, which is no size", expression, *value);
    }
    return status;
}

pml_status pml_model_forecast_shape(const pml_model *model, pml_forecast_shape *shape, pml_error *error) {
    pml_status status = PML_OK;
    const pml_forecast_spec *spec = model->schema->forecast;
    pml_forecast_shape result = {0};
    int64_t forecasts = spec != NULL;
    if (spec != NULL && spec->when != NULL) {
        PML_TRY(pml_schema_eval(model->schema, pml_file_metadata(model->file), spec->when, -1, &forecasts, error));
    }
    if (forecasts == 0) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: this %s model does not forecast", pml_file_path(model->file),
                         model->schema->name));
    }
    PML_TRY(evaluate(model, spec->context_length, 1, &result.context_length, error));
    PML_TRY(evaluate(model, spec->horizon, 1, &result.horizon, error));
    if (spec->n_channels != NULL) {
        PML_TRY(evaluate(model, spec->n_channels, 0, &result.n_channels, error));
    }
    *shape = result;

done:
    return status;
}

/* The stored scaler: two arrays of one value per channel, or NULL both. */
static pml_status find_scaler(const pml_model *model, size_t n_channels, pml_series_state *state, pml_error *error) {
    const pml_status status = pml_series_state_get(pml_file_metadata(model->file), state, error);
    if (status != PML_OK) {
        return pml_error_prefix(error, status, "%s", pml_file_path(model->file));
    }
    if (state->mean != NULL && state->n_scaled != n_channels) {
        return PML_FAIL(error, PML_E_CONFIG, "%s: its scaler is of %zu channels, not %zu", pml_file_path(model->file),
                        state->n_scaled, n_channels);
    }
    return PML_OK;
}

/* Standardised values and the observed mask, both [T, C]. */
static pml_status standardize(pml_model *model, const double *context, size_t n_steps, size_t n_channels,
                              const pml_series_state *scaler, bool takes_mask, bool *any_missing, pml_error *error) {
    pml_status status = PML_OK;
    *any_missing = false;
    for (size_t t = 0; t < n_steps; t++) {
        for (size_t c = 0; c < n_channels; c++) {
            double value = context[t * n_channels + c];
            bool is_missing = isnan(value);
            if (is_missing && !takes_mask) {
                PML_TRY(PML_FAIL(error, PML_E_NUMERIC,
                                 "the value at step %zu of channel %zu is missing, which this model does not accept", t,
                                 c));
            }
            float scaled = is_missing             ? 0.0F
                           : scaler->mean == NULL ? (float)value
                                                  : (float)((value - scaler->mean[c]) / scaler->std[c]);
            if (!isfinite(scaled)) {
                PML_TRY(PML_FAIL(error, PML_E_NUMERIC, "the value at step %zu of channel %zu is not finite", t, c));
            }
            model->forecast_values[t * n_channels + c] = scaled;
            model->forecast_mask[t * n_channels + c] = is_missing ? 0.0F : 1.0F;
            *any_missing = *any_missing || is_missing;
        }
    }

done:
    return status;
}

static pml_status check_context(const pml_forecast_shape *shape, size_t n_steps, size_t n_channels, pml_error *error) {
    if (n_steps != shape->context_length) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the model looks back %zu steps; %zu were given", shape->context_length,
                        n_steps);
    }
    if (n_channels == 0 || (shape->n_channels != 0 && n_channels != shape->n_channels)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the model has %zu channels; %zu were given", shape->n_channels,
                        n_channels);
    }
    return PML_OK;
}

/* ---- time marks ---- */
pml_status pml_model_n_marks(const pml_model *model, size_t *n_marks, pml_error *error) {
    const pml_forecast_spec *spec = model->schema->forecast;
    *n_marks = 0;
    return spec == NULL || spec->n_marks == NULL ? PML_OK : evaluate(model, spec->n_marks, 0, n_marks, error);
}

pml_status pml_model_label_length(const pml_model *model, size_t *label_length, pml_error *error) {
    const pml_forecast_spec *spec = model->schema->forecast;
    *label_length = 0;
    return spec == NULL || spec->label_length == NULL ? PML_OK
                                                      : evaluate(model, spec->label_length, 0, label_length, error);
}

bool pml_model_needs_marks(const pml_model *model) {
    const pml_forecast_spec *spec = model->schema->forecast;
    const char *const names[] = {spec != NULL ? spec->marks : NULL, spec != NULL ? spec->decoder_marks : NULL};
    for (size_t i = 0; i < 2; i++) {
        const pml_model_port *port = names[i] != NULL ? pml_model_find_input(model, names[i]) : NULL;
        if (port != NULL && !port->optional) {
            return true;
        }
    }
    return false;
}

/* Appends the inputs of the ports that the model has, from `marks` [T + S][n_marks]. */
static pml_status add_marks(const pml_model *model, const pml_forecast_shape *shape, const float *marks,
                            pml_array *inputs, size_t *n_inputs, pml_error *error) {
    pml_status status = PML_OK;
    const pml_forecast_spec *spec = model->schema->forecast;
    size_t n_marks, label_length;
    PML_TRY(pml_model_n_marks(model, &n_marks, error));
    PML_TRY(pml_model_label_length(model, &label_length, error));
    if (label_length > shape->context_length) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "the decoder looks back %zu steps, the model %zu", label_length,
                         shape->context_length));
    }
    const size_t first = shape->context_length - label_length;
    const pml_array ports[] = {
        {.name = spec->marks, .data = marks, .rank = 3, .shape = {1, shape->context_length, n_marks}},
        {.name = spec->decoder_marks,
         .data = marks != NULL ? marks + first * n_marks : NULL,
         .rank = 3,
         .shape = {1, label_length + shape->horizon, n_marks}}};
    for (size_t i = 0; i < 2 && marks != NULL && n_marks > 0; i++) {
        if (ports[i].name != NULL && pml_model_find_input(model, ports[i].name) != NULL) {
            inputs[(*n_inputs)++] = ports[i];
        }
    }
done:
    return status;
}

/* ---- forecasting ---- */
/* Room for `count` values and as many marks of what is missing. */
static pml_status make_room(pml_model *model, size_t count, pml_error *error) {
    pml_status status = PML_OK;
    if (model->forecast_capacity < count) {
        pml_free(model->forecast_values);
        pml_free(model->forecast_mask);
        model->forecast_values = model->forecast_mask = NULL;
        model->forecast_capacity = 0;
        PML_TRY(pml_alloc(count, sizeof(float), &model->forecast_values, error));
        PML_TRY(pml_alloc(count, sizeof(float), &model->forecast_mask, error));
        model->forecast_capacity = count;
    }
done:
    return status;
}

/* From the model's output to the caller's, in the data's units unless `scaler` has none. */
static pml_status take_forecast(const pml_model *model, size_t n_channels, const pml_forecast_shape *shape,
                                const pml_series_state *scaler, double *forecast, pml_error *error) {
    pml_status status = PML_OK;
    const pml_array *output;
    PML_TRY(pml_model_point_forecast(model, &output, error));
    if (output->rank != 3 || output->shape[1] != shape->horizon || output->shape[2] != n_channels) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: the model has no forecast of %zu steps and %zu channels",
                         pml_file_path(model->file), shape->horizon, n_channels));
    }
    for (size_t i = 0; i < shape->horizon * n_channels; i++) {
        size_t c = i % n_channels;
        double value = pml_window_restore(&model->forecast_units, 0, c, (double)output->data[i]);
        value = scaler->mean == NULL ? value : value * scaler->std[c] + scaler->mean[c];
        if (!isfinite(value)) {
            PML_TRY(PML_FAIL(error, PML_E_NUMERIC, "the forecast of step %zu of channel %zu is not finite",
                             i / n_channels, c));
        }
        forecast[i] = value;
    }
done:
    return status;
}

pml_status pml_model_forecast_with(pml_model *model, const double *context, size_t n_steps, size_t n_channels,
                                   const pml_forecast_options *options, double *forecast, pml_error *error) {
    static const pml_forecast_options none = {.marks = NULL};
    pml_status status = PML_OK;
    pml_forecast_shape shape;
    pml_series_state scaler;
    bool any_missing;
    const pml_forecast_options *o = options != NULL ? options : &none;
    PML_TRY(pml_model_forecast_shape(model, &shape, error));
    PML_TRY(check_context(&shape, n_steps, n_channels, error));
    PML_TRY(find_scaler(model, n_channels, &scaler, error));
    const pml_forecast_spec *spec = model->schema->forecast;
    uint64_t count = 0, count_out = 0;
    if (!pml_ck_mul(n_steps, n_channels, &count) || !pml_ck_mul(shape.horizon, n_channels, &count_out)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu steps of %zu channels are too many", n_steps, n_channels));
    }
    PML_TRY(make_room(model, (size_t)count, error));
    bool takes_mask = spec->observed_mask != NULL && pml_model_find_input(model, spec->observed_mask) != NULL;
    PML_TRY(standardize(model, context, n_steps, n_channels, &scaler, takes_mask, &any_missing, error));
    pml_array inputs[4] = {
        {.name = spec->input, .data = model->forecast_values, .rank = 3, .shape = {1, n_steps, n_channels}},
        {.name = spec->observed_mask, .data = model->forecast_mask, .rank = 3, .shape = {1, n_steps, n_channels}}};
    size_t n_inputs = any_missing ? 2 : 1;
    PML_TRY(add_marks(model, &shape, o->marks, inputs, &n_inputs, error));
    PML_TRY(pml_window_units_init(&model->forecast_units, model, 1, n_steps, n_channels, error));
    pml_window_scale(&model->forecast_units, 0, n_steps, model->forecast_values,
                     any_missing ? model->forecast_mask : NULL);
    PML_TRY(pml_model_run(model, inputs, n_inputs, error));
    scaler.mean = o->scaled ? NULL : scaler.mean;
    PML_TRY(take_forecast(model, n_channels, &shape, &scaler, forecast, error));
done:
    return status;
}

pml_status pml_model_forecast(pml_model *model, const double *context, size_t n_steps, size_t n_channels,
                              double *forecast, pml_error *error) {
    return pml_model_forecast_with(model, context, n_steps, n_channels, NULL, forecast, error);
}
