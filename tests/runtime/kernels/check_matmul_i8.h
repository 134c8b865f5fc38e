/* One checker for the products of quantized rows: with or without groups. */
#ifndef PML_TESTS_RUNTIME_KERNELS_CHECK_MATMUL_I8_H
#define PML_TESTS_RUNTIME_KERNELS_CHECK_MATMUL_I8_H

#include "runtime/base/dtype.h"
#include "tests/runtime/kernels/variants.h"

static const float i8_guard = -12345.5f;

typedef struct i8_product {
    pml_matmul_i8 job;
    uint8_t *x;
    int8_t *w, *logical; /* panels; [k][n] */
    void *scales, *sums;
    float *x_scales; /* one float after the start of its block */
    floats bias, residual, y;
    size_t n_groups, y_count;
} i8_product;

static inline void *zeroed(size_t size_bytes) {
    void *made = NULL;
    if (pml_alloc_aligned(size_bytes + 1, &made, NULL) != PML_OK) {
        abort();
    }
    memset(made, 0, size_bytes + 1);
    return made;
}

static inline uint32_t random_bits(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* Bytes of random numbers, or of the extremes that sums overflow on first. */
static inline int random_i8(uint64_t *seed, bool extreme) {
    const uint32_t bits = random_bits(seed);
    return extreme ? (bits % 8 == 0 ? -127 : 127) : (int)(bits % 255) - 127;
}

static inline float i8_scale(const i8_product *p, size_t group, size_t column) {
    const size_t entry = (column / 16 * p->n_groups + group) * 16 + column % 16;
    return p->job.group_rows == 0 ? ((const float *)p->scales)[entry]
                                  : pml_f32_from_f16(((const uint16_t *)p->scales)[entry]);
}

static inline void fill_i8_weights(i8_product *p, uint64_t *seed, bool extreme, bool plain) {
    const size_t k = p->job.k, n = p->job.n, g = p->job.group_rows == 0 ? k : p->job.group_rows;
    const size_t n_lines = (k + 3) / 4;
    for (size_t i = 0; i < k; i++) {
        for (size_t c = 0; c < n; c++) {
            const int8_t value = (int8_t)random_i8(seed, extreme);
            const size_t entry = (c / 16 * p->n_groups + i / g) * 16 + c % 16;
            p->logical[i * n + c] = value;
            p->w[(c / 16 * n_lines + i / 4) * 64 + c % 16 * 4 + i % 4] = value;
            const float scale = plain ? 1.0f : 0.25f + 0.5f * random_float(seed) * random_float(seed);
            if (p->job.group_rows == 0) {
                ((int32_t *)p->sums)[entry] += value;
                ((float *)p->scales)[entry] = scale;
            } else {
                ((int16_t *)p->sums)[entry] = (int16_t)(((int16_t *)p->sums)[entry] + value);
                ((uint16_t *)p->scales)[entry] = pml_f16_from_f32(scale);
            }
        }
    }
}

/* `plain`: all scales are 1. */
static inline i8_product make_i8_product(size_t m, size_t k, size_t n, size_t group_rows, bool extreme, bool plain,
                                         uint64_t *seed) {
    const size_t n_panels = (n + 15) / 16, padded = (k + 3) / 4 * 4, x_stride = padded + 3, y_stride = n + 5;
    i8_product p = {.n_groups = group_rows == 0 ? 1 : (k + group_rows - 1) / group_rows, .y_count = m * y_stride};
    const size_t n_entries = n_panels * p.n_groups * 16;
    p.x = malloc(m * x_stride + 1);
    p.logical = malloc(k * n + 1);
    p.x_scales = malloc((m * p.n_groups + 1) * sizeof(float));
    if (p.x == NULL || p.logical == NULL || p.x_scales == NULL) {
        abort();
    }
    memset(p.x, 0xa5, m * x_stride + 1);
    p.w = zeroed(n_panels * padded * 16);
    p.scales = zeroed(n_entries * 4);
    p.sums = zeroed(n_entries * 4);
    p.bias = make_floats(n, seed);
    p.residual = make_floats(m * (n + 2), seed);
    p.y = make_floats(p.y_count, seed);
    p.job = (pml_matmul_i8){.m = m,
                            .k = k,
                            .n = n,
                            .x = p.x + 1, /* of no alignment */
                            .x_stride = x_stride,
                            .x_scales = p.x_scales + 1,
                            .w = p.w,
                            .w_scales = p.scales,
                            .w_sums = p.sums,
                            .group_rows = group_rows,
                            .scale_factor = plain ? 1.0f : 0.125f,
                            .y = p.y.data,
                            .y_stride = y_stride,
                            .residual_stride = n + 2};
    fill_i8_weights(&p, seed, extreme, plain);
    for (size_t r = 0; r < m; r++) {
        for (size_t i = 0; i < padded && r * x_stride + i < m * x_stride; i++) {
            p.x[1 + r * x_stride + i] = (uint8_t)(128 + (i < k ? random_i8(seed, extreme) : 0));
        }
        for (size_t g = 0; g < p.n_groups; g++) {
            p.x_scales[1 + r * p.n_groups + g] = plain ? 1.0f : 0.02f + 0.01f * random_float(seed);
        }
    }
    return p;
}

static inline void free_i8_product(i8_product *p) {
    free(p->x);
    free(p->logical);
    free(p->x_scales);
    pml_free(p->w);
    pml_free(p->scales);
    pml_free(p->sums);
    free(p->bias.block);
    free(p->residual.block);
    free(p->y.block);
}

static inline int64_t exact_sum(const i8_product *p, size_t row, size_t column, size_t group) {
    const size_t g = p->job.group_rows == 0 ? p->job.k : p->job.group_rows, first = group * g;
    int64_t sum = 0;
    for (size_t i = first; i < p->job.k && i < first + g; i++) {
        sum += ((int64_t)p->job.x[row * p->job.x_stride + i] - 128) * p->logical[i * p->job.n + column];
    }
    return sum;
}

/* With scales of 1 the result is the sum itself: every bit of the I32 accumulators below 2^24 is seen. */
static inline bool sums_are_exact(const pml_kernel_variant *variant, i8_product *p) {
    bool right = true;
    for (size_t i = 0; i < p->y_count; i++) {
        p->y.data[i] = i8_guard;
    }
    ((pml_matmul_i8_fn *)variant->code)(&p->job);
    for (size_t r = 0; r < p->job.m && right; r++) {
        for (size_t c = 0; c < p->job.y_stride && right; c++) {
            float expected = c < p->job.n ? 0.0f : i8_guard;
            for (size_t g = 0; g < p->n_groups && c < p->job.n; g++) {
                expected += (float)exact_sum(p, r, c, g);
            }
            right = p->y.data[r * p->job.y_stride + c] == expected;
            if (!right) {
                printf("\n    %s %s: [%zu][%zu] of %zu x %zu x %zu is %.9g, expected %.9g\n", variant->op, variant->isa,
                       r, c, p->job.m, p->job.k, p->job.n, (double)p->y.data[r * p->job.y_stride + c],
                       (double)expected);
            }
        }
    }
    return right;
}

static inline bool values_are_right(const pml_kernel_variant *variant, i8_product *p) {
    bool right = true;
    ((pml_matmul_i8_fn *)variant->code)(&p->job);
    for (size_t r = 0; r < p->job.m && right; r++) {
        for (size_t c = 0; c < p->job.n && right; c++) {
            double sum = 0, scale = 0;
            for (size_t g = 0; g < p->n_groups; g++) {
                double term = (double)exact_sum(p, r, c, g) * (double)p->job.x_scales[r * p->n_groups + g] *
                              (double)i8_scale(p, g, c) * (p->job.group_rows == 0 ? 1.0 : 0.125);
                sum += term;
                scale += fabs(term);
            }
            sum += p->job.bias != NULL ? (double)p->job.bias[c] : 0;
            sum = p->job.activation == PML_ACTIVATION_RELU && sum < 0 ? 0 : sum;
            sum += p->job.residual != NULL ? (double)p->job.residual[r * p->job.residual_stride + c] : 0;
            right = agrees(variant, p->job.y[r * p->job.y_stride + c], (float)sum, scale + 2, r * p->job.n + c);
        }
    }
    return right;
}

static const size_t i8_depths[] = {1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 127, 255, 256, 260, 517};
static const size_t i8_columns[] = {1, 7, 8, 15, 16, 17, 31, 33, 49, 65, 130};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* M from 1 to 40 with depths and columns above in turn: exact sums of random and of extreme bytes, then every epilogue.
 */
static inline void check_i8_sizes(const pml_kernel_variant *variant, size_t group_rows) {
    uint64_t seed = 7;
    size_t turn = 0;
    bool right = true;
    for (size_t m = 1; m <= 40 && right; m++) {
        for (size_t b = 0; b < COUNT(i8_depths) && right; b++, turn++) {
            const size_t n = i8_columns[(turn * 5 + m) % COUNT(i8_columns)];
            i8_product p = make_i8_product(m, i8_depths[b], n, group_rows, turn % 3 == 0, true, &seed);
            right = sums_are_exact(variant, &p);
            free_i8_product(&p);
            p = make_i8_product(m, i8_depths[b], n, group_rows, false, false, &seed);
            p.job.bias = turn % 2 == 0 ? p.bias.data : NULL;
            p.job.residual = turn % 3 == 0 ? p.residual.data : NULL;
            p.job.activation = turn % 4 == 1 ? PML_ACTIVATION_RELU : PML_ACTIVATION_IDENTITY;
            right = right && values_are_right(variant, &p);
            free_i8_product(&p);
        }
    }
    CU_ASSERT_TRUE(right);
}

/* A residual that is y itself gives the same bits as one beside it, and rows at once those of rows one by one. */
static inline void check_i8_invariance(const pml_kernel_variant *variant, size_t group_rows) {
    pml_matmul_i8_fn *kernel = (pml_matmul_i8_fn *)variant->code;
    uint64_t seed = 11;
    for (size_t m = 1; m <= 27; m++) {
        i8_product p = make_i8_product(m, 300, 145, group_rows, false, false, &seed);
        floats other = make_floats(p.y_count, &seed);
        p.job.bias = p.bias.data;
        p.job.residual = p.residual.data;
        p.job.activation = (pml_activation)(m % PML_ACTIVATION_COUNT);
        kernel(&p.job);
        pml_matmul_i8 row = p.job;
        row.m = 1;
        bool equal = true;
        for (size_t r = 0; r < m; r++) {
            float *y = other.data + r * p.job.y_stride;
            memcpy(y, p.residual.data + r * p.job.residual_stride, p.job.n * sizeof *y);
            row.x = p.job.x + r * p.job.x_stride;
            row.x_scales = p.job.x_scales + r * p.n_groups;
            row.y = y;
            row.residual = y;
            row.residual_stride = row.y_stride;
            kernel(&row);
            equal = equal && memcmp(y, p.job.y + r * p.job.y_stride, p.job.n * sizeof *y) == 0;
        }
        CU_ASSERT_TRUE(equal);
        free(other.block);
        free_i8_product(&p);
    }
}

/* A row of scale NaN becomes NaN, infinite bias and residual what they are, and nothing else is touched. */
static inline void check_i8_nonfinite(const pml_kernel_variant *variant, size_t group_rows) {
    uint64_t seed = 13;
    for (size_t m = 2; m <= 13; m++) {
        i8_product p = make_i8_product(m, 130, 37, group_rows, false, false, &seed);
        p.x_scales[1 + (m - 1) * p.n_groups] = NAN;
        p.bias.data[3] = INFINITY;
        p.job.bias = p.bias.data;
        ((pml_matmul_i8_fn *)variant->code)(&p.job);
        bool right = true;
        for (size_t i = 0; i < m * 37; i++) {
            const float y = p.job.y[i / 37 * p.job.y_stride + i % 37];
            right = right && (i / 37 == m - 1 ? isnan(y) : i % 37 == 3 ? y == INFINITY : isfinite(y));
        }
        CU_ASSERT_TRUE(right);
        free_i8_product(&p);
    }
}

/* All variants give the same bits, the scalar one too where no activation is computed; sums beyond 2^24 included. */
static inline void check_i8_same_bits(const char *op, size_t group_rows, pml_activation activation, bool with_scalar) {
    uint64_t seed = 17;
    i8_product p = make_i8_product(29, 1500, 77, group_rows, activation == PML_ACTIVATION_RELU, false, &seed);
    floats first = make_floats(p.y_count, &seed);
    size_t position = 0, n_compared = 0;
    const pml_kernel_variant *variant;
    p.job.bias = p.bias.data;
    p.job.residual = p.residual.data;
    p.job.activation = activation;
    while ((variant = next_variant(op, &position)) != NULL) {
        if (!with_scalar && strcmp(variant->isa, "scalar") == 0) {
            continue;
        }
        for (size_t i = 0; i < p.y_count; i++) {
            p.y.data[i] = i8_guard;
        }
        ((pml_matmul_i8_fn *)variant->code)(&p.job);
        if (n_compared++ == 0) {
            memcpy(first.data, p.y.data, p.y_count * sizeof(float));
        }
        CU_ASSERT_EQUAL(memcmp(first.data, p.y.data, p.y_count * sizeof(float)), 0);
    }
    free(first.block);
    free_i8_product(&p);
}

static inline void check_i8_variants(const char *op, size_t group_rows) {
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant(op, &position)) != NULL) {
        check_i8_sizes(variant, group_rows);
        check_i8_invariance(variant, group_rows);
        check_i8_nonfinite(variant, group_rows);
    }
    check_i8_same_bits(op, group_rows, PML_ACTIVATION_IDENTITY, true);
    check_i8_same_bits(op, group_rows, PML_ACTIVATION_RELU, true);
    check_i8_same_bits(op, group_rows, PML_ACTIVATION_GELU, false);
    check_i8_same_bits(op, group_rows, PML_ACTIVATION_SILU, false);
}

#endif
