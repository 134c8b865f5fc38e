/* GPT-2: whole sequences at once, packed without padding, and the heads. */
#include <string.h>

#include "runtime/models/gpt2/gpt2.h"
#include "runtime/ops/score.h"

/* Tokens that go through the decoder at a time: enough for products to be bound by arithmetic, few enough for their
 * intermediate results to stay in the caches. */
#define BLOCK_ROWS 512u

/* Scores of the whole vocabulary are computed for as many rows at a time as this many floats hold. */
#define CHUNK_FLOATS ((size_t)1 << 22)

static size_t chunk_rows(const gpt2 *net, size_t n_rows) {
    size_t n = CHUNK_FLOATS / net->vocab_size;
    n = n < 16 ? 16 : n;
    return n < n_rows ? n : n_rows;
}

/* Storage of one forward: the pack, then the decoder or, beside its output, the head. */
static size_t forward_bytes(const gpt2 *net, size_t n_sequences, size_t n_tokens) {
    if (n_tokens > SIZE_MAX / 64 / n_sequences) {
        return SIZE_MAX;
    }
    const size_t n_rows = n_sequences * n_tokens;
    const size_t pack = PML_SUM(pml_context_bytes(n_sequences + 1, sizeof(size_t)), PML_FLOATS(n_rows),
                                PML_FLOATS(n_rows), PML_FLOATS(n_rows));
    size_t head = PML_FLOATS(n_rows, net->d_model);
    if (net->head == GPT2_HEAD_LANGUAGE) {
        head = PML_SUM(head, PML_FLOATS(chunk_rows(net, n_rows), net->vocab_size));
    } else if (net->head == GPT2_HEAD_SEQUENCE) {
        head = PML_SUM(head, PML_FLOATS(n_sequences), PML_FLOATS(n_sequences, net->d_model),
                       PML_FLOATS(n_sequences, net->n_labels));
    }
    const size_t decode = pml_gpt2_decode_bytes(net, n_rows, n_rows);
    return PML_SUM(pack, head > decode ? head : decode);
}

static pml_status plan(const pml_model *model, size_t batch, pml_model_plan *result, pml_error *error) {
    pml_status status = PML_OK;
    const gpt2 *net = pml_model_data(model);
    const size_t n_tokens = pml_model_n_tokens(model);
    if (n_tokens > net->n_positions) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "input 'input_ids' has %zu tokens, the model has positions for %zu",
                         n_tokens, net->n_positions));
    }
    size_t block = BLOCK_ROWS / n_tokens;
    block = block < 1 ? 1 : block > batch ? batch : block;
    *result = (pml_model_plan){.block = block, .workspace_bytes = forward_bytes(net, block, n_tokens)};

done:
    return status;
}

/* ---- packing ---- */
/* Whether that token of the step counts. */
static bool is_real(const float *mask, size_t at) {
    return mask == NULL || mask[at] != 0;
}

static pml_status count_rows(const pml_model_step *step, const float *mask, size_t n_tokens, size_t *n_rows,
                             pml_error *error) {
    pml_status status = PML_OK;
    *n_rows = 0;
    for (size_t i = 0; i < step->count; i++) {
        const size_t before = *n_rows;
        for (size_t k = 0; k < n_tokens; k++) {
            *n_rows += is_real(mask, i * n_tokens + k);
        }
        if (*n_rows == before) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "input 'attention_mask' leaves no token of sequence %zu",
                             step->first + i));
        }
    }

done:
    return status;
}

/* The tokens that count, with the positions that they have among all. */
static pml_status gather(pml_model *model, const pml_model_step *step, const float *mask, gpt2_pack *pack,
                         pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const size_t n_tokens = pml_model_n_tokens(model);
    const float *ids = pml_tensor_f32_const(pml_model_step_input(model, step, "input_ids"));
    float *scratch;
    *pack = (gpt2_pack){.n_sequences = step->count};
    PML_TRY(count_rows(step, mask, n_tokens, &pack->n_rows, error));
    /* Scratch counts floats; an offset takes the room of two. */
    PML_TRY(pml_context_scratch(context, (step->count + 1) * (sizeof(size_t) / sizeof(float)), &scratch, error));
    size_t *offsets = (size_t *)(void *)scratch;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &pack->n_rows, 1, &pack->ids, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &pack->n_rows, 1, &pack->places, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &pack->n_rows, 1, &pack->slots, error));
    size_t row = 0;
    for (size_t i = 0; i < step->count; i++) {
        offsets[i] = row;
        for (size_t k = 0; k < n_tokens; k++) {
            if (is_real(mask, i * n_tokens + k)) {
                pml_tensor_f32(&pack->ids)[row] = ids[i * n_tokens + k];
                pml_tensor_f32(&pack->places)[row] = (float)k;
                pml_tensor_f32(&pack->slots)[row] = (float)(i * n_tokens + k);
                row++;
            }
        }
    }
    offsets[step->count] = row;
    pack->row_offsets = offsets;

done:
    return status;
}

/* ---- outputs ---- */
/* Padding is never computed: it is 0. */
static void clear_padding(const pml_model *model, const pml_model_step *step, const gpt2_pack *pack, const char *name) {
    const pml_tensor *output = pml_model_step_output(model, step, name);
    if (output != NULL && pack->n_rows < step->count * pml_model_n_tokens(model)) {
        memset(pml_tensor_f32(output), 0, pml_tensor_count(output) * sizeof(float));
    }
}

/* `values` [rows, n], rows first_row .. of the pack, become tokens of an output [B, T, n]. */
static pml_status store_rows(pml_model *model, const pml_model_step *step, const gpt2_pack *pack, const char *name,
                             const pml_tensor *values, size_t first_row, pml_error *error) {
    if (pml_model_step_hand(model, step, name, values)) { /* no padding */
        return PML_OK;
    }
    pml_tensor to = *pml_model_step_output(model, step, name);
    to.rank = 2;
    to.shape[0] = pack->n_sequences * pml_model_n_tokens(model);
    to.shape[1] = pml_tensor_columns(values);
    const pml_tensor slots = pml_model_rows(&pack->slots, first_row, pml_tensor_rows(values));
    return pml_op_scatter(pml_model_context(model), values, &slots, 0, &to, error);
}

static pml_status score_tokens(pml_model *model, const pml_model_step *step, const gpt2_pack *pack, const pml_tensor *h,
                               pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const gpt2 *net = pml_model_data(model);
    const size_t mark = pml_context_mark(context); /* all rows at once where they are recorded: one output, one op */
    const size_t n_chunk = context->tape != NULL ? pack->n_rows : chunk_rows(net, pack->n_rows);
    clear_padding(model, step, pack, "logits");
    for (size_t row = 0; row < pack->n_rows; row += n_chunk) {
        const size_t n = pack->n_rows - row < n_chunk ? pack->n_rows - row : n_chunk;
        const pml_tensor rows = pml_model_rows(h, row, n);
        pml_tensor scores;
        PML_TRY(pml_linear_run(context, &net->scores, &rows, PML_ACTIVATION_IDENTITY, NULL, &scores, error));
        PML_TRY(store_rows(model, step, pack, "logits", &scores, row, error));
        pml_context_release(context, mark, NULL);
    }

done:
    return status;
}

/* The scores go to who takes them. */
static pml_status give_scores(pml_model *model, const pml_model_step *step, const gpt2_pack *pack, const pml_tensor *h,
                              pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const gpt2 *net = pml_model_data(model);
    const size_t mark = pml_context_mark(context), first_slot = step->first * pml_model_n_tokens(model);
    pml_tensor rows, slots, loss;
    PML_TRY(pml_score_pick(context, h, &pack->slots, first_slot, &rows, &slots, error));
    PML_TRY(pml_op_score(context, &rows, &net->scores.weight, net->scores.has_bias ? &net->scores.bias : NULL, &slots,
                         first_slot, &loss, error));
    pml_model_step_taken(model, "logits", &loss);
    pml_context_release(context, mark, NULL);

done:
    return status;
}

/* A sequence is classified by its last token that is no padding, by its first where all are. */
static size_t deciding_row(const gpt2 *net, const gpt2_pack *pack, size_t i) {
    const float *ids = pml_tensor_f32_const(&pack->ids);
    size_t row = pack->row_offsets[i + 1] - 1;
    while (row > pack->row_offsets[i] && (size_t)ids[row] == net->pad_token) {
        row--;
    }
    return row;
}

static pml_status score_sequences(pml_model *model, const pml_model_step *step, const gpt2_pack *pack,
                                  const pml_tensor *h, pml_error *error) {
    pml_status status = PML_OK;
    pml_context *context = pml_model_context(model);
    const gpt2 *net = pml_model_data(model);
    pml_tensor last, rows, scores;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, &pack->n_sequences, 1, &last, error));
    for (size_t i = 0; i < pack->n_sequences; i++) {
        pml_tensor_f32(&last)[i] = (float)deciding_row(net, pack, i);
    }
    PML_TRY(pml_op_lookup(context, h, PML_LOOKUP_ROWS, &last, &rows, error));
    PML_TRY(pml_linear_run(context, &net->scores, &rows, PML_ACTIVATION_IDENTITY, NULL, &scores, error));
    PML_TRY(pml_model_step_store(model, step, "logits", &scores, error));

done:
    return status;
}

static pml_status forward(pml_model *model, const pml_model_step *step, pml_error *error) {
    pml_status status = PML_OK;
    const gpt2 *net = pml_model_data(model);
    const pml_tensor *attention_mask = pml_model_step_input(model, step, "attention_mask");
    gpt2_pack pack;
    pml_tensor h;
    PML_TRY(gather(model, step, attention_mask == NULL ? NULL : pml_tensor_f32_const(attention_mask), &pack, error));
    PML_TRY(pml_gpt2_decode(model, &pack, step->first, &h, error));
    clear_padding(model, step, &pack, "last_hidden_state");
    PML_TRY(store_rows(model, step, &pack, "last_hidden_state", &h, 0, error));
    if (net->head == GPT2_HEAD_LANGUAGE && pml_model_context(model)->taker != NULL && net->scores.adapter == NULL) {
        PML_TRY(give_scores(model, step, &pack, &h, error));
    } else if (net->head == GPT2_HEAD_LANGUAGE) {
        PML_TRY(score_tokens(model, step, &pack, &h, error));
    } else if (net->head == GPT2_HEAD_SEQUENCE) {
        PML_TRY(score_sequences(model, step, &pack, &h, error));
    }

done:
    return status;
}

extern const pml_model_family pml_model_gpt2;
const pml_model_family pml_model_gpt2 = {
    .data_bytes = sizeof(gpt2),
    .load = pml_gpt2_load,
    .plan = plan,
    .forward = forward,
    .extend_bytes = pml_gpt2_extend_bytes,
    .extend = pml_gpt2_extend,
    .takes_adapters = true,
};
