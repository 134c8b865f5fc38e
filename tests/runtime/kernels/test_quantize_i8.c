#include "tests/runtime/kernels/variants.h"

enum { MOST = 300, GUARD = 0xa5 };

typedef struct quantized {
    uint8_t q[4 * (MOST + 8)];
    float scales[4 * 16];
} quantized;

/* 3 rows of k columns, begun at no alignment; `spoil` puts a number into the middle row. */
static pml_quantize make_job(floats *x, quantized *to, size_t k, size_t group, uint64_t *seed) {
    *x = make_floats(3 * (k + 1), seed);
    memset(to, GUARD, sizeof *to);
    return (pml_quantize){.m = 3,
                          .k = k,
                          .x = x->data,
                          .x_stride = k + 1,
                          .group = group,
                          .q = to->q + 1,
                          .q_stride = (k + 3) / 4 * 4 + 1,
                          .scales = to->scales};
}

/* The definition, in double. */
static bool run_is_right(const float *x, const uint8_t *q, size_t n, float scale) {
    double greatest = 0;
    bool is_finite = true, right = true;
    for (size_t i = 0; i < n; i++) {
        is_finite = is_finite && isfinite(x[i]);
        greatest = fmax(greatest, fabs((double)x[i]));
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_finite || greatest < 0x1p-100) {
            right = right && q[i] == 128;
            continue;
        }
        const double error = fabs((double)x[i] - (double)scale * ((int)q[i] - 128));
        right = right && q[i] != 0 && error <= greatest / 254 * (1 + 1e-4);
    }
    if (!is_finite) {
        return right && isnan(scale);
    }
    return right && (greatest < 0x1p-100 ? scale == 0 : fabs((double)scale * 127 - greatest) <= greatest * 1e-6);
}

static bool is_right(const pml_quantize *job) {
    const size_t group = job->group == 0 ? job->k : job->group, n_groups = (job->k + group - 1) / group;
    bool right = true;
    for (size_t r = 0; r < job->m; r++) {
        const uint8_t *q = job->q + r * job->q_stride;
        for (size_t g = 0; g < n_groups; g++) {
            const size_t first = g * group, n = job->k - first < group ? job->k - first : group;
            right =
                right && run_is_right(job->x + r * job->x_stride + first, q + first, n, job->scales[r * n_groups + g]);
        }
        for (size_t i = job->k; i % 4 != 0; i++) {
            right = right && q[i] == 128;
        }
        right = right && q[(job->k + 3) / 4 * 4] == GUARD;
    }
    return right;
}

static void spoil(float *x, size_t k, size_t turn) {
    static const float numbers[] = {NAN, INFINITY, -INFINITY, 0x1p-149f, 3e38f, -3e38f, 0x1p-99f, -0.0f};
    if (turn % 2 == 1) {
        x[k + 1 + turn % k] = numbers[turn / 2 % (sizeof numbers / sizeof numbers[0])];
    }
    for (size_t i = 0; turn % 7 == 0 && i < 3 * (k + 1); i++) {
        x[i] *= turn % 2 == 0 ? 0x1p-140f : 0x1p120f;
    }
}

static void every_variant_is_right_and_gives_the_same_bits(void) {
    static const size_t groups[] = {0, 32, 64};
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("quantize_i8", &position)) != NULL) {
        uint64_t seed = 23;
        bool right = true, same = true;
        for (size_t turn = 0; turn < 3 * 260; turn++) {
            const size_t k = 1 + turn / 3, group = groups[turn % 3];
            quantized made, twin;
            floats x;
            pml_quantize job = make_job(&x, &made, k, group, &seed);
            spoil(x.data, k, turn);
            ((pml_quantize_fn *)variant->code)(&job);
            right = right && is_right(&job);
            memset(&twin, GUARD, sizeof twin);
            job.q = twin.q + 1;
            job.scales = twin.scales;
            pml_quantize_i8_scalar(&job);
            same = same && memcmp(&made, &twin, sizeof made) == 0;
            free(x.block);
        }
        CU_ASSERT_TRUE(right);
        CU_ASSERT_TRUE(same);
    }
}

static void rounds_halves_to_even(void) {
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("quantize_i8", &position)) != NULL) {
        float x[20] = {127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -126.5f};
        uint8_t q[20];
        float scale;
        ((pml_quantize_fn *)variant->code)(
            &(pml_quantize){.m = 1, .k = 20, .x = x, .x_stride = 20, .q = q, .q_stride = 20, .scales = &scale});
        static const uint8_t expected[] = {255, 128, 130, 130, 128, 126, 2, 128};
        CU_ASSERT_EQUAL(scale, 1.0f);
        CU_ASSERT_EQUAL(memcmp(q, expected, sizeof expected), 0);
    }
}

PML_TESTS("kernels/quantize_i8", PML_TEST(every_variant_is_right_and_gives_the_same_bits),
          PML_TEST(rounds_halves_to_even))
