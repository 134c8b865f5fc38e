/* The likelihood of a text: by the definition, in windows of any size, and what is no text or no language model. */
#include "runtime/text/text_score.h"

#include <math.h>

#include "tests/runtime/models/gpt2_file.h"

enum { N = 40 };
static const gpt2_build language_model = {.head = "language_model", .tied_head = true};

static double expected(pml_model *model, const uint32_t *ids, size_t n, size_t n_targets) {
    float values[N];
    double sum = 0;
    pml_error error;
    for (size_t i = 0; i < n; i++) {
        values[i] = (float)ids[i];
    }
    const pml_array input = {.name = "input_ids", .data = values, .rank = 2, .shape = {1, n}};
    PML_ASSERT_OK(pml_model_run(model, &input, 1, &error), &error);
    const float *scores = pml_model_output(model, "logits")->data;
    for (size_t i = 0; i < n_targets; i++) {
        double total = 0;
        for (size_t k = 0; k < GPT2_V; k++) {
            total += exp((double)scores[i * GPT2_V + k]);
        }
        sum += (double)scores[i * GPT2_V + ids[i + 1]] - log(total);
    }
    return sum;
}

static void windows_side_by_side(void) {
    gpt2_opened o = gpt2_open(&language_model);
    pml_text_score score;
    pml_error error;
    uint32_t ids[N];
    for (uint32_t i = 0; i < N; i++) {
        ids[i] = i * 7 % GPT2_V;
    }
    const double whole = expected(o.model, ids, N, N - 1);
    PML_ASSERT_OK(pml_text_score_run(o.model, ids, N, 0, &score, &error), &error);
    CU_ASSERT_EQUAL(score.n_scored, N - 1);
    CU_ASSERT_DOUBLE_EQUAL(score.log_likelihood, whole, 1e-9 * fabs(whole));
    for (size_t window = 1; window <= N + 3; window++) {
        double sum = 0;
        for (size_t first = 0; first < N; first += window) {
            const size_t n = N - first < window ? N - first : window;
            sum += expected(o.model, ids + first, n, first + n < N ? n : n - 1);
        }
        PML_ASSERT_OK(pml_text_score_run(o.model, ids, N, window, &score, &error), &error);
        CU_ASSERT_EQUAL(score.n_scored, N - 1);
        CU_ASSERT_DOUBLE_EQUAL(score.log_likelihood, sum, 1e-9 * fabs(sum));
    }
    PML_ASSERT_FAILS(pml_text_score_run(o.model, ids, 1, 0, &score, &error), PML_E_ARGUMENT, &error, "a text of 1");
    PML_ASSERT_FAILS(pml_text_score_run(o.model, ids, N, GPT2_POSITIONS + 1, &score, &error), PML_E_ARGUMENT, &error,
                     "at most 50");
    pml_test_fail_allocation(1, true);
    CU_ASSERT_EQUAL(pml_text_score_run(o.model, ids, N, 0, &score, &error), PML_E_MEMORY);
    pml_test_fail_allocation(0, false);
    gpt2_close(&o);
    static const gpt2_build classifier = {.head = "sequence_classification"};
    o = gpt2_open(&classifier);
    PML_ASSERT_FAILS(pml_text_score_run(o.model, ids, N, 0, &score, &error), PML_E_UNSUPPORTED, &error,
                     "no language model");
    gpt2_close(&o);
}

PML_TESTS("runtime/text/text_score", PML_TEST(windows_side_by_side))
