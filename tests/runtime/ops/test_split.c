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

/* ---- attention ---- */
/* Compares what a function computes, given a number of threads, with what it computed before. */
static void check_same(const float *values, size_t count, bool is_first) {
    static float *first;
    if (is_first) {
        pml_free(first);
        first = allocate(count * sizeof *first);
        memcpy(first, values, count * sizeof *first);
    }
    CU_ASSERT_EQUAL(memcmp(first, values, count * sizeof *first), 0);
    if (thread_counts[sizeof thread_counts / sizeof *thread_counts - 1] == context.n_threads) {
        pml_free(first);
        first = NULL;
    }
}

static void begin_with_threads(size_t i_count) {
    begin_test(1 << 24);
    PML_ASSERT_OK(pml_context_threads_set(&context, thread_counts[i_count], &error), &error);
}

static void attention_does_not_depend_on_threads(void) {
    static const struct {
        size_t n_batch, n_queries, n_keys, n_heads, depth;
        bool causal, has_mask, has_scores;
    } cases[] = {
        {1, 300, 300, 2, 20, true, false, false},  {1, 300, 311, 1, 16, true, true, false},
        {1, 211, 100, 3, 16, false, true, true},   {1, 150, 170, 2, 8, true, false, true},
        {60, 42, 42, 4, 8, false, false, false},   {1, 500, 90, 1, 7, false, false, false},
        {2, 257, 257, 3, 16, false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t t = 0; t < sizeof thread_counts / sizeof *thread_counts; t++) {
            const size_t b = cases[i].n_batch, q_rows = cases[i].n_queries, k_rows = cases[i].n_keys;
            const size_t d = cases[i].n_heads * cases[i].depth;
            begin_with_threads(t);
            const pml_tensor q = make_tensor(SHAPE(b, q_rows, d)), k = make_tensor(SHAPE(b, k_rows, d));
            const pml_tensor v = make_tensor(SHAPE(b, k_rows, d)), mask = make_tensor(SHAPE(b, q_rows, k_rows));
            pml_tensor scores = cases[i].has_scores ? make_tensor(SHAPE(b, cases[i].n_heads, q_rows, k_rows)) : q, y;
            const pml_attention_options options = {.n_heads = cases[i].n_heads,
                                                   .axis = 1,
                                                   .scale = 0.3f,
                                                   .causal = cases[i].causal,
                                                   .mask = cases[i].has_mask ? &mask : NULL,
                                                   .scores = cases[i].has_scores ? &scores : NULL};
            PML_ASSERT_OK(pml_op_attention(&context, &q, &k, &v, &options, &y, &error), &error);
            check_same(pml_tensor_f32(&y), pml_tensor_count(&y), t == 0);
            CU_ASSERT_EQUAL(context.pool != NULL, t > 0);
            end_test();
        }
        for (size_t t = 0; cases[i].has_scores && t < sizeof thread_counts / sizeof *thread_counts; t++) {
            const size_t d = cases[i].n_heads * cases[i].depth;
            begin_with_threads(t);
            const pml_tensor q = make_tensor(SHAPE(1, cases[i].n_queries, d));
            const pml_tensor k = make_tensor(SHAPE(1, cases[i].n_keys, d)),
                             v = make_tensor(SHAPE(1, cases[i].n_keys, d));
            pml_tensor scores = {0}, y;
            const pml_attention_options options = {
                .n_heads = cases[i].n_heads, .axis = 1, .scale = 1, .causal = cases[i].causal, .scores = &scores};
            PML_ASSERT_OK(pml_op_attention(&context, &q, &k, &v, &options, &y, &error), &error);
            check_same(pml_tensor_f32(&scores), pml_tensor_count(&scores), t == 0);
            end_test();
        }
    }
}

/* Sequences of very different lengths, some of them empty; then the same as the first tokens of a cache that grows. */
static void ragged_attention_does_not_depend_on_threads(void) {
    static const size_t offsets[] = {0, 3, 3, 260, 261, 400, 400}, shorter[] = {0, 1, 2, 34, 35, 36, 40};
    enum { N = 6, HEADS = 3, D = 48, CAPACITY = 320 };
    static _Alignas(64) float keys[N * CAPACITY * D], values[N * CAPACITY * D];
    static const size_t sequences[N] = {0, 1, 2, 3, 4, 5};
    for (unsigned causal = 0; causal < 2; causal++) {
        for (size_t t = 0; t < sizeof thread_counts / sizeof *thread_counts; t++) {
            begin_with_threads(t);
            const pml_tensor q = make_tensor(SHAPE(400, D)), k = make_tensor(SHAPE(400, D)),
                             v = make_tensor(SHAPE(400, D));
            pml_attention_options options = {
                .n_heads = HEADS, .scale = 0.5f, .causal = causal == 1, .row_offsets = offsets, .n_sequences = N};
            pml_tensor y;
            PML_ASSERT_OK(pml_op_attention(&context, &q, &k, &v, &options, &y, &error), &error);
            check_same(pml_tensor_f32(&y), pml_tensor_count(&y), t == 0);
            end_test();
        }
    }
    for (unsigned step = 0; step < 2; step++) {
        const size_t *rows = step == 0 ? offsets : shorter;
        for (size_t t = 0; t < sizeof thread_counts / sizeof *thread_counts; t++) {
            size_t lengths[N] = {0};
            begin_with_threads(t);
            for (unsigned i = 0; i <= step; i++) {
                const size_t *now = i == 0 ? offsets : shorter;
                const pml_tensor q = make_tensor(SHAPE(now[N], D)), k = make_tensor(SHAPE(now[N], D));
                const pml_tensor v = make_tensor(SHAPE(now[N], D));
                const pml_kv_cache cache = {CAPACITY, keys, values, CAPACITY * D, sequences, lengths};
                const pml_attention_options options = {.n_heads = HEADS,
                                                       .scale = 0.5f,
                                                       .causal = true,
                                                       .row_offsets = now,
                                                       .n_sequences = N,
                                                       .cache = &cache};
                pml_tensor y;
                PML_ASSERT_OK(pml_op_attention(&context, &q, &k, &v, &options, &y, &error), &error);
                for (size_t s = 0; s < N; s++) {
                    lengths[s] += now[s + 1] - now[s];
                }
                if (now == rows) {
                    check_same(pml_tensor_f32(&y), pml_tensor_count(&y), t == 0);
                }
            }
            end_test();
        }
    }
}

PML_TESTS("runtime/ops/split", PML_TEST(products_do_not_depend_on_threads), PML_TEST(plain_products_do_not_either),
          PML_TEST(norms_do_not_depend_on_threads), PML_TEST(attention_does_not_depend_on_threads),
          PML_TEST(ragged_attention_does_not_depend_on_threads))
