/* Lion's update: every variant gives the twin's bits, inside its range; NaN stays. */
#include "tests/runtime/kernels/variants.h"

static void every_variant_gives_the_same_bits(void) {
    uint64_t seed = 7;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("lion_f32", &position)) != NULL) {
        for (size_t n = 0; n <= 70; n++) {
            floats g = make_floats(n, &seed), a[2], b[2];
            for (size_t k = 0; k < 2; k++) {
                a[k] = make_floats(n + 1, &seed);
                b[k] = make_floats(n + 1, &seed);
                if (k == 1 && n > 4) { /* a sign of 0 */
                    a[k].data[4] = g.data[4] = 0;
                }
                memcpy(b[k].data, a[k].data, (n + 1) * sizeof(float));
            }
            pml_lion job = {.n = n,
                            .value = a[0].data,
                            .gradient = g.data,
                            .mean = a[1].data,
                            .rate = .01f,
                            .keep = .999f,
                            .keep_1 = .9f,
                            .share_1 = .1f,
                            .keep_2 = .99f,
                            .share_2 = .01f};
            pml_lion_f32_scalar(&job);
            job.value = b[0].data;
            job.mean = b[1].data;
            ((pml_lion_fn *)variant->code)(&job);
            bool right = true;
            for (size_t k = 0; k < 2; k++) {
                right = right && memcmp(a[k].data, b[k].data, (n + 1) * sizeof(float)) == 0;
                free(a[k].block);
                free(b[k].block);
            }
            free(g.block);
            CU_ASSERT_TRUE(right);
        }
    }
}

static void follows_its_formula(void) {
    float value[3] = {2, 2, 2}, mean[3] = {1, -3, NAN};
    const float gradient[3] = {2, 1, 0};
    pml_lion job = {.n = 3,
                    .value = value,
                    .gradient = gradient,
                    .mean = mean,
                    .rate = .5f,
                    .keep = .75f,
                    .keep_1 = .5f,
                    .share_1 = .5f,
                    .keep_2 = .25f,
                    .share_2 = .75f};
    pml_lion_f32_scalar(&job);
    CU_ASSERT_EQUAL(value[0], 1.0f);
    CU_ASSERT_EQUAL(value[1], 2.0f);
    CU_ASSERT_EQUAL(mean[0], 1.75f);
    CU_ASSERT_EQUAL(mean[1], 0.0f);
    CU_ASSERT_TRUE(isnan(value[2]));
}

PML_TESTS("kernels/lion_f32", PML_TEST(every_variant_gives_the_same_bits), PML_TEST(follows_its_formula))
