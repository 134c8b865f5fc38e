#include "tests/runtime/kernels/variants.h"

/* The difference to the greatest is rounded to FP32, and its exponential amplifies that by the difference itself. */
static bool row_is_right(const pml_kernel_variant *variant, const float *x, const float *y, size_t n) {
    double greatest = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        greatest = fmax(greatest, (double)x[i]);
    }
    for (size_t i = 0; i < n; i++) {
        sum += exp((double)x[i] - greatest);
    }
    bool right = true;
    for (size_t i = 0; i < n && right; i++) {
        double expected = exp((double)x[i] - greatest) / sum;
        double scale = expected > 0.0 ? expected * (1.0 + greatest - (double)x[i]) : 0.0;
        right = agrees(variant, y[i], (float)expected, isnan(expected) ? 0.0 : scale, i);
    }
    return right;
}

static void check_lengths(const pml_kernel_variant *variant, float spread, float special) {
    uint64_t seed = 9;
    for (size_t n = 0; n <= 70; n++) {
        size_t stride = n + 3;
        floats x = make_floats(4 * stride, &seed), y = make_floats(4 * stride, &seed);
        for (size_t i = 0; i < 4 * stride; i++) {
            x.data[i] *= spread;
        }
        if (n > 1) {
            x.data[stride + n - 1] = special;
            x.data[2 * stride] = special;
        }
        memcpy(y.data, x.data, 4 * stride * sizeof(float));
        pml_softmax job = {.n_rows = 4, .n_columns = n, .x = y.data, .x_stride = stride};
        ((pml_softmax_fn *)variant->code)(&job);
        bool right = true;
        for (size_t r = 0; r < 4; r++) {
            const float *row = x.data + r * stride;
            right = right && row_is_right(variant, row, y.data + r * stride, n);
            right = right && memcmp(row + n, y.data + r * stride + n, 3 * sizeof(float)) == 0;
        }
        CU_ASSERT_TRUE(right);
        free(x.block);
        free(y.block);
    }
}

static void rows_are_distributions(void) {
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("softmax_f32", &position)) != NULL) {
        check_lengths(variant, 1.0f, 0.0f);
        check_lengths(variant, 200.0f, -INFINITY);
        check_lengths(variant, 1.0f, -3.4028235e38f);
        check_lengths(variant, 1.0f, NAN);
        check_lengths(variant, 1e-39f, 1e-45f);
    }
}

static void a_row_without_a_finite_score_is_nan(void) {
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("softmax_f32", &position)) != NULL) {
        float rows[2][19];
        for (size_t i = 0; i < 19; i++) {
            rows[0][i] = -INFINITY;
            rows[1][i] = i == 7 ? INFINITY : 1.0f;
        }
        pml_softmax job = {.n_rows = 2, .n_columns = 19, .x = rows[0], .x_stride = 19};
        ((pml_softmax_fn *)variant->code)(&job);
        for (size_t i = 0; i < 19; i++) {
            CU_ASSERT_TRUE(isnan(rows[0][i]));
            CU_ASSERT_TRUE(isnan(rows[1][i]));
        }
    }
}

PML_TESTS("kernels/softmax_f32", PML_TEST(rows_are_distributions), PML_TEST(a_row_without_a_finite_score_is_nan))
