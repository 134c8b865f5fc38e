#include "tests/runtime/kernels/variants.h"

static void columns_use_their_statistics(void) {
    static const size_t widths[] = {0, 1, 7, 16, 33, 63, 64, 65, 130};
    uint64_t seed = 8;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("batch_norm_f32", &position)) != NULL) {
        for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
            size_t n = widths[w], n_rows = 4;
            floats x = make_floats(n_rows * n, &seed), y = make_floats(n_rows * n + 1, &seed);
            floats mean = make_floats(n, &seed), variance = make_floats(n, &seed);
            floats weight = make_floats(n, &seed), bias = make_floats(n, &seed);
            for (size_t c = 0; c < n; c++) {
                variance.data[c] = c % 5 == 0 ? 0.0f : fabsf(variance.data[c]);
            }
            if (n > 1) {
                x.data[1] = NAN;
            }
            y.data[n_rows * n] = 4.0f;
            pml_batch_norm job = {.n_rows = n_rows,
                                  .n_columns = n,
                                  .x = x.data,
                                  .y = y.data,
                                  .mean = mean.data,
                                  .variance = variance.data,
                                  .weight = w % 2 == 0 ? weight.data : NULL,
                                  .bias = w % 3 == 0 ? bias.data : NULL,
                                  .eps = 1e-5};
            ((pml_batch_norm_fn *)variant->code)(&job);
            bool right = y.data[n_rows * n] == 4.0f;
            for (size_t i = 0; i < n_rows * n && right; i++) {
                size_t c = i % n;
                double scale = (w % 2 == 0 ? (double)weight.data[c] : 1.0) / sqrt((double)variance.data[c] + 1e-5);
                double term = ((double)x.data[i] - (double)mean.data[c]) * scale;
                double shift = w % 3 == 0 ? (double)bias.data[c] : 0.0;
                double magnitude = isnan(term) ? 0.0 : fabs(term) + fabs(shift);
                right = agrees(variant, y.data[i], (float)(term + shift), magnitude, i);
            }
            job.y = x.data;
            ((pml_batch_norm_fn *)variant->code)(&job);
            right = right && memcmp(x.data, y.data, n_rows * n * sizeof(float)) == 0;
            CU_ASSERT_TRUE(right);
            free(x.block);
            free(y.block);
            free(mean.block);
            free(variance.block);
            free(weight.block);
            free(bias.block);
        }
    }
}

PML_TESTS("kernels/batch_norm_f32", PML_TEST(columns_use_their_statistics))
