/* FEDformer: a few frequencies of series in the network of runtime/models/seasonal.h (specs/models/fedformer.md). */
#include "runtime/models/fedformer/fedformer.h"

static pml_status attend_self(pml_context *context, const fedformer *data, const fed_fourier *part, const pml_tensor *q,
                              pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor spectrum, mixed;
    PML_TRY(pml_op_mix_steps(context, &part->modes.table, q, &spectrum, error));
    PML_TRY(pml_op_mix_modes(context, &spectrum, data->n_heads, &part->real, &part->imaginary, &mixed, error));
    PML_TRY(pml_op_unmix_steps(context, &mixed, &part->modes.inverse, part->modes.n_steps, false, y, error));

done:
    return status;
}

static pml_status attend_cross(pml_context *context, const fedformer *data, const pml_tensor *q, const pml_tensor *k,
                               pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const fed_fourier *part = &data->cross;
    pml_tensor queries, keys, attended, mixed;
    PML_TRY(pml_op_mix_steps(context, &part->modes.table, q, &queries, error));
    PML_TRY(pml_op_mix_steps(context, &data->keys.table, k, &keys, error));
    PML_TRY(pml_op_fourier_attention(context, &queries, &keys, data->n_heads, data->activation, &attended, error));
    PML_TRY(pml_op_mix_modes(context, &attended, data->n_heads, &part->real, &part->imaginary, &mixed, error));
    PML_TRY(pml_op_unmix_steps(context, &mixed, &part->modes.inverse, part->modes.n_steps, false, y, error));

done:
    return status;
}

/* Values are projected nowhere: the blocks do not use them, and those of one series not its keys either. */
static pml_status attend(pml_model *model, const pml_seasonal_attention *attention, pml_seasonal_place place,
                         const pml_tensor *x, const pml_tensor *source, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const fedformer *data = pml_model_data(model);
    pml_tensor q, k;
    PML_TRY(pml_linear_run(context, &attention->q, x, PML_ACTIVATION_IDENTITY, NULL, &q, error));
    if (place == PML_SEASONAL_CROSS) {
        PML_TRY(pml_linear_run(context, &attention->k, source, PML_ACTIVATION_IDENTITY, NULL, &k, error));
        PML_TRY(attend_cross(context, data, &q, &k, y, error));
    } else {
        PML_TRY(
            attend_self(context, data, place == PML_SEASONAL_ENCODER ? &data->encoder : &data->decoder, &q, y, error));
    }

done:
    return status;
}

static size_t attend_bytes(const pml_model *model, pml_seasonal_place place, size_t n_samples) {
    const fedformer *data = pml_model_data(model);
    const pml_seasonal *net = &data->net;
    const size_t n_steps = place == PML_SEASONAL_ENCODER ? net->context_length : net->label_length + net->horizon;
    const fed_fourier *part = place == PML_SEASONAL_ENCODER   ? &data->encoder
                              : place == PML_SEASONAL_DECODER ? &data->decoder
                                                              : &data->cross;
    const size_t n_modes = part->modes.n_modes, n_keys = place == PML_SEASONAL_CROSS ? data->keys.n_modes : 0;
    const size_t spectrum = PML_FLOATS(2, n_samples, n_modes, net->d_model);
    size_t bytes =
        PML_SUM(PML_FLOATS(n_samples, n_steps, net->d_model), spectrum,
                pml_mix_modes_bytes(n_samples, n_modes, net->d_model), PML_FLOATS(n_samples, n_steps, net->d_model));
    if (place == PML_SEASONAL_CROSS) {
        bytes = PML_SUM(bytes, PML_FLOATS(n_samples, net->context_length, net->d_model),
                        PML_FLOATS(2, n_samples, n_keys, net->d_model),
                        pml_fourier_attention_bytes(n_samples, n_modes, net->d_model));
    }
    return bytes;
}

static pml_status load(pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    fedformer *data = pml_model_data(model);
    PML_TRY(pml_fedformer_load(model, error));
    data->net.attend = data->is_fourier ? attend : pml_fed_wavelets_attend;
    data->net.attend_bytes = data->is_fourier ? attend_bytes : pml_fed_wavelets_bytes;

done:
    return status;
}

static pml_status plan(const pml_model *model, size_t batch, pml_model_plan *result, pml_error *error) {
    (void)error;
    const pml_seasonal *net = &((const fedformer *)pml_model_data(model))->net;
    const size_t block = pml_model_block(model, batch, pml_seasonal_bytes(model, net, 1));
    *result = (pml_model_plan){.block = block, .workspace_bytes = pml_seasonal_bytes(model, net, block)};
    return PML_OK;
}

static pml_status forward(pml_model *model, const pml_model_step *step, pml_error *error) {
    return pml_seasonal_forward(model, &((const fedformer *)pml_model_data(model))->net, step, error);
}

extern const pml_model_family pml_model_fedformer;
const pml_model_family pml_model_fedformer = {
    .data_bytes = sizeof(fedformer),
    .load = load,
    .plan = plan,
    .forward = forward,
};
