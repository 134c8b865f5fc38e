/* FEDformer's wavelet blocks (multiwavelets of Gupta et al. 2021, arXiv:2109.13459, on a Legendre basis of 8): series
 * are halved level by level into what is smooth and what is not, treated at each level, and put together again. */
#include <stdio.h>
#include <string.h>

#include "runtime/models/fedformer/fedformer.h"

/* ---- weights ---- */
static size_t padded_length(size_t n_steps) {
    size_t n = 1;
    while (n < n_steps) {
        n *= 2;
    }
    return n;
}

static size_t count_levels(size_t n_steps, size_t n_ignored) {
    size_t n = 0;
    while (n_steps >> (n + 1) != 0) {
        n++;
    }
    return n > n_ignored ? n - n_ignored : 0;
}

/* The lowest frequencies of a level, at most `most`. */
static pml_status make_level(pml_model *model, size_t n_modes, size_t n_steps, double factor, fed_modes *level,
                             pml_error *error) {
    pml_status status = PML_OK;
    int64_t *modes;
    *level = (fed_modes){.n_modes = n_modes};
    if (n_modes > 0) {
        PML_TRY(pml_arena_alloc(&pml_model_context(model)->model, n_modes, sizeof *modes, &modes, error));
        for (size_t i = 0; i < n_modes; i++) {
            modes[i] = (int64_t)i;
        }
        PML_TRY(pml_fed_modes_make(model, modes, modes, n_modes, n_steps, factor, level, error));
    }

done:
    return status;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static pml_status load_multiplier(pml_model *model, const char *name, const char *part, fed_multiplier *m,
                                  pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_model_weight(model, &m->real, error, "%s.%s.real", name, part));
    PML_TRY(pml_model_weight(model, &m->imaginary, error, "%s.%s.imaginary", name, part));

done:
    return status;
}

static pml_status load_linear(pml_model *model, const char *name, const char *part, pml_linear *linear,
                              pml_error *error) {
    char full[64];
    snprintf(full, sizeof full, "%s.%s", name, part);
    return pml_linear_load(model, full, true, linear, error);
}

static pml_status load_wavelets(pml_model *model, const char *name, size_t n_steps, fed_wavelets *w, pml_error *error) {
    pml_status status = PML_OK;
    size_t n_ignored, n_modes;
    PML_TRY(load_linear(model, name, "in", &w->in, error));
    PML_TRY(load_linear(model, name, "out", &w->out, error));
    PML_TRY(load_linear(model, name, "coarse", &w->coarse, error));
    PML_TRY(load_multiplier(model, name, "a", &w->a, error));
    PML_TRY(load_multiplier(model, name, "b", &w->b, error));
    PML_TRY(load_multiplier(model, name, "c", &w->c, error));
    PML_TRY(pml_model_eval_size(model, "ignored_levels", &n_ignored, error));
    PML_TRY(pml_model_eval_size(model, "wavelet_modes", &n_modes, error));
    w->n_steps = n_steps;
    w->n_padded = padded_length(n_steps);
    w->n_levels = count_levels(n_steps, n_ignored);
    for (size_t i = 0; i < w->n_levels; i++) {
        const size_t n = w->n_padded >> (i + 1);
        PML_TRY(make_level(model, least(n_modes, n / 2 + 1), n, 1, &w->levels[i], error));
    }

done:
    return status;
}

static pml_status load_cross(pml_model *model, size_t n_steps, fed_cross_wavelets *w, pml_error *error) {
    pml_status status = PML_OK;
    const double width = (double)((const fedformer *)pml_model_data(model))->net.d_model;
    size_t n_modes;
    PML_TRY(load_linear(model, "cross.wavelets", "q", &w->q, error));
    PML_TRY(load_linear(model, "cross.wavelets", "k", &w->k, error));
    PML_TRY(load_linear(model, "cross.wavelets", "out", &w->out, error));
    PML_TRY(pml_model_eval_size(model, "cross_modes", &n_modes, error));
    w->n_steps = n_steps;
    w->n_padded = padded_length(n_steps);
    w->n_levels = count_levels(n_steps, 0); /* upstream gives this block no number of ignored levels */
    for (size_t i = 0; i <= w->n_levels; i++) {
        const size_t n = w->n_padded >> (i < w->n_levels ? i + 1 : i);
        PML_TRY(make_level(model, least(n_modes, n / 2), n, 1 / width / width, &w->levels[i], error));
    }

done:
    return status;
}

pml_status pml_fed_wavelets_load(pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    fedformer *data = pml_model_data(model);
    const size_t n_decoded = data->net.label_length + data->net.horizon;
    PML_TRY(pml_model_eval_size(model, "wavelet_channels", &data->wavelet_channels, error));
    PML_TRY(pml_model_weight(model, &data->ec_s, error, "wavelet.ec_s"));
    PML_TRY(pml_model_weight(model, &data->ec_d, error, "wavelet.ec_d"));
    PML_TRY(pml_model_weight(model, &data->rc_e, error, "wavelet.rc_e"));
    PML_TRY(pml_model_weight(model, &data->rc_o, error, "wavelet.rc_o"));
    PML_TRY(load_wavelets(model, "encoder.wavelets", data->net.context_length, &data->encoder_wavelets, error));
    PML_TRY(load_wavelets(model, "decoder.wavelets", n_decoded, &data->decoder_wavelets, error));
    PML_TRY(load_cross(model, n_decoded, &data->cross_wavelets, error));

done:
    return status;
}

/* ---- levels: series are [B, N, 8 c], coefficients of a channel side by side ---- */
/* The same values as [rows, width]. */
static pml_tensor as_rows(const pml_tensor *x, size_t width) {
    pml_tensor rows = *x;
    rows.rank = 2;
    rows.shape[0] = pml_tensor_count(x) / width;
    rows.shape[1] = width;
    return rows;
}

static pml_tensor as_series(const pml_tensor *x, size_t n_samples, size_t n_columns) {
    pml_tensor series = *x;
    series.rank = 3;
    series.shape[0] = n_samples;
    series.shape[1] = pml_tensor_count(x) / n_samples / n_columns;
    series.shape[2] = n_columns;
    return series;
}

/* y = every run of x's coefficients times a matrix. */
static pml_status multiply(pml_context *context, const pml_tensor *x, const pml_tensor *matrix, const pml_tensor *bias,
                           size_t n_columns, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor rows = as_rows(x, matrix->shape[0]);
    PML_TRY(pml_op_linear(context, &rows, matrix, bias, PML_ACTIVATION_IDENTITY, NULL, y, error));
    *y = as_series(y, x->shape[0], n_columns);

done:
    return status;
}

/* One level down: x [B, 2 N, 8 c] into what is not smooth and what is, [B, N, 8 c] each. */
static pml_status halve(pml_context *context, const fedformer *data, const pml_tensor *x, pml_tensor *detail,
                        pml_tensor *smooth, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_columns = x->shape[2];
    pml_tensor even, odd, pairs;
    PML_TRY(pml_op_alternate(context, x, 0, &even, error));
    PML_TRY(pml_op_alternate(context, x, 1, &odd, error));
    PML_TRY(pml_op_zip(context, &even, &odd, FED_BASIS, true, &pairs, error));
    PML_TRY(multiply(context, &pairs, &data->ec_d, NULL, n_columns, detail, error));
    PML_TRY(multiply(context, &pairs, &data->ec_s, NULL, n_columns, smooth, error));

done:
    return status;
}

/* One level up: y [B, 2 N, 8 c] from x + `more` and `detail`. */
static pml_status rebuild(pml_context *context, const fedformer *data, const pml_tensor *x, const pml_tensor *more,
                          const pml_tensor *detail, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_columns = x->shape[2];
    pml_tensor sum, pairs, even, odd;
    PML_TRY(pml_op_add(context, x, more, &sum, error));
    PML_TRY(pml_op_zip(context, &sum, detail, FED_BASIS, true, &pairs, error));
    PML_TRY(multiply(context, &pairs, &data->rc_e, NULL, n_columns, &even, error));
    PML_TRY(multiply(context, &pairs, &data->rc_o, NULL, n_columns, &odd, error));
    PML_TRY(pml_op_zip(context, &even, &odd, n_columns, false, y, error));

done:
    return status;
}

/* The spectrum [B, 2 M, 8 c] of x times a multiplier's first M matrices. */
static pml_status weigh(pml_context *context, const fed_multiplier *multiplier, const fed_modes *level,
                        const pml_tensor *x, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor real = pml_model_rows(&multiplier->real, 0, level->n_modes);
    const pml_tensor imaginary = pml_model_rows(&multiplier->imaginary, 0, level->n_modes);
    pml_tensor spectrum;
    PML_TRY(pml_op_mix_steps(context, &level->table, x, &spectrum, error));
    PML_TRY(pml_op_mix_modes(context, &spectrum, 1, &real, &imaginary, y, error));

done:
    return status;
}

/* What a level adds when series are put together: *detail = A(detail) + B(smooth), *more = C(detail). */
static pml_status treat(pml_context *context, const fed_wavelets *w, const fed_modes *level, const pml_tensor *smooth,
                        pml_tensor *detail, pml_tensor *more, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor a, b, c, sum, result;
    PML_TRY(weigh(context, &w->a, level, detail, &a, error));
    PML_TRY(weigh(context, &w->b, level, smooth, &b, error));
    PML_TRY(weigh(context, &w->c, level, detail, &c, error));
    PML_TRY(pml_op_add(context, &a, &b, &sum, error));
    PML_TRY(pml_op_unmix_steps(context, &sum, &level->inverse, level->n_steps, true, &result, error));
    PML_TRY(pml_op_unmix_steps(context, &c, &level->inverse, level->n_steps, true, more, error));
    *detail = result;

done:
    return status;
}

static pml_status attend_self(pml_context *context, const fedformer *data, const fed_wavelets *w, const pml_tensor *v,
                              pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor details[FED_MAX_LEVELS], more[FED_MAX_LEVELS], series, x, up;
    PML_TRY(pml_linear_run(context, &w->in, v, PML_ACTIVATION_IDENTITY, NULL, &series, error));
    PML_TRY(pml_op_wrap(context, &series, w->n_padded, &x, error));
    for (size_t i = 0; i < w->n_levels; i++) {
        pml_tensor smooth;
        PML_TRY(halve(context, data, &x, &details[i], &smooth, error));
        PML_TRY(treat(context, w, &w->levels[i], &smooth, &details[i], &more[i], error));
        x = smooth;
    }
    PML_TRY(multiply(context, &x, &w->coarse.weight, &w->coarse.bias, x.shape[2], &up, error));
    for (size_t i = w->n_levels; i > 0; i--) {
        PML_TRY(rebuild(context, data, &up, &more[i - 1], &details[i - 1], &x, error));
        up = x;
    }
    PML_TRY(pml_op_slice(context, &up, 0, w->n_steps, &x, error));
    PML_TRY(pml_linear_run(context, &w->out, &x, PML_ACTIVATION_IDENTITY, NULL, y, error));

done:
    return status;
}

/* ---- between decoder and encoder ---- */
/* y [B, N, 8 c]: attention between the frequencies of q and k; heads are the 8 coefficients. */
static pml_status attend_level(pml_context *context, const fedformer *data, const fed_modes *level, const pml_tensor *q,
                               const pml_tensor *k, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_samples = q->shape[0], n_columns = q->shape[2], n_channels = data->wavelet_channels;
    const pml_tensor *from[] = {q, k};
    pml_tensor spectra[2], attended, series, runs, turned;
    if (level->n_modes == 0) { /* a series of one step has no frequency to keep */
        PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, q->shape, 3, y, error));
        memset(pml_tensor_f32(y), 0, pml_tensor_count(y) * sizeof(float));
        goto done;
    }
    for (size_t i = 0; i < 2; i++) {
        runs = *from[i];
        runs.shape[0] = n_samples * q->shape[1];
        runs.shape[1] = n_channels;
        runs.shape[2] = FED_BASIS;
        PML_TRY(pml_op_transpose(context, &runs, &turned, error));
        series = as_series(&turned, n_samples, n_columns);
        PML_TRY(pml_op_mix_steps(context, &level->table, &series, &spectra[i], error));
    }
    PML_TRY(pml_op_fourier_attention(context, &spectra[0], &spectra[1], FED_BASIS, data->activation, &attended, error));
    PML_TRY(pml_op_unmix_steps(context, &attended, &level->inverse, level->n_steps, true, &series, error));
    runs = series;
    runs.shape[0] = n_samples * q->shape[1];
    runs.shape[1] = FED_BASIS;
    runs.shape[2] = n_channels;
    PML_TRY(pml_op_transpose(context, &runs, &turned, error));
    *y = as_series(&turned, n_samples, n_columns);

done:
    return status;
}

/* x [B, n_padded, 8 c] of a projection's result, which is cut to the queries' steps or completed with zeros. */
static pml_status prepare(pml_context *context, const fed_cross_wavelets *w, const pml_linear *linear,
                          const pml_tensor *from, pml_tensor *x, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor projected, fitted;
    PML_TRY(pml_linear_run(context, linear, from, PML_ACTIVATION_IDENTITY, NULL, &projected, error));
    if (projected.shape[1] > w->n_steps) {
        PML_TRY(pml_op_slice(context, &projected, 0, w->n_steps, &fitted, error));
    } else {
        PML_TRY(pml_op_continue(context, &projected, projected.shape[1], NULL, w->n_steps - projected.shape[1], &fitted,
                                error));
    }
    PML_TRY(pml_op_wrap(context, &fitted, w->n_padded, x, error));

done:
    return status;
}

static pml_status attend_cross(pml_context *context, const fedformer *data, const fed_cross_wavelets *w,
                               const pml_tensor *q, const pml_tensor *k, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor details[FED_MAX_LEVELS], more[FED_MAX_LEVELS], queries, keys, up, x;
    PML_TRY(prepare(context, w, &w->q, q, &queries, error));
    PML_TRY(prepare(context, w, &w->k, k, &keys, error));
    for (size_t i = 0; i < w->n_levels; i++) {
        pml_tensor query_detail, key_detail, smooth_queries, smooth_keys, smooth;
        PML_TRY(halve(context, data, &queries, &query_detail, &smooth_queries, error));
        PML_TRY(halve(context, data, &keys, &key_detail, &smooth_keys, error));
        PML_TRY(attend_level(context, data, &w->levels[i], &query_detail, &key_detail, &more[i], error));
        PML_TRY(attend_level(context, data, &w->levels[i], &smooth_queries, &smooth_keys, &smooth, error));
        PML_TRY(pml_op_add(context, &more[i], &smooth, &details[i], error));
        queries = smooth_queries;
        keys = smooth_keys;
    }
    PML_TRY(attend_level(context, data, &w->levels[w->n_levels], &queries, &keys, &up, error));
    for (size_t i = w->n_levels; i > 0; i--) {
        PML_TRY(rebuild(context, data, &up, &more[i - 1], &details[i - 1], &x, error));
        up = x;
    }
    PML_TRY(pml_op_slice(context, &up, 0, w->n_steps, &x, error));
    PML_TRY(pml_linear_run(context, &w->out, &x, PML_ACTIVATION_IDENTITY, NULL, y, error));

done:
    return status;
}

pml_status pml_fed_wavelets_attend(pml_model *model, const pml_seasonal_attention *attention, pml_seasonal_place place,
                                   const pml_tensor *x, const pml_tensor *source, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const fedformer *data = pml_model_data(model);
    pml_tensor q, k, v;
    if (place == PML_SEASONAL_CROSS) {
        PML_TRY(pml_linear_run(context, &attention->q, x, PML_ACTIVATION_IDENTITY, NULL, &q, error));
        PML_TRY(pml_linear_run(context, &attention->k, source, PML_ACTIVATION_IDENTITY, NULL, &k, error));
        PML_TRY(attend_cross(context, data, &data->cross_wavelets, &q, &k, y, error));
    } else {
        PML_TRY(pml_linear_run(context, &attention->v, source, PML_ACTIVATION_IDENTITY, NULL, &v, error));
        PML_TRY(attend_self(context, data,
                            place == PML_SEASONAL_ENCODER ? &data->encoder_wavelets : &data->decoder_wavelets, &v, y,
                            error));
    }

done:
    return status;
}

/* Every level's tensors stay until the last is done. A level of N steps takes, in series of its own length, less than
 * 64 per input; levels halve, so all of them together take less than twice the first, of half the padded length. */
size_t pml_fed_wavelets_bytes(const pml_model *model, pml_seasonal_place place, size_t n_samples) {
    const fedformer *data = pml_model_data(model);
    const pml_seasonal *net = &data->net;
    const size_t n_steps = place == PML_SEASONAL_ENCODER ? net->context_length : net->label_length + net->horizon;
    const size_t n_source = place == PML_SEASONAL_DECODER ? n_steps : net->context_length;
    const size_t width = FED_BASIS * data->wavelet_channels, n_inputs = place == PML_SEASONAL_CROSS ? 2 : 1;
    const size_t level = PML_FLOATS(n_inputs, n_samples, padded_length(n_steps) + FED_MAX_LEVELS, width, 40);
    return PML_SUM(PML_FLOATS(n_samples, n_steps, net->d_model), PML_FLOATS(n_samples, n_source, net->d_model),
                   PML_FLOATS(n_samples, n_source, width), level);
}
