/* Sessions: the state of texts that grow, and the steps over their new tokens. Nothing here knows a family: the schema
 * says what the state is, the family's `extend` fills it. */
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/checked.h"
#include "runtime/models/model_private.h"

/* New tokens that are computed together: enough for products to be bound by arithmetic. */
#define BLOCK_ROWS 256u

enum { MAX_STATES = 4 };

typedef struct state {     /* a port of the schema's state, [B, ..., T, inner] */
    float *values;         /* 64-byte aligned */
    size_t sequence_count; /* elements of one sequence */
    size_t inner_count;    /* of one token in one of its blocks [T, inner] */
} state;

struct pml_session {
    pml_model *model; /* borrowed */
    size_t n_sequences, vocab_size;
    size_t limit;    /* tokens that a text may have */
    size_t capacity; /* and that there is room for: the limit as whole panels */
    state states[MAX_STATES];
    size_t n_states;
    size_t *lengths; /* [n_sequences] */
    bool *has_next;  /* [n_sequences] whether `next` is of the present length */
    float *next;     /* [n_sequences][V] */
    size_t *memory;  /* of what follows */
    size_t *before;  /* [n_sequences] lengths at the beginning of a feed */
    size_t *taken;   /* [n_sequences] tokens of each text of a feed that are done */
    size_t *offsets; /* [n_sequences + 1] of a block */
    size_t *members; /* [n_sequences] of a block: which sequence */
    size_t *grown;   /* [n_sequences] of a block: its length before it */
    float **wanted;  /* [n_sequences] of a block */
    float *ids;      /* [BLOCK_ROWS] */
};

/* ---- creation ---- */
static pml_status find_ports(const pml_model *model, size_t *vocab_size, size_t *n_positions, pml_error *error) {
    pml_status status = PML_OK;
    const pml_model_port *ids = pml_model_find_input(model, "input_ids");
    const pml_model_port *scores = pml_model_find_output(model, "logits");
    if (model->family->extend == NULL || model->schema->state == NULL || ids == NULL || scores == NULL ||
        scores->rank != 3 || scores->token_axis != 1 || scores->shape[2] != ids->index_below) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "this %s model does not go on with texts: it is no language model",
                         model->schema->name));
    }
    *vocab_size = scores->shape[2];
    PML_TRY(pml_model_config_size(model, "max_positions", n_positions, error));

done:
    return status;
}

static pml_status allocate_states(pml_session *session, pml_error *error) {
    pml_status status = PML_OK;
    const pml_schema *schema = session->model->schema;
    for (const pml_port_spec *spec = schema->state; spec->name != NULL; spec++) {
        uint64_t shape[PML_MAX_RANK], count = 1, bytes = 0;
        unsigned rank;
        state *made = &session->states[session->n_states];
        if (session->n_states == MAX_STATES) {
            PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "more than %d states", (int)MAX_STATES));
        }
        PML_TRY(pml_schema_port_dims(schema, pml_model_metadata(session->model), spec->dims, 1, session->capacity,
                                     shape, &rank, error));
        if (!pml_ck_product(shape, rank, &count) || !pml_ck_mul(count, session->n_sequences, &bytes) ||
            !pml_ck_mul(bytes, sizeof(float), &bytes) || bytes > SIZE_MAX / 2) {
            PML_TRY(PML_FAIL(error, PML_E_MEMORY, "a session of this size does not fit into memory"));
        }
        made->sequence_count = (size_t)count;
        made->inner_count = (size_t)shape[rank - 1];
        PML_TRY(pml_alloc_aligned((size_t)bytes, (void **)&made->values, error));
        session->n_states++;
    }

done:
    return status;
}

static pml_status allocate(pml_session *session, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n = session->n_sequences;
    PML_TRY(pml_alloc(n, sizeof *session->lengths, &session->lengths, error));
    PML_TRY(pml_alloc(n, sizeof *session->has_next, &session->has_next, error));
    PML_TRY(pml_alloc(n, session->vocab_size * sizeof *session->next, &session->next, error));
    PML_TRY(pml_alloc(n + 1, 5 * sizeof *session->memory, &session->memory, error));
    PML_TRY(pml_alloc(n, sizeof *session->wanted, &session->wanted, error));
    PML_TRY(pml_alloc(BLOCK_ROWS, sizeof *session->ids, &session->ids, error));
    session->before = session->memory;
    session->taken = session->before + n + 1;
    session->offsets = session->taken + n + 1;
    session->members = session->offsets + n + 1;
    session->grown = session->members + n + 1;
    PML_TRY(allocate_states(session, error));

done:
    return status;
}

pml_status pml_session_create(pml_model *model, size_t n_sequences, size_t n_positions, pml_session **session,
                              pml_error *error) {
    pml_status status = PML_OK;
    pml_session *made = NULL;
    size_t vocab_size = 0, most = 0;
    PML_TRY(find_ports(model, &vocab_size, &most, error));
    if (n_sequences == 0 || n_sequences > SIZE_MAX / 64 || n_positions > most) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT,
                         "a session of %zu texts of %zu tokens: at least one is needed, and the model has positions "
                         "for %zu",
                         n_sequences, n_positions, most));
    }
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->model = model;
    made->n_sequences = n_sequences;
    made->vocab_size = vocab_size;
    made->limit = n_positions > 0 ? n_positions : most;
    made->capacity = (made->limit + PML_KV_PANEL - 1) / PML_KV_PANEL * PML_KV_PANEL;
    PML_TRY(allocate(made, error));
    *session = made;
    made = NULL;

done:
    pml_session_destroy(made);
    return status;
}

void pml_session_destroy(pml_session *session) {
    if (session != NULL) {
        for (size_t i = 0; i < session->n_states; i++) {
            pml_free(session->states[i].values);
        }
        pml_free(session->lengths);
        pml_free(session->has_next);
        pml_free(session->next);
        pml_free(session->memory);
        pml_free(session->wanted);
        pml_free(session->ids);
        pml_free(session);
    }
}

/* What the tokens so far have of one state. Panels begun are copied whole. */
static void copy_state(const pml_session *from, size_t i_state, pml_session *to) {
    const state *a = &from->states[i_state];
    const size_t token_count = a->inner_count, block = from->capacity * token_count;
    for (size_t i = 0; i < from->n_sequences; i++) {
        const size_t n_tokens = (from->lengths[i] + PML_KV_PANEL - 1) / PML_KV_PANEL * PML_KV_PANEL;
        for (size_t at = 0; at < a->sequence_count; at += block) {
            const size_t first = i * a->sequence_count + at;
            memcpy(to->states[i_state].values + first, a->values + first, n_tokens * token_count * sizeof *a->values);
        }
    }
}

pml_status pml_session_fork(const pml_session *session, pml_session **fork, pml_error *error) {
    pml_status status = PML_OK;
    pml_session *made = NULL;
    PML_TRY(pml_session_create(session->model, session->n_sequences, session->limit, &made, error));
    const size_t n = session->n_sequences;
    memcpy(made->lengths, session->lengths, n * sizeof *made->lengths);
    memcpy(made->has_next, session->has_next, n * sizeof *made->has_next);
    memcpy(made->next, session->next, n * session->vocab_size * sizeof *made->next);
    for (size_t i = 0; i < session->n_states; i++) {
        copy_state(session, i, made);
    }
    *fork = made;

done:
    return status;
}

/* ---- what a session has ---- */
size_t pml_session_vocabulary(const pml_session *session) {
    return session->vocab_size;
}

size_t pml_session_capacity(const pml_session *session) {
    return session->limit;
}

size_t pml_session_length(const pml_session *session, size_t i_sequence) {
    return i_sequence < session->n_sequences ? session->lengths[i_sequence] : 0;
}

static pml_status check_sequence(const pml_session *session, size_t i_sequence, pml_error *error) {
    return i_sequence < session->n_sequences
               ? PML_OK
               : PML_FAIL(error, PML_E_ARGUMENT, "there is no text %zu in a session of %zu", i_sequence,
                          session->n_sequences);
}

pml_status pml_session_next(const pml_session *session, size_t i_sequence, const float **scores, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(check_sequence(session, i_sequence, error));
    if (!session->has_next[i_sequence]) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "text %zu was not fed: nothing says what follows", i_sequence));
    }
    *scores = session->next + i_sequence * session->vocab_size;

done:
    return status;
}

pml_status pml_session_truncate(pml_session *session, size_t i_sequence, size_t n_tokens, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(check_sequence(session, i_sequence, error));
    if (n_tokens > session->lengths[i_sequence]) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "text %zu has %zu tokens, not %zu to keep", i_sequence,
                         session->lengths[i_sequence], n_tokens));
    }
    session->has_next[i_sequence] = session->has_next[i_sequence] && n_tokens == session->lengths[i_sequence];
    session->lengths[i_sequence] = n_tokens;

done:
    return status;
}

/* ---- steps ---- */
static pml_status check_texts(pml_session *session, const pml_session_tokens *texts, size_t n_texts, pml_error *error) {
    pml_status status = PML_OK;
    if (n_texts == 0 || n_texts > session->n_sequences) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu texts to go on with, in a session of %zu", n_texts,
                         session->n_sequences));
    }
    memset(session->taken, 0, session->n_sequences * sizeof *session->taken);
    for (size_t i = 0; i < n_texts; i++) {
        const pml_session_tokens *text = &texts[i];
        PML_TRY(check_sequence(session, text->i_sequence, error));
        if (session->taken[text->i_sequence]++ > 0 || text->count == 0) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "text %zu is %s", text->i_sequence,
                             text->count == 0 ? "given no token" : "named twice"));
        }
        const size_t length = session->lengths[text->i_sequence];
        if (text->count > session->limit - length) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT,
                             "text %zu has %zu tokens, and %zu more do not fit: there are %zu positions",
                             text->i_sequence, length, text->count, session->limit));
        }
        for (size_t k = 0; k < text->count; k++) {
            if (text->ids[k] >= session->vocab_size) {
                PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "token %zu of text %zu is %lu; there are %zu tokens", k,
                                 text->i_sequence, (unsigned long)text->ids[k], session->vocab_size));
            }
        }
    }

done:
    return status;
}

/* Takes as many tokens as a block holds, text by text: how many sequences are in it. */
static size_t fill_block(pml_session *session, const pml_session_tokens *texts, size_t n_texts) {
    size_t n = 0, n_rows = 0;
    for (size_t i = 0; i < n_texts && n_rows < BLOCK_ROWS; i++) {
        const pml_session_tokens *text = &texts[i];
        const size_t done = session->taken[i], left = text->count - done;
        const size_t count = left < BLOCK_ROWS - n_rows ? left : BLOCK_ROWS - n_rows;
        if (count == 0) {
            continue;
        }
        for (size_t k = 0; k < count; k++) {
            session->ids[n_rows + k] = (float)text->ids[done + k];
        }
        session->offsets[n] = n_rows;
        session->members[n] = text->i_sequence;
        session->grown[n] = session->lengths[text->i_sequence];
        session->wanted[n] = count == left ? session->next + text->i_sequence * session->vocab_size : NULL;
        session->taken[i] += count;
        session->lengths[text->i_sequence] += count;
        n_rows += count;
        n++;
    }
    session->offsets[n] = n_rows;
    return n;
}

static pml_status run_block(pml_session *session, size_t n, pml_error *error) {
    pml_status status = PML_OK;
    pml_model *model = session->model;
    const size_t n_rows = session->offsets[n];
    float *states[MAX_STATES];
    pml_buffer buffer;
    for (size_t i = 0; i < session->n_states; i++) {
        states[i] = session->states[i].values;
    }
    PML_TRY(pml_cancel_check(error));
    size_t workspace_bytes = model->family->extend_bytes(model, n_rows, n, session->capacity);
    if (model->adapters != NULL) {
        workspace_bytes = PML_SUM(workspace_bytes, pml_low_rank_bytes(n_rows, model->adapters->recipe.rank));
    }
    PML_TRY(pml_context_step_begin(&model->context, workspace_bytes, 0, error));
    PML_TRY(model->family->extend(
        model,
        &(pml_model_growth){.ids = pml_context_view(session->ids, PML_DTYPE_F32, &n_rows, 1, &buffer),
                            .row_offsets = session->offsets,
                            .n_sequences = n,
                            .sequences = session->members,
                            .lengths = session->grown,
                            .capacity = session->capacity,
                            .state = states,
                            .logits = session->wanted},
        error));
    for (size_t i = 0; i < n; i++) {
        const float *scores = session->wanted[i];
        const size_t bad = scores == NULL ? 0 : pml_model_first_nonfinite(scores, session->vocab_size);
        if (scores != NULL && bad < session->vocab_size) {
            PML_TRY(PML_FAIL(error, PML_E_NUMERIC, "the score of token %zu behind text %zu is not finite", bad,
                             session->members[i]));
        }
    }

done:
    return status;
}

pml_status pml_session_feed(pml_session *session, const pml_session_tokens *texts, size_t n_texts, pml_error *error) {
    pml_status status = PML_OK;
    size_t n;
    memcpy(session->before, session->lengths, session->n_sequences * sizeof *session->before);
    PML_TRY(check_texts(session, texts, n_texts, error));
    for (size_t i = 0; i < n_texts; i++) {
        session->has_next[texts[i].i_sequence] = false;
    }
    memset(session->taken, 0, session->n_sequences * sizeof *session->taken);
    while ((n = fill_block(session, texts, n_texts)) > 0) {
        PML_TRY(run_block(session, n, error));
    }
    for (size_t i = 0; i < n_texts; i++) {
        session->has_next[texts[i].i_sequence] = true;
    }

done:
    if (status != PML_OK) {
        memcpy(session->lengths, session->before, session->n_sequences * sizeof *session->lengths);
    }
    return status;
}
