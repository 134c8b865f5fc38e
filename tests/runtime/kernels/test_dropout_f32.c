#include "runtime/base/random.h"
#include "tests/runtime/kernels/variants.h"

/* By the contract, word by word. */
static float factor_of(const pml_dropout_mask *mask, uint64_t i) {
    const uint64_t block = ((uint64_t)mask->number << 32) + i / 64 * 16 + i % 16;
    const uint32_t word = pml_random_word(mask->seed, PML_DROPOUT_STREAM(mask->step), block * 4 + i % 64 / 16);
    return word < mask->threshold ? 0.0f : mask->scale;
}

static void every_variant_drops_what_the_contract_says(void) {
    static const size_t counts[] = {0, 1, 15, 63, 64, 65, 200, 1000};
    uint64_t seed = 5;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("dropout_f32", &position)) != NULL) {
        for (size_t i = 0; i < 2 * sizeof counts / sizeof counts[0]; i++) {
            const size_t n = counts[i / 2];
            floats x = make_floats(n, &seed), y = make_floats(n + 1, &seed), before = make_floats(n + 1, &seed);
            memcpy(before.data, y.data, (n + 1) * sizeof(float));
            const pml_dropout job = {.mask = pml_dropout_mask_of(seed, 1u << 20, 7, 0.3),
                                     .first = 64 * 1000003u * (i % 3),
                                     .n = n,
                                     .x = x.data,
                                     .y = y.data,
                                     .adds = i % 2 == 1};
            ((pml_dropout_fn *)variant->code)(&job);
            bool right = y.data[n] == before.data[n];
            for (size_t k = 0; k < n && right; k++) {
                right = fabsf(y.data[k] - ((job.adds ? before.data[k] : 0.0f) +
                                           x.data[k] * factor_of(&job.mask, job.first + k))) <= 1e-6f;
            }
            CU_ASSERT_TRUE(right);
            free(x.block);
            free(y.block);
            free(before.block);
        }
    }
}

static void masks_have_their_probability(void) {
    static float x[100000], y[100000];
    for (size_t i = 0; i < 100000; i++) {
        x[i] = 1;
    }
    static const double ps[] = {0, 0.1, 0.5, 0.9, 1};
    for (size_t i = 0; i < 5; i++) {
        double sum = 0;
        size_t n_dropped = 0;
        pml_dropout_f32_scalar(
            &(pml_dropout){.mask = pml_dropout_mask_of(3, 1, i, ps[i]), .n = 100000, .x = x, .y = y});
        for (size_t k = 0; k < 100000; k++) {
            sum += (double)y[k];
            n_dropped += y[k] == 0;
        }
        /* five deviations of a binomial */
        const double spread = 5 * sqrt(100000 * ps[i] * (1 - ps[i]));
        CU_ASSERT_TRUE(fabs((double)n_dropped - 100000 * ps[i]) <= spread);
        CU_ASSERT_TRUE(ps[i] == 1 || fabs(sum - 100000) <= spread / (1 - ps[i]) + 0.1);
    }
}

PML_TESTS("kernels/dropout_f32", PML_TEST(every_variant_drops_what_the_contract_says),
          PML_TEST(masks_have_their_probability))
