#include "tests/runtime/kernels/variants.h"

/* In long double, so that the expected value has no rounding of its own worth speaking of. */
static bool row_is_right(const pml_kernel_variant *variant, const pml_layer_norm *job, const float *x, const float *y) {
    size_t n = job->n_columns;
    long double mean = 0.0L, variance = 0.0L;
    for (size_t c = 0; c < n; c++) {
        mean += (long double)x[c] / (long double)n;
    }
    for (size_t c = 0; c < n; c++) {
        variance += ((long double)x[c] - mean) * ((long double)x[c] - mean) / (long double)n;
    }
    bool right = true;
    for (size_t c = 0; c < n && right; c++) {
        long double weight = job->weight != NULL ? (long double)job->weight[c] : 1.0L;
        long double bias = job->bias != NULL ? (long double)job->bias[c] : 0.0L;
        long double term = ((long double)x[c] - mean) / sqrtl(variance + (long double)job->eps) * weight;
        right = agrees(variant, y[c], (float)(term + bias), (double)(fabsl(term) + fabsl(bias)), c);
    }
    return right;
}

static void rows_have_mean_0_and_variance_1(void) {
    static const size_t widths[] = {1, 2, 7, 15, 16, 17, 31, 33, 64, 100, 384, 769};
    uint64_t seed = 5;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("layer_norm_f32", &position)) != NULL) {
        for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
            size_t n = widths[w], n_rows = 3;
            floats x = make_floats(n_rows * n, &seed), y = make_floats(n_rows * n + 1, &seed);
            floats weight = make_floats(n, &seed), bias = make_floats(n, &seed);
            for (size_t c = 0; c < n; c++) {
                x.data[n + c] += 1000.0f; /* a mean far above the deviation */
            }
            y.data[n_rows * n] = 4.0f;
            pml_layer_norm job = {.n_rows = n_rows,
                                  .n_columns = n,
                                  .x = x.data,
                                  .y = y.data,
                                  .weight = w % 2 == 0 ? weight.data : NULL,
                                  .bias = w % 3 == 0 ? bias.data : NULL,
                                  .eps = w % 2 == 0 ? 1e-5 : 1e-12};
            ((pml_layer_norm_fn *)variant->code)(&job);
            bool right = y.data[n_rows * n] == 4.0f;
            for (size_t r = 0; r < n_rows; r++) {
                right = right && row_is_right(variant, &job, x.data + r * n, y.data + r * n);
            }
            job.y = x.data;
            ((pml_layer_norm_fn *)variant->code)(&job);
            right = right && memcmp(x.data, y.data, n_rows * n * sizeof(float)) == 0;
            CU_ASSERT_TRUE(right);
            free(x.block);
            free(y.block);
            free(weight.block);
            free(bias.block);
        }
    }
}

static void a_nan_or_infinity_spoils_its_row_only(void) {
    uint64_t seed = 6;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("layer_norm_f32", &position)) != NULL) {
        floats x = make_floats(3 * 40, &seed);
        x.data[3] = NAN;
        x.data[80 + 39] = INFINITY;
        pml_layer_norm job = {.n_rows = 3, .n_columns = 40, .x = x.data, .y = x.data, .eps = 1e-5};
        ((pml_layer_norm_fn *)variant->code)(&job);
        for (size_t c = 0; c < 40; c++) {
            CU_ASSERT_TRUE(isnan(x.data[c]));
            CU_ASSERT_TRUE(isfinite(x.data[40 + c]));
            CU_ASSERT_TRUE(isnan(x.data[80 + c]));
        }
        free(x.block);
    }
}

PML_TESTS("kernels/layer_norm_f32", PML_TEST(rows_have_mean_0_and_variance_1),
          PML_TEST(a_nan_or_infinity_spoils_its_row_only))
