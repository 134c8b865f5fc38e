#include "runtime/text/generate.h"

#include <string.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/text/stop_text.h"
#include "runtime/text/utf8_stream.h"

typedef struct generator {
    pml_session *session;
    const pml_tokenizer *tokenizer;
    const pml_generation *options;
    pml_generated_text_fn *text;
    void *user;
    pml_generated *generated;
    pml_sampler *sampler;
    pml_utf8_stream stream;
    pml_stop_text stop;
    uint32_t *history; /* prompt and new tokens */
    size_t n_history, history_capacity;
    uint8_t *bytes; /* of one token */
    char *piece;    /* the same as UTF-8 */
} generator;

static int64_t now_ns(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static pml_status remember(generator *g, const uint32_t *ids, size_t n, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_grow(&g->history, &g->history_capacity, g->n_history + n, sizeof *g->history, SIZE_MAX / 2, "tokens",
                     error));
    memcpy(g->history + g->n_history, ids, n * sizeof *ids);
    g->n_history += n;
    for (size_t i = 0; i < n; i++) {
        pml_sampler_see(g->sampler, ids[i]);
    }
done:
    return status;
}

/* Feeds the last n tokens of the history or, where they do not fit, its last part that fills half of the context. */
static pml_status feed(generator *g, size_t n, pml_error *error) {
    pml_status status = PML_OK;
    const size_t room = pml_session_capacity(g->session);
    if (n > room - pml_session_length(g->session, 0)) {
        const size_t kept = room / 2 > 0 ? room / 2 : 1;
        if (!g->options->shifts) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the text has %zu tokens; the context has room for %zu",
                             g->n_history, room));
        }
        PML_TRY(pml_session_truncate(g->session, 0, 0, error));
        n = kept < g->n_history ? kept : g->n_history;
    }
    PML_TRY(pml_session_feed(g->session, &(pml_session_tokens){0, g->history + g->n_history - n, n}, 1, error));
done:
    return status;
}

/* Hands over what is known to belong to the text. */
static pml_status hand_over(generator *g, size_t n_bytes, pml_error *error) {
    pml_status status = PML_OK;
    size_t n_ready;
    PML_TRY(pml_stop_text_put(&g->stop, g->piece, n_bytes, &n_ready, error));
    if (n_ready > 0) {
        PML_TRY(g->text(g->user, g->stop.held, n_ready, error));
        pml_stop_text_take(&g->stop, n_ready);
    }
done:
    return status;
}

/* What waited for more that does not come. */
static pml_status hand_over_rest(generator *g, pml_error *error) {
    pml_status status = PML_OK;
    if (!g->stop.is_stopped) {
        PML_TRY(hand_over(g, pml_utf8_stream_end(&g->stream, g->piece), error));
    }
    if (!g->stop.is_stopped && g->stop.n_held > 0) {
        PML_TRY(g->text(g->user, g->stop.held, g->stop.n_held, error));
    }
done:
    return status;
}

/* The next token, and its text; *is_done when the text has ended with it. */
static pml_status step(generator *g, bool *is_done, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tokenizer_spec *spec = pml_tokenizer_get_spec(g->tokenizer);
    pml_generated *generated = g->generated;
    const float *scores;
    PML_TRY(pml_session_next(g->session, 0, &scores, error));
    const uint32_t id = pml_sampler_choose(g->sampler, scores);
    if (id == spec->eos_id && !g->options->ignores_end) {
        generated->end = PML_END_TOKEN;
        *is_done = true;
        goto done;
    }
    PML_TRY(pml_grow(&generated->ids, &generated->capacity, generated->n_tokens + 1, sizeof *generated->ids,
                     SIZE_MAX / 2, "tokens", error));
    generated->ids[generated->n_tokens++] = id;
    PML_TRY(remember(g, &id, 1, error));
    const size_t n_bytes = pml_tokenizer_decode(g->tokenizer, id, g->bytes);
    PML_TRY(hand_over(g, pml_utf8_stream_put(&g->stream, g->bytes, n_bytes, g->piece), error));
    generated->end = g->stop.is_stopped ? PML_END_STOP : PML_END_LENGTH;
    *is_done = g->stop.is_stopped || generated->n_tokens == g->options->most_tokens;
done:
    return status;
}

static pml_status go_on(generator *g, const uint32_t *prompt, size_t n_prompt, pml_error *error) {
    pml_status status = PML_OK;
    pml_generated *generated = g->generated;
    const int64_t start_ns = now_ns();
    int64_t first_ns = start_ns;
    bool is_done = g->options->most_tokens == 0;
    PML_TRY(remember(g, prompt, n_prompt, error));
    PML_TRY(feed(g, n_prompt, error));
    generated->prompt_ns = now_ns() - start_ns;
    generated->n_read = pml_session_length(g->session, 0);
    for (bool is_first = true; !is_done; is_first = false) {
        if (!is_first) {
            PML_TRY(pml_cancel_check(error));
            PML_TRY(feed(g, 1, error));
        }
        PML_TRY(step(g, &is_done, error));
        if (is_first) {
            first_ns = now_ns();
            generated->first_ns = first_ns - start_ns;
        }
        generated->rest_ns = now_ns() - first_ns;
    }
done:
    return status;
}

static pml_status prepare(generator *g, size_t n_prompt, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tokenizer_spec *spec = pml_tokenizer_get_spec(g->tokenizer);
    const size_t n_scores = pml_session_vocabulary(g->session), room = pml_session_capacity(g->session);
    size_t longest = 0;
    if (spec->kind != PML_TOKENIZER_BPE) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "the tokenizer of this model does not turn tokens into text"));
    }
    if (n_prompt == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the prompt has no tokens: there is nothing to go on from"));
    }
    /* The last new token is not fed. */
    if (!g->options->shifts && (n_prompt > room || g->options->most_tokens > room - n_prompt + 1)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT,
                         "a prompt of %zu tokens and %llu new ones are more than the context has room for, %zu; let it "
                         "shift, or ask for fewer",
                         n_prompt, (unsigned long long)g->options->most_tokens, room));
    }
    for (uint32_t id = 0; id < spec->n_tokens; id++) {
        longest = spec->tokens[id].size_bytes > longest ? spec->tokens[id].size_bytes : longest;
    }
    PML_TRY(pml_alloc(longest + 1, 1, &g->bytes, error));
    PML_TRY(pml_alloc(PML_UTF8_STREAM_ROOM(longest), 1, &g->piece, error));
    /* Rows beyond the vocabulary are padding of the table: they stand for nothing. */
    PML_TRY(pml_sampler_create(&g->options->sampling, n_scores < spec->n_tokens ? (uint32_t)n_scores : spec->n_tokens,
                               &g->sampler, error));
done:
    return status;
}

pml_status pml_generate(pml_session *session, const pml_tokenizer *tokenizer, const uint32_t *prompt, size_t n_prompt,
                        const pml_generation *options, pml_generated_text_fn *text, void *user,
                        pml_generated *generated, pml_error *error) {
    pml_status status = PML_OK;
    generator g = {.session = session,
                   .tokenizer = tokenizer,
                   .options = options,
                   .text = text,
                   .user = user,
                   .generated = generated,
                   .stop = {.stops = options->stops, .n_stops = options->n_stops}};
    generated->n_tokens = generated->n_read = 0;
    generated->end = PML_END_LENGTH;
    generated->prompt_ns = generated->first_ns = generated->rest_ns = 0;
    PML_TRY(prepare(&g, n_prompt, error));
    PML_TRY(go_on(&g, prompt, n_prompt, error));
    PML_TRY(hand_over_rest(&g, error));
done:
    pml_sampler_destroy(g.sampler);
    pml_stop_text_deinit(&g.stop);
    pml_free(g.history);
    pml_free(g.bytes);
    pml_free(g.piece);
    return status;
}

void pml_generated_deinit(pml_generated *generated) {
    pml_free(generated->ids);
    *generated = (pml_generated){0};
}
