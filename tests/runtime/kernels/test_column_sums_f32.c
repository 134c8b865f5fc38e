#include "tests/runtime/kernels/variants.h"

/* Sums of one column in long double, and of the magnitudes of what is summed. */
static void expect(const pml_column_sums *job, size_t c, long double *sum, long double *product, double *scale) {
    *sum = 0;
    *product = 0;
    *scale = 0;
    for (size_t r = 0; r < job->n_rows; r++) {
        const long double shift = job->shift == NULL ? 0 : (long double)job->shift[c];
        const long double x = (long double)job->x[r * job->stride + c] - shift;
        const long double z = job->z == NULL ? x : (long double)job->z[r * job->stride + c];
        *sum += z;
        *product += z * x;
        *scale += fabs((double)z) * (1 + fabs((double)x));
    }
}

static void sums_are_right_and_in_range(void) {
    static const size_t widths[] = {0, 1, 3, 7, 15, 16, 17, 32, 50};
    uint64_t seed = 11;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("column_sums_f32", &position)) != NULL) {
        for (size_t i = 0; i < 8 * sizeof widths / sizeof widths[0]; i++) {
            const size_t n = widths[i / 8], n_rows = 21, stride = n + i % 3;
            floats x = make_floats(n_rows * stride, &seed), z = make_floats(n_rows * stride, &seed);
            floats shift = make_floats(n, &seed);
            double sums[51], products[51];
            for (size_t c = 0; c < 51; c++) {
                sums[c] = products[c] = 0.25;
            }
            const pml_column_sums job = {.n_rows = n_rows,
                                         .n_columns = n,
                                         .x = x.data,
                                         .z = i % 2 == 0 ? NULL : z.data,
                                         .stride = stride,
                                         .shift = i / 2 % 2 == 0 ? NULL : shift.data,
                                         .sums = i % 8 == 7 ? NULL : sums,
                                         .products = i / 4 % 2 == 0 ? NULL : products};
            ((pml_column_sums_fn *)variant->code)(&job);
            bool right = sums[n] == 0.25 && products[n] == 0.25;
            for (size_t c = 0; c < n && right; c++) {
                long double sum, product;
                double scale;
                expect(&job, c, &sum, &product, &scale);
                right = fabs(sums[c] - 0.25 - (job.sums == NULL ? 0 : (double)sum)) <= 1e-14 * (1 + scale) &&
                        fabs(products[c] - 0.25 - (job.products == NULL ? 0 : (double)product)) <= 1e-14 * (1 + scale);
            }
            CU_ASSERT_TRUE(right);
            free(x.block);
            free(z.block);
            free(shift.block);
        }
    }
}

PML_TESTS("kernels/column_sums_f32", PML_TEST(sums_are_right_and_in_range))
