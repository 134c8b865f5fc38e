#include "tests/runtime/kernels/variants.h"

static void sums_are_right_and_in_range(void) {
    static const size_t widths[] = {0, 1, 3, 8, 13, 16, 17, 31, 32, 47};
    enum { N_WIDTHS = sizeof widths / sizeof widths[0] };
    uint64_t seed = 11;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("outer_f32", &position)) != NULL) {
        for (size_t i = 0; i < N_WIDTHS * N_WIDTHS; i++) {
            const size_t n_a = widths[i / N_WIDTHS], n_b = widths[i % N_WIDTHS], n_rows = i % 5 == 0 ? 0 : 19;
            const size_t a_stride = n_a + i % 3, b_stride = n_b + i % 2, y_stride = n_b + i % 4;
            floats a = make_floats(n_rows * a_stride, &seed), b = make_floats(n_rows * b_stride, &seed);
            floats y = make_floats(n_a * y_stride, &seed), before = make_floats(n_a * y_stride, &seed);
            memcpy(before.data, y.data, n_a * y_stride * sizeof(float));
            const pml_outer job = {.n_rows = n_rows,
                                   .n_a = n_a,
                                   .n_b = n_b,
                                   .a = a.data,
                                   .a_stride = a_stride,
                                   .b = b.data,
                                   .b_stride = b_stride,
                                   .y = y.data,
                                   .y_stride = y_stride,
                                   .adds = i % 2 == 1};
            ((pml_outer_fn *)variant->code)(&job);
            bool right = true;
            for (size_t at = 0; at < n_a * y_stride && right; at++) {
                const size_t row = at / y_stride, column = at % y_stride;
                double sum = job.adds ? (double)before.data[at] : 0;
                for (size_t r = 0; r < n_rows && column < n_b; r++) {
                    sum += (double)a.data[r * a_stride + row] * (double)b.data[r * b_stride + column];
                }
                right = column < n_b ? fabs((double)y.data[at] - sum) <= 1e-5 * (1 + fabs(sum))
                                     : y.data[at] == before.data[at];
            }
            CU_ASSERT_TRUE(right);
            free(a.block);
            free(b.block);
            free(y.block);
            free(before.block);
        }
    }
}

PML_TESTS("kernels/outer_f32", PML_TEST(sums_are_right_and_in_range))
