#include "tests/runtime/kernels/variants.h"

/* By the formulas, in double. */
static bool row_is_right(const pml_kernel_variant *variant, const pml_layer_norm_gradient *job, size_t r,
                         const float *before, double *dweight, double *dbias) {
    const size_t n = job->n_columns;
    const float *x = job->x + r * n, *dy = job->dy + r * n;
    double mean = 0, variance = 0, mean_g = 0, mean_gx = 0, greatest = 0;
    for (size_t c = 0; c < n; c++) {
        mean += (double)x[c] / (double)n;
    }
    for (size_t c = 0; c < n; c++) {
        variance += ((double)x[c] - mean) * ((double)x[c] - mean) / (double)n;
    }
    const double scale = 1 / sqrt(variance + job->eps);
    for (size_t c = 0; c < n; c++) {
        const double g = (double)dy[c] * (job->weight == NULL ? 1 : (double)job->weight[c]);
        const double moved = ((double)x[c] - mean) * scale;
        mean_g += g / (double)n;
        mean_gx += g * moved / (double)n;
        greatest = fmax(greatest, fabs(g) * (1 + fabs(moved)));
        dweight[c] += (double)dy[c] * moved;
        dbias[c] += (double)dy[c];
    }
    bool right = true;
    for (size_t c = 0; job->dx != NULL && c < n && right; c++) {
        const double g = (double)dy[c] * (job->weight == NULL ? 1 : (double)job->weight[c]);
        const double moved = ((double)x[c] - mean) * scale, old = job->adds ? (double)before[r * n + c] : 0;
        const double expected = old + scale * (g - mean_g - moved * mean_gx);
        right = agrees(variant, job->dx[r * n + c], (float)expected, fabs(old) + scale * greatest * (1 + fabs(moved)),
                       r * n + c);
    }
    return right;
}

static void check(const pml_kernel_variant *variant, size_t n, unsigned form, uint64_t *seed) {
    const size_t n_rows = 5;
    floats x = make_floats(n_rows * n, seed), dy = make_floats(n_rows * n, seed), weight = make_floats(n, seed);
    floats dx = make_floats(n_rows * n + 1, seed), before = make_floats(n_rows * n + 1, seed);
    double *sums = calloc(4 * n + 1, sizeof *sums);
    for (size_t c = 0; c < n; c++) {
        x.data[n + c] += 1000.0f; /* a mean far above the deviation */
    }
    memcpy(before.data, dx.data, (n_rows * n + 1) * sizeof(float));
    const pml_layer_norm_gradient job = {.n_rows = n_rows,
                                         .n_columns = n,
                                         .x = x.data,
                                         .dy = dy.data,
                                         .weight = form % 2 == 0 ? weight.data : NULL,
                                         .dx = form == 3 ? NULL : dx.data,
                                         .dweight = form == 2 ? NULL : sums,
                                         .dbias = form == 2 ? NULL : sums + n,
                                         .eps = form % 2 == 0 ? 1e-5 : 1e-2,
                                         .adds = form >= 2};
    ((pml_layer_norm_gradient_fn *)variant->code)(&job);
    bool right = dx.data[n_rows * n] == before.data[n_rows * n];
    for (size_t r = 0; r < n_rows && right; r++) {
        right = row_is_right(variant, &job, r, before.data, sums + 2 * n, sums + 3 * n);
    }
    for (size_t c = 0; c < 2 * n && right; c++) {
        right = fabs(sums[c] - (form == 2 ? 0 : sums[2 * n + c])) <= 1e-5;
    }
    CU_ASSERT_TRUE(right);
    free(x.block);
    free(dy.block);
    free(weight.block);
    free(dx.block);
    free(before.block);
    free(sums);
}

static void rows_follow_the_formulas(void) {
    static const size_t widths[] = {2, 7, 15, 16, 17, 31, 33, 64, 100, 384, 769};
    uint64_t seed = 5;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("layer_norm_gradient_f32", &position)) != NULL) {
        for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
            for (unsigned form = 0; form < 4; form++) {
                check(variant, widths[w], form, &seed);
            }
        }
    }
}

PML_TESTS("kernels/layer_norm_gradient_f32", PML_TEST(rows_follow_the_formulas))
