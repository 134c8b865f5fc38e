/* The next token: what each option leaves, how often each token comes, the same choices for the same seed. */
#include "runtime/text/sampler.h"

#include <math.h>
#include <string.h>

#include "tests/harness.h"

enum { N = 6, N_DRAWS = 20000 };
/* Probabilities .4, .3, .15, .1, .04, .01 at places that are not in that order. */
static const double probabilities[N] = {.15, .4, .01, .3, .04, .1};

static void fill(float scores[N]) {
    for (unsigned i = 0; i < N; i++) {
        scores[i] = (float)log(probabilities[i]) + 3.0f;
    }
}

static pml_sampler *make(const pml_sampling *sampling) {
    pml_sampler *sampler = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_sampler_create(sampling, N, &sampler, &error), &error);
    return sampler;
}

/* Whether the shares of the draws are those that are expected, within 5 deviations. */
static void check(const pml_sampling *sampling, const double expected[N]) {
    unsigned counts[N] = {0};
    float scores[N];
    fill(scores);
    pml_sampler *sampler = make(sampling);
    for (unsigned i = 0; i < N_DRAWS; i++) {
        const uint32_t id = pml_sampler_choose(sampler, scores);
        CU_ASSERT_TRUE_FATAL(id < N);
        counts[id]++;
    }
    for (unsigned i = 0; i < N; i++) {
        const double deviation = sqrt(expected[i] * (1 - expected[i]) / N_DRAWS);
        CU_ASSERT_TRUE(fabs((double)counts[i] / N_DRAWS - expected[i]) <= 5 * deviation);
    }
    pml_sampler_destroy(sampler);
}

#define SAMPLING(t, k, p, m)                                                                                           \
    (&(pml_sampling){.repetition_penalty = 1, .temperature = t, .top_k = k, .top_p = p, .min_p = m})
#define SHARES(...) ((const double[N]){__VA_ARGS__})

static void each_option_leaves_its_tokens(void) {
    check(SAMPLING(1, 0, 1, 0), probabilities);
    check(SAMPLING(1, 100, 1, 0), probabilities);
    check(SAMPLING(1, 1, 1, 0), SHARES(0, 1));
    check(SAMPLING(1, 2, 1, 0), SHARES(0, .4 / .7, 0, .3 / .7));
    check(SAMPLING(1, 0, .39, 0), SHARES(0, 1));
    check(SAMPLING(1, 0, .41, 0), SHARES(0, .4 / .7, 0, .3 / .7));
    check(SAMPLING(1, 0, .84, 0), SHARES(.15 / .85, .4 / .85, 0, .3 / .85));
    check(SAMPLING(1, 0, .86, 0), SHARES(.15 / .95, .4 / .95, 0, .3 / .95, 0, .1 / .95));
    check(SAMPLING(1, 2, .5, 0), SHARES(0, 1)); /* shares of the two: 4/7 are enough */
    check(SAMPLING(1, 0, 1, .7), SHARES(0, .4 / .7, 0, .3 / .7));
    check(SAMPLING(1, 0, 1, 1), SHARES(0, 1));
    check(SAMPLING(1, 4, 1, .3), SHARES(.15 / .85, .4 / .85, 0, .3 / .85));
    double squares = 0, shares[N];
    for (unsigned i = 0; i < N; i++) {
        squares += probabilities[i] * probabilities[i];
    }
    for (unsigned i = 0; i < N; i++) {
        shares[i] = probabilities[i] * probabilities[i] / squares;
    }
    check(SAMPLING(.5, 0, 1, 0), shares);
}

static void the_likeliest(void) {
    float scores[N] = {1, 3, 2, 3, -1, 0};
    pml_sampling sampling = PML_SAMPLING_GREEDY;
    sampling.top_k = 3;
    pml_sampler *sampler = make(&sampling);
    CU_ASSERT_EQUAL(pml_sampler_choose(sampler, scores), 1); /* the first of the greatest */
    pml_sampler_destroy(sampler);
    sampling.repetition_penalty = 2;
    sampler = make(&sampling);
    pml_sampler_see(sampler, 1);
    pml_sampler_see(sampler, 3);
    pml_sampler_see(sampler, 3);
    pml_sampler_see(sampler, 99);
    CU_ASSERT_EQUAL(pml_sampler_choose(sampler, scores), 2); /* 3 / 2 is less than 2 */
    const float negative[N] = {-5, -3, -4, -5, -5, -5};
    CU_ASSERT_EQUAL(pml_sampler_choose(sampler, negative), 2); /* -3 × 2 is less than -4 */
    pml_sampler_destroy(sampler);
}

static void a_seed_decides(void) {
    float scores[N];
    uint32_t drawn[3][64];
    fill(scores);
    for (unsigned k = 0; k < 3; k++) {
        pml_sampling sampling = *SAMPLING(1, 0, .99, 0);
        sampling.seed = k / 2;
        pml_sampler *sampler = make(&sampling);
        for (unsigned i = 0; i < 64; i++) {
            drawn[k][i] = pml_sampler_choose(sampler, scores);
        }
        pml_sampler_destroy(sampler);
    }
    CU_ASSERT_EQUAL(memcmp(drawn[0], drawn[1], sizeof drawn[0]), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(drawn[0], drawn[2], sizeof drawn[0]), 0);
}

static void values_out_of_range(void) {
    const pml_sampling *const cases[] = {
        SAMPLING(-1, 0, 1, 0),
        SAMPLING((double)NAN, 0, 1, 0),
        SAMPLING(INFINITY, 0, 1, 0),
        SAMPLING(1, 0, 0, 0),
        SAMPLING(1, 0, 1.5, 0),
        SAMPLING(1, 0, (double)NAN, 0),
        SAMPLING(1, 0, 1, -.1),
        SAMPLING(1, 0, 1, 1.1),
        SAMPLING(1, 0, 1, (double)NAN),
        &(pml_sampling){.repetition_penalty = 0, .top_p = 1},
        &(pml_sampling){.repetition_penalty = -1, .top_p = 1},
        &(pml_sampling){.repetition_penalty = INFINITY, .top_p = 1},
    };
    pml_error error;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_sampler *sampler = NULL;
        PML_ASSERT_FAILS(pml_sampler_create(cases[i], N, &sampler, &error), PML_E_ARGUMENT, &error, "not");
        CU_ASSERT_PTR_NULL(sampler);
    }
    bool is_done = false;
    for (unsigned long n = 1; n < 100 && !is_done; n++) {
        pml_sampler *sampler = NULL;
        pml_test_fail_allocation(n, true);
        const pml_status status = pml_sampler_create(SAMPLING(1, 1, 1, 0), N, &sampler, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
        is_done = status == PML_OK;
        pml_sampler_destroy(sampler);
    }
    CU_ASSERT_TRUE(is_done);
}

PML_TESTS("runtime/text/sampler", PML_TEST(each_option_leaves_its_tokens), PML_TEST(the_likeliest),
          PML_TEST(a_seed_decides), PML_TEST(values_out_of_range))
