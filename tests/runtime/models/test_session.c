#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "tests/runtime/models/gpt2_file.h"

static pml_error error;

enum { N = 40 };
static const uint32_t text[N] = {3,  1, 4,  1, 5, 9,  2, 6, 5, 3, 5, 8, 9, 7,  9, 3, 2,  3, 8,  4,
                                 11, 6, 12, 3, 3, 18, 3, 2, 7, 9, 5, 0, 2, 20, 8, 4, 19, 7, 16, 9};

static const gpt2_build language_model = {.head = "language_model", .tied_head = true};

/* logits [N, V] of the text and of its beginnings, from one run. */
static void run_whole(pml_model *model, float logits[N * GPT2_V]) {
    float values[N];
    for (size_t i = 0; i < N; i++) {
        values[i] = (float)text[i];
    }
    const pml_array input = {.name = "input_ids", .data = values, .rank = 2, .shape = {1, N}};
    PML_ASSERT_OK(pml_model_run(model, &input, 1, &error), &error);
    memcpy(logits, pml_model_output(model, "logits")->data, N * GPT2_V * sizeof *logits);
}

static pml_session *create(pml_model *model, size_t n_sequences, size_t n_positions) {
    pml_session *session = NULL;
    PML_ASSERT_OK(pml_session_create(model, n_sequences, n_positions, &session, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(session);
    return session;
}

static void feed(pml_session *session, size_t i_sequence, size_t first, size_t count) {
    const pml_session_tokens tokens = {i_sequence, text + first, count};
    PML_ASSERT_OK(pml_session_feed(session, &tokens, 1, &error), &error);
}

/* Whether what follows is, bit for bit, what a run over the whole text says of its first `n` tokens. */
static bool is_at(const pml_session *session, size_t i_sequence, size_t n, const float *logits) {
    const float *scores = NULL;
    PML_ASSERT_OK(pml_session_next(session, i_sequence, &scores, &error), &error);
    return scores != NULL && pml_session_length(session, i_sequence) == n &&
           memcmp(scores, logits + (n - 1) * GPT2_V, GPT2_V * sizeof *scores) == 0;
}

static void token_by_token_is_all_at_once(void) {
    static const gpt2_build builds[] = {{.head = "language_model", .tied_head = true},
                                        {.head = "language_model", .no_bias = true, .scale_by_layer = true}};
    for (size_t i = 0; i < 2; i++) {
        gpt2_opened o = gpt2_open(&builds[i]);
        float logits[N * GPT2_V];
        run_whole(o.model, logits);
        pml_session *single = create(o.model, 1, 0), *pieces = create(o.model, 1, N);
        for (size_t n = 0; n < N; n++) {
            feed(single, 0, n, 1);
            CU_ASSERT_TRUE(is_at(single, 0, n + 1, logits));
        }
        static const size_t sizes[] = {7, 1, 16, 3, 13};
        for (size_t k = 0, n = 0; k < 5; n += sizes[k++]) {
            feed(pieces, 0, n, sizes[k]);
            CU_ASSERT_TRUE(is_at(pieces, 0, n + sizes[k], logits));
        }
        pml_session_destroy(single);
        pml_session_destroy(pieces);
        gpt2_close(&o);
    }
}

/* Texts of a batch, each at a place of its own, and more tokens at once than are computed together. */
static void texts_of_a_batch_do_not_know_each_other(void) {
    enum { TEXTS = 9 };
    gpt2_opened o = gpt2_open(&language_model);
    float logits[N * GPT2_V];
    run_whole(o.model, logits);
    pml_session *session = create(o.model, TEXTS, 0);
    pml_session_tokens parts[TEXTS];
    for (size_t i = 0; i < TEXTS; i++) { /* 9 x 37 tokens at most */
        parts[i] = (pml_session_tokens){TEXTS - 1 - i, text, 29 + i};
    }
    PML_ASSERT_OK(pml_session_feed(session, parts, TEXTS, &error), &error);
    for (size_t i = 0; i < TEXTS; i++) {
        CU_ASSERT_TRUE(is_at(session, TEXTS - 1 - i, 29 + i, logits));
    }
    for (size_t i = 0; i < 3; i++) {
        parts[i] = (pml_session_tokens){2 * i + 1, text + pml_session_length(session, 2 * i + 1), 1 + i};
    }
    PML_ASSERT_OK(pml_session_feed(session, parts, 3, &error), &error);
    for (size_t i = 0; i < TEXTS; i++) {
        const size_t fed = i == 1 ? 1 : i == 3 ? 2 : i == 5 ? 3 : 0;
        CU_ASSERT_TRUE(is_at(session, i, 29 + TEXTS - 1 - i + fed, logits));
    }
    pml_session_destroy(session);
    gpt2_close(&o);
}

static void forks_and_shortened_texts_go_on(void) {
    gpt2_opened o = gpt2_open(&language_model);
    float logits[N * GPT2_V];
    run_whole(o.model, logits);
    pml_session *session = create(o.model, 2, 0), *fork = NULL;
    feed(session, 1, 0, 21);
    PML_ASSERT_OK(pml_session_fork(session, &fork, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fork);
    CU_ASSERT_TRUE(is_at(fork, 1, 21, logits));
    const uint32_t other[] = {0, 0, 0, 0, 0, 0, 0};
    PML_ASSERT_OK(pml_session_feed(session, &(pml_session_tokens){1, other, 7}, 1, &error), &error);
    feed(fork, 1, 21, 4);
    CU_ASSERT_TRUE(is_at(fork, 1, 25, logits));
    CU_ASSERT_FALSE(is_at(session, 1, 28, logits));
    /* Back to where it went another way, then on as the text does. */
    const float *scores = NULL;
    PML_ASSERT_OK(pml_session_truncate(session, 1, 28, &error), &error);
    PML_ASSERT_OK(pml_session_next(session, 1, &scores, &error), &error);
    PML_ASSERT_OK(pml_session_truncate(session, 1, 18, &error), &error);
    PML_ASSERT_FAILS(pml_session_next(session, 1, &scores, &error), PML_E_ARGUMENT, &error, "text 1 was not fed");
    feed(session, 1, 18, 15);
    CU_ASSERT_TRUE(is_at(session, 1, 33, logits));
    PML_ASSERT_FAILS(pml_session_truncate(session, 1, 34, &error), PML_E_ARGUMENT, &error, "33 tokens, not 34");
    pml_session_destroy(fork);
    pml_session_destroy(session);
    gpt2_close(&o);
}

static void nothing_is_allocated_after_the_first_step(void) {
    gpt2_opened o = gpt2_open(&language_model);
    pml_session *session = create(o.model, 1, 0);
    const float *scores = NULL;
    feed(session, 0, 0, 5);
    const uint64_t before = pml_allocation_count();
    for (size_t n = 5; n < N; n++) {
        feed(session, 0, n, 1);
        PML_ASSERT_OK(pml_session_next(session, 0, &scores, &error), &error);
    }
    PML_ASSERT_OK(pml_session_truncate(session, 0, 2, &error), &error);
    feed(session, 0, 2, 5);
    CU_ASSERT_EQUAL(pml_allocation_count(), before);
    pml_session_destroy(session);
    gpt2_close(&o);
}

/* Every allocation fails in its turn: what was there stays as it was, and nothing leaks. */
static void survives_failing_allocations(void) {
    gpt2_opened o = gpt2_open(&language_model);
    float logits[N * GPT2_V];
    run_whole(o.model, logits);
    pml_session *kept = create(o.model, 1, 0);
    feed(kept, 0, 0, 9);
    bool is_done = false;
    for (unsigned long n = 1; n < 100 && !is_done; n++) {
        gpt2_opened fresh = gpt2_open(&language_model); /* whose first step allocates */
        pml_session *session = NULL, *fork = NULL;
        pml_test_fail_allocation(n, false);
        pml_status status = pml_session_create(fresh.model, 2, 0, &session, &error);
        status = status == PML_OK ? pml_session_feed(session, &(pml_session_tokens){1, text, 4}, 1, &error) : status;
        status = status == PML_OK ? pml_session_fork(session, &fork, &error) : status;
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
        is_done = status == PML_OK;
        CU_ASSERT_TRUE(is_done || fork == NULL);
        if (session != NULL && !is_done && pml_session_length(session, 1) == 0) {
            feed(session, 1, 0, 4); /* goes on as if nothing had been */
            CU_ASSERT_TRUE(is_at(session, 1, 4, logits));
        }
        CU_ASSERT_TRUE(!is_done || (n > 5 && is_at(fork, 1, 4, logits)));
        pml_session_destroy(fork);
        pml_session_destroy(session);
        gpt2_close(&fresh);
    }
    CU_ASSERT_TRUE(is_done);
    feed(kept, 0, 9, 1);
    CU_ASSERT_TRUE(is_at(kept, 0, 10, logits));
    pml_session_destroy(kept);
    gpt2_close(&o);
}

static void what_does_not_fit_is_refused_and_changes_nothing(void) {
    gpt2_opened o = gpt2_open(&language_model);
    float logits[N * GPT2_V];
    run_whole(o.model, logits);
    pml_session *session = create(o.model, 2, 20), *none = NULL;
    CU_ASSERT_EQUAL(pml_session_capacity(session), 20);
    CU_ASSERT_EQUAL(pml_session_vocabulary(session), GPT2_V);
    const uint32_t wrong[] = {1, GPT2_V};
    const float *scores = NULL;
#define FEED(...) pml_session_feed(session, (const pml_session_tokens[]){__VA_ARGS__}, 1, &error)
    feed(session, 0, 0, 18);
    PML_ASSERT_FAILS(FEED({0, text + 18, 3}), PML_E_ARGUMENT, &error, "20 positions");
    PML_ASSERT_FAILS(FEED({0, wrong, 2}), PML_E_ARGUMENT, &error, "token 1 of text 0 is 23");
    PML_ASSERT_FAILS(FEED({2, text, 1}), PML_E_ARGUMENT, &error, "no text 2");
    PML_ASSERT_FAILS(FEED({0, text, 0}), PML_E_ARGUMENT, &error, "given no token");
    const pml_session_tokens twice[] = {{0, text, 1}, {0, text, 1}};
    PML_ASSERT_FAILS(pml_session_feed(session, twice, 2, &error), PML_E_ARGUMENT, &error, "named twice");
    PML_ASSERT_FAILS(pml_session_feed(session, twice, 0, &error), PML_E_ARGUMENT, &error, "0 texts");
    PML_ASSERT_FAILS(pml_session_next(session, 1, &scores, &error), PML_E_ARGUMENT, &error, "text 1");
    PML_ASSERT_FAILS(pml_session_next(session, 2, &scores, &error), PML_E_ARGUMENT, &error, "no text 2");
    CU_ASSERT_TRUE(is_at(session, 0, 18, logits));
    pml_cancel_request();
    PML_ASSERT_FAILS(FEED({0, text + 18, 2}), PML_E_INTERRUPTED, &error, "");
    pml_cancel_reset();
    CU_ASSERT_EQUAL(pml_session_length(session, 0), 18);
    PML_ASSERT_FAILS(pml_session_next(session, 0, &scores, &error), PML_E_ARGUMENT, &error, "not fed");
    feed(session, 0, 18, 2);
    CU_ASSERT_TRUE(is_at(session, 0, 20, logits));
    PML_ASSERT_FAILS(pml_session_create(o.model, 0, 0, &none, &error), PML_E_ARGUMENT, &error, "at least one");
    PML_ASSERT_FAILS(pml_session_create(o.model, 1, GPT2_POSITIONS + 1, &none, &error), PML_E_ARGUMENT, &error, "50");
    pml_session_destroy(session);
    gpt2_close(&o);
    const gpt2_build others[] = {{.head = "none"}, {.head = "sequence_classification"}};
    for (size_t i = 0; i < 2; i++) {
        o = gpt2_open(&others[i]);
        PML_ASSERT_FAILS(pml_session_create(o.model, 1, 0, &none, &error), PML_E_UNSUPPORTED, &error,
                         "no language model");
        gpt2_close(&o);
    }
}

PML_TESTS("runtime/models/session", PML_TEST(token_by_token_is_all_at_once),
          PML_TEST(texts_of_a_batch_do_not_know_each_other), PML_TEST(forks_and_shortened_texts_go_on),
          PML_TEST(nothing_is_allocated_after_the_first_step), PML_TEST(survives_failing_allocations),
          PML_TEST(what_does_not_fit_is_refused_and_changes_nothing))
