/* SGD's update: every variant gives the twin's bits, inside its range. */
#include "tests/runtime/kernels/variants.h"

static void every_variant_gives_the_same_bits(void) {
    uint64_t seed = 5;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("sgd_f32", &position)) != NULL) {
        for (unsigned mode = 0; mode < 5; mode++) { /* without buffer; first, later; plain, Nesterov */
            for (size_t n = 0; n <= 70; n++) {
                floats g = make_floats(n, &seed), a[2], b[2];
                for (size_t k = 0; k < 2; k++) {
                    a[k] = make_floats(n + 1, &seed);
                    b[k] = make_floats(n + 1, &seed);
                    memcpy(b[k].data, a[k].data, (n + 1) * sizeof(float));
                }
                pml_sgd job = {.n = n, .value = a[0].data, .gradient = g.data, .rate = .03f, .coupled = .01f};
                if (mode > 0) {
                    job.buffer = a[1].data;
                    job.momentum = .9f;
                    job.share = .8f;
                    job.is_first = mode > 2;
                    job.nesterov = mode % 2 == 0;
                }
                pml_sgd_f32_scalar(&job);
                job.value = b[0].data;
                job.buffer = mode > 0 ? b[1].data : NULL;
                ((pml_sgd_fn *)variant->code)(&job);
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
}

static void follows_its_formula(void) {
    float value = 2, buffer = .5f;
    const float gradient = 3;
    pml_sgd job = {.n = 1,
                   .value = &value,
                   .gradient = &gradient,
                   .buffer = &buffer,
                   .rate = .25f,
                   .coupled = .5f,
                   .momentum = .5f,
                   .share = .75f,
                   .nesterov = true};
    pml_sgd_f32_scalar(&job); /* g 4, buffer .25 + 3, step 4 + 1.625 */
    CU_ASSERT_EQUAL(buffer, 3.25f);
    CU_ASSERT_EQUAL(value, 2 - .25f * 5.625f);
}

PML_TESTS("kernels/sgd_f32", PML_TEST(every_variant_gives_the_same_bits), PML_TEST(follows_its_formula))
