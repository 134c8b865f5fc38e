#include <string.h>

#include "runtime/base/alloc.h"
#include "tests/runtime/models/gpt2_file.h"

enum { B = 4, T = 6 };

static pml_error error;

/* Right padding, a hole, left padding (the first token masked), and no padding at all. */
static const float mask[B * T] = {1, 1, 1, 0, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static const float ids[B * T] = {1, 2, 3, 22, 22, 22, 4, 9, 5, 6, 9, 22, 22, 22, 10, 1, 2, 3, 3, 1, 4, 1, 5, 9};

static pml_array input(const char *name, const float *values, size_t n_samples, size_t n_tokens) {
    return (pml_array){.name = name, .data = values, .rank = 2, .shape = {n_samples, n_tokens}};
}

static const pml_array *run(pml_model *model, size_t first, size_t count, const char *output) {
    const pml_array inputs[] = {input("input_ids", ids + first * T, count, T),
                                input("attention_mask", mask + first * T, count, T)};
    PML_ASSERT_OK(pml_model_run(model, inputs, 2, &error), &error);
    return pml_model_output(model, output);
}

/* Every sequence alone gives the same bits as in the batch, and padding is 0. */
static void sequences_do_not_know_each_other(void) {
    static const struct {
        gpt2_build b;
        const char *output;
        size_t n_rows, row_values;
    } cases[] = {{{.head = "none"}, "last_hidden_state", T, GPT2_D},
                 {{.head = "language_model", .tied_head = true}, "logits", T, GPT2_V},
                 {{.head = "language_model", .no_bias = true}, "logits", T, GPT2_V},
                 {{.head = "sequence_classification"}, "logits", 1, GPT2_LABELS}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gpt2_opened o = gpt2_open(&cases[i].b);
        const size_t each = cases[i].n_rows * cases[i].row_values;
        float kept[B * T * GPT2_D];
        const pml_array *together = run(o.model, 0, B, cases[i].output);
        CU_ASSERT_PTR_NOT_NULL_FATAL(together);
        memcpy(kept, together->data, B * each * sizeof *kept);
        for (size_t s = 0; s < B; s++) {
            const pml_array *alone = run(o.model, s, 1, cases[i].output);
            CU_ASSERT_EQUAL(memcmp(alone->data, kept + s * each, each * sizeof *kept), 0);
        }
        for (size_t at = 0; cases[i].n_rows == T && at < B * each; at++) {
            CU_ASSERT_TRUE(mask[at / cases[i].row_values] != 0 ? kept[at] != 0 : kept[at] == 0);
        }
        gpt2_close(&o);
    }
}

/* A token's output is that of the text cut off behind it. */
static void tokens_do_not_see_what_follows(void) {
    const gpt2_build b = {.head = "language_model", .scale_by_layer = true};
    gpt2_opened o = gpt2_open(&b);
    float whole[T * GPT2_V];
    const float *text = ids + (B - 1) * T;
    const pml_array all = input("input_ids", text, 1, T);
    PML_ASSERT_OK(pml_model_run(o.model, &all, 1, &error), &error);
    memcpy(whole, pml_model_output(o.model, "logits")->data, sizeof whole);
    for (size_t n = 1; n < T; n++) {
        const pml_array cut = input("input_ids", text, 1, n);
        PML_ASSERT_OK(pml_model_run(o.model, &cut, 1, &error), &error);
        CU_ASSERT_EQUAL(memcmp(pml_model_output(o.model, "logits")->data, whole, n * GPT2_V * sizeof *whole), 0);
    }
    gpt2_close(&o);
}

static const float *scores(const gpt2_opened *o, const float *text, size_t n) {
    const pml_array one = input("input_ids", text, 1, n);
    PML_ASSERT_OK(pml_model_run(o->model, &one, 1, &error), &error);
    return pml_model_output(o->model, "logits")->data;
}

/* Scores of labels are those of the last token that is no padding, with and without a mask. */
static void the_last_real_token_decides(void) {
    const gpt2_build with_pad = {.head = "sequence_classification"};
    const gpt2_build without = {.head = "sequence_classification", .no_pad = true};
    const float padded[5] = {3, 1, 4, GPT2_PAD, GPT2_PAD}, only_padding[3] = {GPT2_PAD, GPT2_PAD, GPT2_PAD};
    float wanted[GPT2_LABELS];
    gpt2_opened o = gpt2_open(&with_pad), plain = gpt2_open(&without);
    memcpy(wanted, scores(&o, padded, 3), sizeof wanted);
    CU_ASSERT_EQUAL(memcmp(scores(&o, padded, 5), wanted, sizeof wanted), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(scores(&plain, padded, 5), wanted, sizeof wanted), 0);
    CU_ASSERT_EQUAL(memcmp(scores(&plain, padded, 3), wanted, sizeof wanted), 0);
    const float ones[5] = {1, 1, 1, 0, 0};
    const pml_array masked[] = {input("input_ids", padded, 1, 5), input("attention_mask", ones, 1, 5)};
    PML_ASSERT_OK(pml_model_run(plain.model, masked, 2, &error), &error);
    CU_ASSERT_EQUAL(memcmp(pml_model_output(plain.model, "logits")->data, wanted, sizeof wanted), 0);
    memcpy(wanted, scores(&o, only_padding, 1), sizeof wanted);
    CU_ASSERT_EQUAL(memcmp(scores(&o, only_padding, 3), wanted, sizeof wanted), 0);
    gpt2_close(&o);
    gpt2_close(&plain);
}

/* More rows than are scored at a time. */
static void large_vocabularies_are_scored_in_pieces(void) {
    enum { WIDE = 300000, N = 20 };
    const gpt2_build b = {.head = "language_model", .tied_head = true, .vocab_size = WIDE};
    gpt2_opened o = gpt2_open(&b);
    float many[N], row[8];
    for (size_t i = 0; i < N; i++) {
        many[i] = (float)(i * 14983 % WIDE);
    }
    const pml_array all = input("input_ids", many, N, 1), last = input("input_ids", many + N - 1, 1, 1);
    PML_ASSERT_OK(pml_model_run(o.model, &all, 1, &error), &error);
    for (size_t i = 0; i < 8; i++) {
        row[i] = pml_model_output(o.model, "logits")->data[(size_t)(N - 1) * WIDE + i * 30000];
    }
    PML_ASSERT_OK(pml_model_run(o.model, &last, 1, &error), &error);
    for (size_t i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(pml_model_output(o.model, "logits")->data[i * 30000], row[i]);
    }
    gpt2_close(&o);
}

static void bad_inputs_are_named(void) {
    const gpt2_build b = {.head = "none"};
    gpt2_opened o = gpt2_open(&b);
    float values[GPT2_POSITIONS + 1] = {1, 2, 3};
    const float zeros[3] = {0};
#define TRY(array) pml_model_run(o.model, (const pml_array[]){array}, 1, &error)
    PML_ASSERT_FAILS(TRY(input("input_ids", values, 1, GPT2_POSITIONS + 1)), PML_E_ARGUMENT, &error, "51 tokens");
    PML_ASSERT_OK(TRY(input("input_ids", values, 1, GPT2_POSITIONS)), &error);
    values[1] = GPT2_V;
    PML_ASSERT_FAILS(TRY(input("input_ids", values, 1, 3)), PML_E_ARGUMENT, &error, "element 1 of input 'input_ids'");
    values[1] = 1;
    const pml_array masked[] = {input("input_ids", values, 1, 3), input("attention_mask", zeros, 1, 3)};
    PML_ASSERT_FAILS(pml_model_run(o.model, masked, 2, &error), PML_E_ARGUMENT, &error, "no token of sequence 0");
    gpt2_close(&o);
}

PML_TESTS("runtime/models/gpt2", PML_TEST(sequences_do_not_know_each_other), PML_TEST(tokens_do_not_see_what_follows),
          PML_TEST(the_last_real_token_decides), PML_TEST(large_vocabularies_are_scored_in_pieces),
          PML_TEST(bad_inputs_are_named))
