/* The forward of runtime/models/seasonal.h. */
#include "runtime/models/seasonal.h"

#include <string.h>

#define TAPS 3u

/* ---- season and trend ---- */
/* The averages of several windows, weighed: *trend [B, T, C]. The workspace gets it alone. */
static pml_status weigh_averages(pml_context *context, const pml_seasonal_split *split, const pml_tensor *x,
                                 pml_tensor *trend, pml_error *error) {
    pml_status status = PML_OK;
    const size_t base = pml_context_mark(context);
    pml_tensor averages[PML_SEASONAL_MAX_KERNELS], values = *x, scores;
    for (size_t i = 0; i < split->n_kernels; i++) {
        PML_TRY(pml_op_moving_average(context, x, split->kernels[i], &averages[i], error));
    }
    values.rank = 2;
    values.shape[0] = pml_tensor_count(x);
    values.shape[1] = 1;
    PML_TRY(pml_linear_run(context, &split->gate, &values, PML_ACTIVATION_IDENTITY, NULL, &scores, error));
    PML_TRY(pml_op_weigh(context, averages, split->n_kernels, &scores, trend, error));
    pml_context_release(context, base, trend);

done:
    return status;
}

/* *trend and *season [B, T, C] of x = trend + season: they are added to the workspace in that order. */
static pml_status take_apart(pml_context *context, const pml_seasonal_split *split, const pml_tensor *x,
                             pml_tensor *season, pml_tensor *trend, pml_error *error) {
    pml_status status = PML_OK;
    if (split->n_kernels > 1) {
        PML_TRY(weigh_averages(context, split, x, trend, error));
    } else {
        PML_TRY(pml_op_moving_average(context, x, split->kernels[0], trend, error));
    }
    PML_TRY(pml_op_subtract(context, x, trend, season, error));

done:
    return status;
}

/* Moves `value` to *held, which outlives it; with a tape everything does. */
static void hand_over(const pml_context *context, const pml_tensor *value, pml_tensor *held) {
    if (context->tape != NULL) {
        *held = *value;
        return;
    }
    memcpy(pml_tensor_f32(held), pml_tensor_f32_const(value), pml_tensor_count(value) * sizeof(float));
}

/* *held += value, where *held lies before it in the workspace. */
static pml_status add_to(pml_context *context, const pml_tensor *value, pml_tensor *held, pml_error *error) {
    pml_tensor sum;
    pml_status status = pml_op_add(context, held, value, &sum, error);
    if (status == PML_OK) {
        hand_over(context, &sum, held);
    }
    return status;
}

/* *h, which is all that the workspace holds from `base` on, becomes its season. The trend goes to *trends: it replaces
 * it (is_first) or is added. NULL: it is not wanted. */
static pml_status split_off(pml_context *context, const pml_seasonal_split *split, size_t base, bool is_first,
                            pml_tensor *h, pml_tensor *trends, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor season, trend;
    PML_TRY(take_apart(context, split, h, &season, &trend, error));
    if (trends != NULL && is_first) {
        hand_over(context, &trend, trends);
    } else if (trends != NULL) {
        PML_TRY(add_to(context, &trend, trends, error));
    }
    *h = season;
    pml_context_release(context, base, h);

done:
    return status;
}

/* ---- layers: the workspace from `base` on holds h alone, before and after ---- */
/* *h += linear(x), of which dropout leaves some in training. */
static pml_status add_linear(pml_context *context, const pml_seasonal *net, const pml_linear *linear,
                             const pml_tensor *x, pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor y, sum;
    if (context->training == NULL || net->dropout == 0) {
        PML_TRY(pml_linear_run(context, linear, x, PML_ACTIVATION_IDENTITY, h, &sum, error));
    } else {
        PML_TRY(pml_linear_run(context, linear, x, PML_ACTIVATION_IDENTITY, NULL, &y, error));
        PML_TRY(pml_op_dropout(context, &y, net->dropout, &y, error));
        PML_TRY(pml_op_add(context, h, &y, &sum, error));
    }
    *h = sum;

done:
    return status;
}

/* h += out(attention(h, source)). */
static pml_status attend(pml_model *model, const pml_seasonal *net, const pml_seasonal_attention *attention,
                         pml_seasonal_place place, const pml_tensor *source, size_t base, pml_tensor *h,
                         pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    pml_tensor y;
    PML_TRY(net->attend(model, attention, place, h, source, &y, error));
    PML_TRY(add_linear(context, net, &attention->out, &y, h, error));
    pml_context_release(context, base, h);

done:
    return status;
}

static pml_status feed_forward(pml_context *context, const pml_seasonal *net, const pml_seasonal_layer *layer,
                               size_t base, pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor up;
    PML_TRY(pml_linear_run(context, &layer->up, h, net->activation, NULL, &up, error));
    PML_TRY(pml_op_dropout(context, &up, net->dropout, &up, error));
    PML_TRY(add_linear(context, net, &layer->down, &up, h, error));
    pml_context_release(context, base, h);

done:
    return status;
}

/* The layer norm of these networks: its result less its mean over time. */
static pml_status normalize(pml_context *context, const pml_norm *norm, size_t base, pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor normed, centered;
    PML_TRY(pml_op_norm(context, h, norm, &normed, error));
    PML_TRY(pml_op_center(context, &normed, &centered, error));
    *h = centered;
    pml_context_release(context, base, h);

done:
    return status;
}

/* h [b, T, D] of the look-back window. */
static pml_status encode(pml_model *model, const pml_seasonal *net, const pml_model_step *step, pml_tensor *h,
                         pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const size_t base = pml_context_mark(context);
    PML_TRY(pml_data_embedding_run(context, &net->encoder_embedding, pml_model_step_input(model, step, PML_PORT_VALUES),
                                   pml_model_step_input(model, step, PML_PORT_MARKS), h, error));
    pml_context_show(context, "enc_embedding", step->first, h);
    for (size_t i = 0; i < net->n_encoder_layers; i++) {
        const pml_seasonal_layer *layer = &net->encoder_layers[i];
        PML_TRY(attend(model, net, &layer->attention, PML_SEASONAL_ENCODER, h, base, h, error));
        PML_TRY(split_off(context, &layer->splits[0], base, true, h, NULL, error));
        PML_TRY(feed_forward(context, net, layer, base, h, error));
        PML_TRY(split_off(context, &layer->splits[1], base, true, h, NULL, error));
    }
    PML_TRY(normalize(context, &net->encoder_norm, base, h, error));
    pml_context_show(context, "encoder", step->first, h);

done:
    return status;
}

/* One decoder layer; what it finds of the trend is added to *trend [b, U, C]. */
static pml_status decode_layer(pml_model *model, const pml_seasonal *net, const pml_seasonal_layer *layer,
                               const pml_tensor *encoded, size_t base, pml_tensor *h, pml_tensor *trends,
                               pml_tensor *trend, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    pml_tensor steps, more;
    PML_TRY(attend(model, net, &layer->attention, PML_SEASONAL_DECODER, h, base, h, error));
    PML_TRY(split_off(context, &layer->splits[0], base, true, h, trends, error));
    PML_TRY(attend(model, net, &layer->cross, PML_SEASONAL_CROSS, encoded, base, h, error));
    PML_TRY(split_off(context, &layer->splits[1], base, false, h, trends, error));
    PML_TRY(feed_forward(context, net, layer, base, h, error));
    PML_TRY(split_off(context, &layer->splits[2], base, false, h, trends, error));
    const size_t mark = pml_context_mark(context);
    PML_TRY(pml_op_unfold(context, trends, TAPS, PML_UNFOLD_CIRCULAR, &steps, error));
    PML_TRY(pml_linear_run(context, &layer->trend, &steps, PML_ACTIVATION_IDENTITY, NULL, &more, error));
    PML_TRY(add_to(context, &more, trend, error));
    pml_context_release(context, mark, NULL);

done:
    return status;
}

/* h [b, U, D] and *trend [b, U, C], U = label_length + S: both parts of the last steps and of the horizon. */
static pml_status decode(pml_model *model, const pml_seasonal *net, const pml_model_step *step,
                         const pml_tensor *encoded, pml_tensor *h, pml_tensor *trend, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const pml_tensor *x = pml_model_step_input(model, step, PML_PORT_VALUES);
    pml_tensor season, level, start, trends;
    PML_TRY(take_apart(context, &net->split, x, &season, &level, error));
    PML_TRY(pml_op_continue(context, &level, net->label_length, x, net->horizon, trend, error));
    PML_TRY(pml_op_continue(context, &season, net->label_length, NULL, net->horizon, &start, error));
    const size_t shape[] = {step->count, net->label_length + net->horizon, net->d_model};
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, shape, 3, &trends, error));
    const size_t base = pml_context_mark(context);
    PML_TRY(pml_data_embedding_run(context, &net->decoder_embedding, &start,
                                   pml_model_step_input(model, step, PML_PORT_DECODER_MARKS), h, error));
    for (size_t i = 0; i < net->n_decoder_layers; i++) {
        PML_TRY(decode_layer(model, net, &net->decoder_layers[i], encoded, base, h, &trends, trend, error));
    }
    PML_TRY(normalize(context, &net->decoder_norm, base, h, error));

done:
    return status;
}

pml_status pml_seasonal_forward(pml_model *model, const pml_seasonal *net, const pml_model_step *step,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    pml_tensor encoded, h, trend, sum, forecast;
    PML_TRY(encode(model, net, step, &encoded, error));
    PML_TRY(decode(model, net, step, &encoded, &h, &trend, error));
    PML_TRY(pml_linear_run(context, &net->head, &h, PML_ACTIVATION_IDENTITY, &trend, &sum, error));
    PML_TRY(pml_op_slice(context, &sum, net->label_length, net->horizon, &forecast, error));
    PML_TRY(pml_model_step_store(model, step, PML_PORT_FORECAST, &forecast, error));

done:
    return status;
}

/* ---- storage ---- */
/* Of one layer's sublayers over [n, T, D], h included. */
static size_t layer_bytes(const pml_model *model, const pml_seasonal *net, pml_seasonal_place place, size_t n_samples,
                          size_t n_steps, size_t n_averages) {
    const size_t features = PML_FLOATS(n_samples, n_steps, net->d_model);
    const size_t attention = PML_SUM(net->attend_bytes(model, place, n_samples), features);
    const size_t feed = PML_SUM(PML_FLOATS(n_samples, n_steps, net->ffn_dim), features);
    size_t split = PML_SUM(features, features, features);
    if (n_averages > 1) {
        for (size_t i = 0; i <= n_averages; i++) {
            split = PML_SUM(split, features);
        }
        split = PML_SUM(split, PML_FLOATS(n_samples, n_steps, net->d_model, n_averages));
    }
    size_t most = attention > feed ? attention : feed;
    most = most > split ? most : split;
    return PML_SUM(features, most);
}

size_t pml_seasonal_bytes(const pml_model *model, const pml_seasonal *net, size_t n_samples) {
    const size_t n_window = net->context_length, n_decoded = net->label_length + net->horizon;
    const size_t n_averages = net->split.n_kernels;
    const size_t window = PML_FLOATS(n_samples, n_window, net->n_channels);
    const size_t series = PML_FLOATS(n_samples, n_decoded, net->n_channels);
    const size_t features = PML_FLOATS(n_samples, n_decoded, net->d_model);
    const size_t encoded = PML_FLOATS(n_samples, n_window, net->d_model);
    size_t encoder = layer_bytes(model, net, PML_SEASONAL_ENCODER, n_samples, n_window, n_averages);
    const size_t embedding = pml_data_embedding_bytes(&net->encoder_embedding, n_samples, n_window);
    encoder = encoder > embedding ? encoder : embedding;
    size_t decoder = layer_bytes(model, net, PML_SEASONAL_DECODER, n_samples, n_decoded, n_averages);
    const size_t sizes[] = {
        layer_bytes(model, net, PML_SEASONAL_CROSS, n_samples, n_decoded, n_averages),
        pml_data_embedding_bytes(&net->decoder_embedding, n_samples, n_decoded),
        PML_SUM(features, PML_FLOATS(n_samples, n_decoded, TAPS, net->d_model), series, series), /* the trend */
        PML_SUM(features, series, series)                                                        /* the head */
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        decoder = decoder > sizes[i] ? decoder : sizes[i];
    }
    size_t apart = PML_SUM(window, window, series, series, features);
    for (size_t i = 0; n_averages > 1 && i <= n_averages; i++) {
        apart = PML_SUM(apart, window, window);
    }
    decoder = PML_SUM(encoded, apart, decoder);
    return encoder > decoder ? encoder : decoder;
}
