/* Adam's update: every variant gives the twin's bits, inside its range. */
#include "tests/runtime/kernels/variants.h"

static void every_variant_gives_the_same_bits(void) {
    uint64_t seed = 6;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("adam_f32", &position)) != NULL) {
        for (unsigned mode = 0; mode < 2; mode++) { /* a small and a great share of the new gradient */
            for (size_t n = 0; n <= 70; n++) {
                floats g = make_floats(n, &seed), a[3], b[3];
                for (size_t k = 0; k < 3; k++) {
                    a[k] = make_floats(n + 1, &seed);
                    for (size_t i = 0; k == 2 && i < n; i++) {
                        a[k].data[i] = i % 7 == 3 ? 0 : fabsf(a[k].data[i]);
                    }
                    b[k] = make_floats(n + 1, &seed);
                    memcpy(b[k].data, a[k].data, (n + 1) * sizeof(float));
                }
                pml_adam job = {.n = n,
                                .value = a[0].data,
                                .gradient = g.data,
                                .mean = a[1].data,
                                .square = a[2].data,
                                .rate = .01f,
                                .keep = .999f,
                                .coupled = .02f,
                                .share_1 = mode == 0 ? .1f : .7f,
                                .keep_2 = .99f,
                                .share_2 = .01f,
                                .root = .3f,
                                .eps = 1e-8f};
                pml_adam_f32_scalar(&job);
                job.value = b[0].data;
                job.mean = b[1].data;
                job.square = b[2].data;
                ((pml_adam_fn *)variant->code)(&job);
                bool right = true;
                for (size_t k = 0; k < 3; k++) {
                    right = right && memcmp(a[k].data, b[k].data, (n + 1) * sizeof(float)) == 0;
                    free(a[k].block);
                    free(b[k].block);
                }
                free(g.block);
                CU_ASSERT_TRUE(right);
            }
        }
    }
}

static void follows_its_formula(void) {
    float value = 2, mean = 1, square = 3;
    const float gradient = 2;
    pml_adam job = {.n = 1,
                    .value = &value,
                    .gradient = &gradient,
                    .mean = &mean,
                    .square = &square,
                    .rate = 2,
                    .keep = .5f,
                    .coupled = 1,
                    .share_1 = .25f,
                    .keep_2 = .5f,
                    .share_2 = .15625f,
                    .root = .5f,
                    .eps = 1};
    pml_adam_f32_scalar(&job); /* g 4: mean 1.75, square 1.5 + 2.5, value 1 - 3.5 / (2 / .5 + 1) */
    CU_ASSERT_EQUAL(mean, 1.75f);
    CU_ASSERT_EQUAL(square, 4.0f);
    CU_ASSERT_EQUAL(value, 1 + -3.5f / 5);
    job.share_1 = .75f;
    job.coupled = 0;
    pml_adam_f32_scalar(&job);
    CU_ASSERT_EQUAL(mean, 1.75f + .75f * .25f);
}

PML_TESTS("kernels/adam_f32", PML_TEST(every_variant_gives_the_same_bits), PML_TEST(follows_its_formula))
