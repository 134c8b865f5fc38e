/* The same bits from any number of threads: products of every stored form on every backend, and ops by rows. */
#include "runtime/ops/split.h"

#include "runtime/base/alloc.h"
#include "tests/runtime/ops/op_test.h"

static const size_t thread_counts[] = {1, 2, 3, 5};

typedef struct matrix {
    pml_tensor tensor;
    pml_buffer buffer;
    void *values, *scales, *sums;
} matrix;

static void *allocate(size_t size_bytes) {
    void *storage = NULL;
    PML_ASSERT_OK(pml_alloc_aligned(size_bytes, &storage, &error), &error);
    return storage;
}

/* A matrix [k][n] of numbers out of next_value. Sums of its columns are any numbers: all that counts is that they are
 * read from the right place. */
static void make_matrix(matrix *w, pml_dtype dtype, pml_layout layout, size_t group_rows, size_t k, size_t n) {
    const size_t depth = layout == PML_LAYOUT_PANEL ? pml_panel_depth(dtype) : 1;
    const size_t n_columns = layout == PML_LAYOUT_PANEL ? (n + 15) / 16 * 16 : n;
    const size_t count = (k + depth - 1) / depth * depth * n_columns;
    const size_t n_entries = n_columns * (group_rows == 0 ? 1 : (k + group_rows - 1) / group_rows);
    *w = (matrix){.values = allocate(count * (pml_dtype_bits(dtype) / 8)),
                  .scales = allocate(n_entries * sizeof(float)),
                  .sums = allocate(n_entries * sizeof(int32_t))};
    for (size_t i = 0; i < count; i++) {
        const float value = next_value();
        if (dtype == PML_DTYPE_F32) {
            ((float *)w->values)[i] = value;
        } else if (dtype == PML_DTYPE_BF16) {
            ((uint16_t *)w->values)[i] = pml_bf16_from_f32(value);
        } else {
            ((int8_t *)w->values)[i] = (int8_t)(value * 127.0f);
        }
    }
    for (size_t i = 0; i < n_entries; i++) {
        if (group_rows == 0) {
            ((float *)w->scales)[i] = next_value();
            ((int32_t *)w->sums)[i] = (int32_t)(next_value() * 9000.0f);
        } else {
            ((uint16_t *)w->scales)[i] = pml_f16_from_f32(next_value());
            ((int16_t *)w->sums)[i] = (int16_t)(next_value() * 4000.0f);
        }
    }
    w->tensor = pml_context_view(w->values, dtype, SHAPE(k, n), &w->buffer);
    w->tensor.layout = layout;
    w->tensor.quantization = (pml_quantization){w->scales, w->sums, (uint32_t)group_rows, 0.25f};
}

static void free_matrix(matrix *w) {
    pml_free(w->values);
    pml_free(w->scales);
    pml_free(w->sums);
}

/* Runs linear with each number of threads and compares with the first. Four steps of each: their answers must not
 * differ, and only the first may allocate. */
static void check_linear(const char *backend, const matrix *w, size_t m) {
    const size_t k = w->tensor.shape[0], n = w->tensor.shape[1], count = m * n;
    float *x_values = allocate(m * k * sizeof *x_values), *first = NULL;
    float *residual_values = allocate(count * sizeof *residual_values), *bias_values = allocate(n * sizeof(float));
    for (size_t i = 0; i < m * k; i++) {
        x_values[i] = next_value();
    }
    for (size_t i = 0; i < count; i++) {
        residual_values[i] = next_value();
    }
    for (size_t i = 0; i < n; i++) {
        bias_values[i] = next_value();
    }
    pml_buffer buffers[3];
    const pml_tensor x = pml_context_view(x_values, PML_DTYPE_F32, SHAPE(m, k), &buffers[0]);
    const pml_tensor residual = pml_context_view(residual_values, PML_DTYPE_F32, SHAPE(m, n), &buffers[1]);
    const pml_tensor bias = pml_context_view(bias_values, PML_DTYPE_F32, SHAPE(n), &buffers[2]);
    for (size_t t = 0; t < sizeof thread_counts / sizeof *thread_counts; t++) {
        uint64_t before = 0;
        PML_ASSERT_OK(pml_context_init(&context, backend, &error), &error);
        PML_ASSERT_OK(pml_context_threads_set(&context, thread_counts[t], &error), &error);
        for (unsigned turn = 0; turn < 4; turn++) {
            pml_tensor y;
            before = turn == 1 ? pml_allocation_count() : before;
            PML_ASSERT_OK(pml_context_step_begin(&context, PML_FLOATS(m, n), 0, &error), &error);
            PML_ASSERT_OK(pml_op_linear(&context, &x, &w->tensor, &bias, PML_ACTIVATION_GELU, &residual, &y, &error),
                          &error);
            if (first == NULL) {
                first = allocate(count * sizeof *first);
                memcpy(first, pml_tensor_f32(&y), count * sizeof *first);
                before = pml_allocation_count();
            }
            CU_ASSERT_EQUAL(memcmp(first, pml_tensor_f32(&y), count * sizeof *first), 0);
        }
        CU_ASSERT_EQUAL(pml_allocation_count(), before);
        pml_context_deinit(&context);
    }
    pml_free(x_values);
    pml_free(residual_values);
    pml_free(bias_values);
    pml_free(first);
}

static void products_do_not_depend_on_threads(void) {
    static const struct {
        pml_dtype dtype;
        pml_layout layout;
        size_t group_rows;
    } forms[] = {{PML_DTYPE_F32, PML_LAYOUT_PANEL, 0},  {PML_DTYPE_F32, PML_LAYOUT_ROW, 0},
                 {PML_DTYPE_BF16, PML_LAYOUT_PANEL, 0}, {PML_DTYPE_BF16, PML_LAYOUT_ROW, 0},
                 {PML_DTYPE_I8, PML_LAYOUT_PANEL, 0},   {PML_DTYPE_I8, PML_LAYOUT_PANEL, 64},
                 {PML_DTYPE_I8, PML_LAYOUT_PANEL, 32}};
    static const struct {
        size_t m, k, n;
    } sizes[] = {{1, 501, 1030}, {3, 300, 533}, {7, 130, 700}, {49, 301, 97}, {300, 190, 21}, {141, 257, 130}};
    static const char *const backends[] = {"cpu", "cpu-avx512", "cpu-avx2", "cpu-blas"};
    random_state = 7;
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            matrix w;
            make_matrix(&w, forms[f].dtype, forms[f].layout, forms[f].group_rows, sizes[s].k, sizes[s].n);
            for (size_t b = 0; b < sizeof backends / sizeof *backends; b++) {
                if (pml_backend_check(backends[b], &error) == PML_OK) {
                    check_linear(backends[b], &w, sizes[s].m);
                }
            }
            free_matrix(&w);
        }
    }
}

/* On the slowest kernels, whose order of sums is their own. */
static void plain_products_do_not_either(void) {
    matrix w;
    random_state = 8;
    (void)setenv("PML_ISA", "scalar", 1);
    make_matrix(&w, PML_DTYPE_F32, PML_LAYOUT_PANEL, 0, 150, 75);
    check_linear("cpu", &w, 90);
    free_matrix(&w);
    make_matrix(&w, PML_DTYPE_I8, PML_LAYOUT_PANEL, 32, 150, 75);
    check_linear("cpu", &w, 90);
    free_matrix(&w);
    (void)unsetenv("PML_ISA");
}

static void norms_do_not_depend_on_threads(void) {
    static float first[400][200];
    for (size_t t = 0; t < sizeof thread_counts / sizeof *thread_counts; t++) {
        begin_test(1 << 20);
        PML_ASSERT_OK(pml_context_threads_set(&context, thread_counts[t], &error), &error);
        const pml_tensor x = make_tensor(SHAPE(400, 200));
        const pml_norm norm = {.eps = 1e-5, .weight = make_tensor(SHAPE(200)), .bias = make_tensor(SHAPE(200))};
        pml_tensor y;
        PML_ASSERT_OK(pml_op_norm(&context, &x, &norm, &y, &error), &error);
        if (t == 0) {
            memcpy(first, pml_tensor_f32(&y), sizeof first);
        }
        CU_ASSERT_EQUAL(memcmp(first, pml_tensor_f32(&y), sizeof first), 0);
        CU_ASSERT_EQUAL(context.pool != NULL, t > 0);
        end_test();
    }
}

PML_TESTS("runtime/ops/split", PML_TEST(products_do_not_depend_on_threads), PML_TEST(plain_products_do_not_either),
          PML_TEST(norms_do_not_depend_on_threads))
