/* GPT-2: texts that go on where they were left. */
#include <string.h>

#include "runtime/models/gpt2/gpt2.h"

size_t pml_gpt2_extend_bytes(const pml_model *model, size_t n_rows, size_t n_sequences, size_t capacity) {
    const gpt2 *net = pml_model_data(model);
    const size_t pack =
        PML_SUM(PML_FLOATS(n_rows), PML_FLOATS(n_sequences), pml_context_bytes(net->n_layers, sizeof(pml_kv_cache)));
    const size_t head = PML_SUM(PML_FLOATS(n_rows, net->d_model), PML_FLOATS(n_sequences, net->d_model),
                                PML_FLOATS(n_sequences, net->vocab_size));
    const size_t decode = pml_gpt2_decode_bytes(net, n_rows, capacity);
    return PML_SUM(pack, head > decode ? head : decode);
}

/* The caches of all layers, in the workspace. */
static pml_status make_caches(pml_context *context, const gpt2 *net, const pml_model_growth *growth,
                              pml_kv_cache **caches, pml_error *error) {
    pml_status status = PML_OK;
    const size_t layer_step = growth->capacity * net->d_model;
    float *scratch;
    PML_TRY(pml_context_scratch(context, (net->n_layers * sizeof **caches + sizeof *scratch - 1) / sizeof *scratch,
                                &scratch, error));
    *caches = (pml_kv_cache *)(void *)scratch;
    for (size_t i = 0; i < net->n_layers; i++) {
        (*caches)[i] = (pml_kv_cache){.capacity = growth->capacity,
                                      .keys = growth->state[0] + i * layer_step,
                                      .values = growth->state[1] + i * layer_step,
                                      .sequence_step = net->n_layers * layer_step,
                                      .sequences = growth->sequences,
                                      .lengths = growth->lengths};
    }

done:
    return status;
}

/* Scores of what follows the last row of each sequence that wants them. */
static pml_status score(pml_context *context, const gpt2 *net, const pml_model_growth *growth, const pml_tensor *h,
                        pml_error *error) {
    pml_status status = PML_OK;
    pml_tensor last, rows, logits;
    size_t n_wanted = 0;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &growth->n_sequences, 1, &last, error));
    for (size_t i = 0; i < growth->n_sequences; i++) {
        if (growth->logits[i] != NULL) {
            pml_tensor_f32(&last)[n_wanted++] = (float)(growth->row_offsets[i + 1] - 1);
        }
    }
    if (n_wanted == 0) {
        goto done;
    }
    last.shape[0] = n_wanted;
    PML_TRY(pml_op_lookup(context, h, PML_LOOKUP_ROWS, &last, &rows, error));
    PML_TRY(pml_linear_run(context, &net->scores, &rows, PML_ACTIVATION_IDENTITY, NULL, &logits, error));
    const float *from = pml_tensor_f32_const(&logits);
    for (size_t i = 0; i < growth->n_sequences; i++) {
        if (growth->logits[i] != NULL) {
            memcpy(growth->logits[i], from, net->vocab_size * sizeof *from);
            from += net->vocab_size;
        }
    }

done:
    return status;
}

pml_status pml_gpt2_extend(pml_model *model, const pml_model_growth *growth, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const gpt2 *net = pml_model_data(model);
    gpt2_pack pack = {.n_rows = growth->row_offsets[growth->n_sequences],
                      .n_sequences = growth->n_sequences,
                      .row_offsets = growth->row_offsets,
                      .ids = growth->ids};
    pml_kv_cache *caches;
    pml_tensor h;
    PML_TRY(make_caches(context, net, growth, &caches, error));
    pack.caches = caches;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &pack.n_rows, 1, &pack.places, error));
    for (size_t i = 0; i < growth->n_sequences; i++) {
        for (size_t row = growth->row_offsets[i]; row < growth->row_offsets[i + 1]; row++) {
            pml_tensor_f32(&pack.places)[row] = (float)(growth->lengths[i] + row - growth->row_offsets[i]);
        }
    }
    PML_TRY(pml_gpt2_decode(model, &pack, 0, &h, error));
    PML_TRY(score(context, net, growth, &h, error));

done:
    return status;
}
