/* One checker for every matrix product: layout and dtype of the weights are its parameters. */
#ifndef PML_TESTS_RUNTIME_KERNELS_CHECK_MATMUL_H
#define PML_TESTS_RUNTIME_KERNELS_CHECK_MATMUL_H

#include "runtime/base/dtype.h"
#include "tests/runtime/kernels/variants.h"

typedef struct weights_form {
    const char *op;
    bool is_panel;
    bool is_bf16;
} weights_form;

/* Whether a variant rounds x to BF16, denormals to 0, before it multiplies k deep: it is then held against the product
 * of the rounded x, and its sums are no others' bit for bit. */
static inline bool rounds_x(const pml_kernel_variant *variant, size_t k) {
    return strcmp(variant->isa, "avx512bf16") == 0 && k > PML_MATMUL_BF16_EXACT_DEPTH;
}
static inline float x_seen(const pml_kernel_variant *variant, size_t k, float x) {
    const float rounded = rounds_x(variant, k) ? pml_f32_from_bf16(pml_bf16_from_f32(x)) : x;
    return rounds_x(variant, k) && fabsf(rounded) < FLT_MIN ? copysignf(0.0f, x) : rounded;
}

enum { FILL_ORDINARY, FILL_NAN, FILL_INFINITY, FILL_DENORMAL, FILL_COUNT };
static const float guard = -12345.5f;

typedef struct product {
    pml_matmul job;
    floats x, logical, bias, residual, y;
    void *stored; /* the weights in their form, 64-byte aligned */
    size_t y_count;
} product;

/* Writes W [k][n] in its form; BF16 rounds `logical` too, so that it stays what the kernel sees. */
static inline void *store_weights(const weights_form *form, float *logical, size_t k, size_t n) {
    size_t depth = form->is_panel ? (form->is_bf16 ? 2 : 1) : 1;
    size_t columns = form->is_panel ? 16 : n;
    size_t rows = (k + depth - 1) / depth * depth;
    size_t panels = form->is_panel ? (n + 15) / 16 : 1;
    size_t each = form->is_bf16 ? sizeof(uint16_t) : sizeof(float);
    size_t size_bytes = panels * rows * columns * each;
    void *stored = NULL;
    if (pml_alloc_aligned(size_bytes + (size_bytes == 0), &stored, NULL) != PML_OK) {
        abort();
    }
    memset(stored, 0, size_bytes);
    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j < n; j++) {
            size_t at = i * n + j;
            if (form->is_panel) {
                at = j / 16 * rows * 16 + i / depth * depth * 16 + j % 16 * depth + i % depth;
            }
            if (form->is_bf16) {
                uint16_t bits = pml_bf16_from_f32(logical[i * n + j]);
                ((uint16_t *)stored)[at] = bits;
                logical[i * n + j] = pml_f32_from_bf16(bits);
            } else {
                ((float *)stored)[at] = logical[i * n + j];
            }
        }
    }
    return stored;
}

static inline void spoil(float *values, size_t count, int fill) {
    for (size_t i = 0; i < count; i++) {
        if (fill == FILL_DENORMAL) {
            values[i] *= 1e-39f;
        } else if (i % 37 == 5 && fill != FILL_ORDINARY) {
            values[i] = fill == FILL_NAN ? NAN : i % 2 == 0 ? INFINITY : -INFINITY;
        }
    }
}

static inline product make_product(const weights_form *form, size_t m, size_t k, size_t n, int fill, uint64_t *seed) {
    /* Deep rows lie multiples of 4096 bytes apart: kernels that keep those out of each other's way copy them. */
    size_t x_stride = k < 512 ? k + 3 : (k + 1023) / 1024 * 1024, y_stride = n + 5, residual_stride = n + 2;
    product made = {.x = make_floats(m * x_stride, seed),
                    .logical = make_floats(k * n, seed),
                    .bias = make_floats(n, seed),
                    .residual = make_floats(m * residual_stride, seed),
                    .y_count = m * y_stride};
    made.y = make_floats(made.y_count, seed);
    spoil(made.x.data, m * x_stride, fill);
    made.stored = store_weights(form, made.logical.data, k, n);
    made.job = (pml_matmul){.m = m,
                            .k = k,
                            .n = n,
                            .x = made.x.data,
                            .x_stride = x_stride,
                            .w = made.stored,
                            .y = made.y.data,
                            .y_stride = y_stride,
                            .residual_stride = residual_stride};
    return made;
}

static inline void free_product(product *made) {
    free(made->x.block);
    free(made->logical.block);
    free(made->bias.block);
    free(made->residual.block);
    free(made->y.block);
    pml_free(made->stored);
}

static inline void fill_guard(product *made) {
    for (size_t i = 0; i < made->y_count; i++) {
        made->y.data[i] = guard;
    }
}

/* Runs `kernel` and compares with the product in double; `scale` of an element is the sum of magnitudes. */
static inline bool product_is_right(const pml_kernel_variant *variant, pml_matmul_fn *kernel, product *made) {
    const pml_matmul *job = &made->job;
    bool right = true;
    kernel(job);
    for (size_t i = 0; i < job->m && right; i++) {
        for (size_t j = 0; j < job->y_stride && right; j++) {
            float y = job->y[i * job->y_stride + j];
            if (j >= job->n) {
                right = y == guard;
                continue;
            }
            double sum = 0.0, scale = 0.0;
            for (size_t d = 0; d < job->k; d++) {
                double term = (double)x_seen(variant, job->k, job->x[i * job->x_stride + d]) *
                              (double)made->logical.data[d * job->n + j];
                sum += term;
                scale += fabs(term);
            }
            double bias = job->bias != NULL ? (double)job->bias[j] : 0.0;
            sum += bias;
            scale += fabs(bias);
            if (job->activation == PML_ACTIVATION_RELU) {
                sum = sum < 0.0 ? 0.0 : sum;
            }
            if (job->residual != NULL) {
                double residual = (double)made->residual.data[i * job->residual_stride + j];
                sum += residual;
                scale += fabs(residual);
            }
            right = agrees(variant, y, (float)sum, isfinite(scale) ? scale : 0.0, i * job->n + j);
        }
    }
    return right;
}

static const size_t matmul_rows[] = {0, 1, 2, 3, 4, 5, 7, 11, 12, 13, 16, 25, 31};
static const size_t matmul_depths[] = {0, 1, 2, 3, 16, 33, 127, 255, 256, 257, 513, 4099};
static const size_t matmul_columns[] = {0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 49, 65, 130};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Rows x depths x columns above (of the large ones every eleventh) with NaN, infinity and denormals among the ordinary
 * fills, and every epilogue in turn. */
static inline void check_matmul_kernel(const weights_form *form, const pml_kernel_variant *variant,
                                       pml_matmul_fn *kernel) {
    uint64_t seed = 7;
    size_t turn = 0;
    bool right = true;
    for (size_t a = 0; a < COUNT(matmul_rows); a++) {
        for (size_t b = 0; b < COUNT(matmul_depths); b++) {
            for (size_t c = 0; c < COUNT(matmul_columns) && right; c++, turn++) {
                if (matmul_rows[a] * matmul_depths[b] * matmul_columns[c] > 40000 && turn % 11 != 0) {
                    continue;
                }
                product made = make_product(form, matmul_rows[a], matmul_depths[b], matmul_columns[c],
                                            turn % 5 == 0 ? (int)(turn / 5 % FILL_COUNT) : FILL_ORDINARY, &seed);
                fill_guard(&made);
                made.job.bias = turn % 2 == 0 ? made.bias.data : NULL;
                made.job.residual = turn % 3 == 0 ? made.residual.data : NULL;
                made.job.activation = turn % 4 == 1 ? PML_ACTIVATION_RELU : PML_ACTIVATION_IDENTITY;
                right = product_is_right(variant, kernel, &made);
                free_product(&made);
            }
        }
    }
    CU_ASSERT_TRUE(right);
}

static inline void copy_into_y(product *made) {
    for (size_t i = 0; i < made->job.m; i++) {
        memcpy(made->y.data + i * made->job.y_stride, made->residual.data + i * made->job.residual_stride,
               made->job.n * sizeof(float));
    }
}

/* A residual that is y itself gives the same bits as one beside it, for every activation. */
static inline void check_matmul_in_place(const weights_form *form, pml_matmul_fn *kernel, bool same_bits) {
    uint64_t seed = 11;
    for (int activation = 0; activation < PML_ACTIVATION_COUNT; activation++) {
        size_t m = (size_t)activation * 9 + 1;
        product made = make_product(form, m, 40, 203, FILL_ORDINARY, &seed);
        floats beside = make_floats(made.y_count, &seed);
        made.job.bias = made.bias.data;
        made.job.activation = (pml_activation)activation;
        made.job.residual = made.residual.data;
        made.job.y = beside.data;
        kernel(&made.job);
        copy_into_y(&made);
        made.job.residual = made.job.y = made.y.data;
        made.job.residual_stride = made.job.y_stride;
        kernel(&made.job);
        bool equal = true;
        for (size_t i = 0; i < m; i++) {
            for (size_t j = 0; j < made.job.n; j++) {
                float a = beside.data[i * made.job.y_stride + j], b = made.y.data[i * made.job.y_stride + j];
                equal = equal && (same_bits ? memcmp(&a, &b, sizeof a) == 0 : fabsf(a - b) <= 1e-5f);
            }
        }
        CU_ASSERT_TRUE(equal);
        free(beside.block);
        free_product(&made);
    }
}

/* Rows at once give the bits that rows one by one give. */
static inline void check_matmul_batch_invariance(const weights_form *form, pml_matmul_fn *kernel) {
    uint64_t seed = 13;
    for (size_t m = 1; m <= 27; m++) {
        product made = make_product(form, m, 300, 145, FILL_ORDINARY, &seed);
        floats rows = make_floats(made.y_count, &seed);
        made.job.bias = made.bias.data;
        made.job.activation = PML_ACTIVATION_GELU;
        kernel(&made.job);
        pml_matmul row = made.job;
        row.m = 1;
        bool equal = true;
        for (size_t i = 0; i < m; i++) {
            row.x = made.job.x + i * made.job.x_stride;
            row.y = rows.data + i * made.job.y_stride;
            kernel(&row);
            equal = equal && memcmp(row.y, made.job.y + i * made.job.y_stride, made.job.n * sizeof(float)) == 0;
        }
        CU_ASSERT_TRUE(equal);
        free(rows.block);
        free_product(&made);
    }
}

/* Short blocks of additions keep sums of 256 terms within 2.6 roundings of a typical sum, RMS; one chain is 4.8 off,
 * which is little beside what rounding x costs. */
static inline void check_matmul_rounding(const weights_form *form, const pml_kernel_variant *variant,
                                         pml_matmul_fn *kernel) {
    enum { M = 24, K = 256, N = 64 };
    uint64_t seed = 19;
    product made = make_product(form, M, K, N, FILL_ORDINARY, &seed);
    double errors = 0, squares = 0;
    kernel(&made.job);
    for (size_t i = 0; i < M * N; i++) {
        double sum = 0;
        for (size_t d = 0; d < K; d++) {
            double x = (double)x_seen(variant, K, made.x.data[i / N * made.job.x_stride + d]);
            double term = x * (double)made.logical.data[d * N + i % N];
            sum += term;
            squares += term * term;
        }
        double error = (double)made.y.data[i / N * made.job.y_stride + i % N] - sum;
        errors += error * error;
    }
    double units = sqrt(errors / squares) / (0x1p-24);
    CU_ASSERT_TRUE(units < (rounds_x(variant, K) ? 6 : 3.5));
    free_product(&made);
}

/* All vector variants that do not round x give the same bits. */
static inline void check_matmul_same_bits(const weights_form *form) {
    uint64_t seed = 17;
    product made = make_product(form, 29, 600, 77, FILL_ORDINARY, &seed);
    floats first = make_floats(made.y_count, &seed);
    made.job.bias = made.bias.data;
    made.job.activation = PML_ACTIVATION_GELU;
    size_t position = 0, n_vector = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant(form->op, &position)) != NULL) {
        if (strcmp(variant->isa, "scalar") == 0 || rounds_x(variant, made.job.k)) {
            continue;
        }
        fill_guard(&made);
        ((pml_matmul_fn *)variant->code)(&made.job);
        if (n_vector++ == 0) {
            memcpy(first.data, made.y.data, made.y_count * sizeof(float));
        }
        CU_ASSERT_EQUAL(memcmp(first.data, made.y.data, made.y_count * sizeof(float)), 0);
    }
    free(first.block);
    free_product(&made);
}

static inline void check_matmul_variants(const weights_form *form) {
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant(form->op, &position)) != NULL) {
        pml_matmul_fn *kernel = (pml_matmul_fn *)variant->code;
        check_matmul_kernel(form, variant, kernel);
        check_matmul_in_place(form, kernel, true);
        check_matmul_batch_invariance(form, kernel);
        check_matmul_rounding(form, variant, kernel);
    }
    check_matmul_same_bits(form);
}

#endif
