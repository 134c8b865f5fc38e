#include "runtime/base/alloc.h"
#include "tests/runtime/ops/matrix_fixture.h"

/* The value of y[row][column] with a matrix [n_in][n_out] at w. */
static double expect(const float *x, const float *w, size_t n_in, size_t n_out, size_t column, const float *bias,
                     bool relu, double residual) {
    double sum = bias == NULL ? 0 : (double)bias[column];
    for (size_t i = 0; i < n_in; i++) {
        sum += (double)x[i] * (double)w[i * n_out + column];
    }
    return (relu && sum < 0 ? 0 : sum) + residual;
}

static void computes_rows_of_any_rank(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 3, 5)), w = make_tensor(SHAPE(5, 7)), bias = make_tensor(SHAPE(7));
    pml_tensor residual = make_tensor(SHAPE(2, 3, 7)), y;
    PML_ASSERT_OK(pml_op_linear(&context, &x, &w, &bias, PML_ACTIVATION_RELU, &residual, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 3, 7)));
    for (size_t row = 0; row < 6; row++) {
        for (size_t k = 0; k < 7; k++) {
            double wanted = expect(pml_tensor_f32(&x) + row * 5, pml_tensor_f32(&w), 5, 7, k, pml_tensor_f32(&bias),
                                   true, (double)pml_tensor_f32(&residual)[row * 7 + k]);
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[row * 7 + k], wanted, 1e-6));
        }
    }
    PML_ASSERT_OK(pml_op_linear(&context, &x, &w, NULL, PML_ACTIVATION_IDENTITY, NULL, &y, &error), &error);
    CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[41],
                           expect(pml_tensor_f32(&x) + 25, pml_tensor_f32(&w), 5, 7, 6, NULL, false, 0), 1e-6));
    end_test();
}

/* x [B, G, inner..., in]: group g of every sample goes through matrix g. */
static void check_groups(const size_t *shape, unsigned rank) {
    begin_test(1 << 16);
    size_t n_groups = shape[1], n_in = shape[rank - 1], n_out = 6;
    pml_tensor x = make_tensor(shape, rank), w = make_tensor(SHAPE(n_groups, n_in, n_out));
    pml_tensor bias = make_tensor(SHAPE(n_groups, n_out)), y;
    size_t result_shape[PML_MAX_RANK];
    memcpy(result_shape, shape, rank * sizeof *shape);
    result_shape[rank - 1] = n_out;
    pml_tensor residual = make_tensor(result_shape, rank);
    PML_ASSERT_OK(pml_op_linear(&context, &x, &w, &bias, PML_ACTIVATION_IDENTITY, &residual, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, result_shape, rank));
    size_t rows = pml_tensor_rows(&x), inner = rows / shape[0] / n_groups;
    for (size_t row = 0; row < rows; row++) {
        size_t g = row / inner % n_groups;
        for (size_t k = 0; k < n_out; k++) {
            double wanted =
                expect(pml_tensor_f32(&x) + row * n_in, pml_tensor_f32(&w) + g * n_in * n_out, n_in, n_out, k,
                       pml_tensor_f32(&bias) + g * n_out, false, (double)pml_tensor_f32(&residual)[row * n_out + k]);
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[row * n_out + k], wanted, 1e-6));
        }
    }
    end_test();
}

static void takes_one_matrix_per_group(void) {
    check_groups(SHAPE(2, 3, 4, 5));
    check_groups(SHAPE(4, 3, 5));
    check_groups(SHAPE(1, 1, 2));
}

static void reads_bf16(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(3, 4)), w = make_tensor(SHAPE(4, 5)), y;
    uint16_t narrow[20];
    float wide[20];
    for (size_t i = 0; i < 20; i++) {
        narrow[i] = pml_bf16_from_f32(pml_tensor_f32(&w)[i]);
        wide[i] = pml_f32_from_bf16(narrow[i]);
    }
    pml_buffer buffer;
    pml_tensor w16 = pml_context_view(narrow, PML_DTYPE_BF16, SHAPE(4, 5), &buffer);
    PML_ASSERT_OK(pml_op_linear(&context, &x, &w16, NULL, PML_ACTIVATION_IDENTITY, NULL, &y, &error), &error);
    for (size_t i = 0; i < 15; i++) {
        double wanted = expect(pml_tensor_f32(&x) + i / 5 * 4, wide, 4, 5, i % 5, NULL, false, 0);
        CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&y)[i], wanted, 2e-2));
    }
    end_test();
}

/* I8 panels of one matrix per group with scales of powers of two and rows that quantize exactly, in groups and without:
 * nothing is lost, so the products are those of the numbers. 1500 rows are more than are quantized at a time. */
static void reads_i8(void) {
    enum { G = 2, K = 70, N = 21, M = 1500, PANELS = 2, LINES = 18 };
    static _Alignas(64) int8_t values[G * PANELS * LINES * 64];
    static _Alignas(64) uint16_t halves[G * PANELS * 2 * 16], half_sums[G * PANELS * 2 * 16];
    static _Alignas(64) float scales[G * PANELS * 16];
    static _Alignas(64) int32_t sums[G * PANELS * 16];
    static float x_values[2 * G * M * K];
    for (size_t grouped = 0; grouped < 2; grouped++) {
        begin_test(1 << 22);
        for (size_t i = 0; i < sizeof x_values / sizeof *x_values; i++) {
            x_values[i] = i % K % 32 == 0 ? 127 : (float)((int)(i * 31 % 255) - 127);
        }
        memset(sums, 0, sizeof sums);
        memset(half_sums, 0, sizeof half_sums);
        static float wide[G][K][N];
        for (size_t i = 0; i < (size_t)G * K * N; i++) {
            const size_t g = i / N / K, r = i / N % K, c = i % N, group = grouped ? r / 64 : 0;
            const int q = (int)(i * 37 % 255) - 127;
            const size_t entry = ((g * PANELS + c / 16) * (grouped ? 2 : 1) + group) * 16 + c % 16;
            values[((g * PANELS + c / 16) * LINES + r / 4) * 64 + c % 16 * 4 + r % 4] = (int8_t)q;
            scales[grouped ? 0 : entry] = (float)(1u << c % 3);
            halves[entry] = pml_f16_from_f32((float)(1u << (c + group) % 3));
            sums[grouped ? 0 : entry] += q;
            half_sums[entry] = (uint16_t)(half_sums[entry] + q);
            wide[g][r][c] = (float)q * (float)(1u << (c + group) % 3) * (grouped ? 0.5f : 1.0f);
        }
        pml_buffer buffers[2];
        const pml_tensor x = pml_context_view(x_values, PML_DTYPE_F32, SHAPE(2, G, M, K), &buffers[0]);
        pml_tensor w = pml_context_view(values, PML_DTYPE_I8, SHAPE(G, K, N), &buffers[1]), y;
        w.layout = PML_LAYOUT_PANEL;
        w.quantization =
            grouped ? (pml_quantization){halves, half_sums, 64, 0.5f} : (pml_quantization){scales, sums, 0, 0};
        for (unsigned turn = 0; turn < 2; turn++) {
            const uint64_t before = pml_allocation_count();
            PML_ASSERT_OK(pml_op_linear(&context, &x, &w, NULL, PML_ACTIVATION_RELU, NULL, &y, &error), &error);
            CU_ASSERT_TRUE(turn == 0 || pml_allocation_count() == before);
        }
        bool right = true;
        for (size_t i = 0; i < (size_t)2 * G * M * N; i += 7) {
            const size_t row = i / N, g = row / M % G;
            double sum = 0;
            for (size_t k = 0; k < K; k++) {
                sum += (double)x_values[row * K + k] * (double)wide[g][k][i % N];
            }
            right = right && (double)pml_tensor_f32(&y)[i] == (sum < 0 ? 0 : sum);
        }
        CU_ASSERT_TRUE(right);
        end_test();
    }
}

/* Several matrices of all forms in one call: the bits of one call each, with more rows than are quantized at a time. */
static void takes_several_matrices_for_one_x(void) {
    enum { M = 1000, K = 300, N = 9 };
    begin_test((MATRIX_FORMS * 2 + 1) * M * N * sizeof(float));
    pml_buffer buffers[MATRIX_FORMS];
    pml_tensor w[MATRIX_FORMS], ys[MATRIX_FORMS];
    pml_linear_part parts[MATRIX_FORMS];
    const pml_tensor x = make_tensor(SHAPE(M, K)), bias = make_tensor(SHAPE(N)), residual = make_tensor(SHAPE(M, N));
    for (size_t f = 0; f < MATRIX_FORMS; f++) {
        w[f] = make_matrix(&matrix_forms[f], K, N, &buffers[f]);
        parts[f] = (pml_linear_part){.w = &w[f],
                                     .bias = f % 2 == 0 ? &bias : NULL,
                                     .activation = f % 3 == 0 ? PML_ACTIVATION_RELU : PML_ACTIVATION_IDENTITY,
                                     .residual = f % 2 == 1 ? &residual : NULL,
                                     .y = &ys[f]};
    }
    PML_ASSERT_OK(pml_op_linears(&context, &x, parts, MATRIX_FORMS, &error), &error);
    for (size_t f = 0; f < MATRIX_FORMS; f++) {
        pml_tensor alone;
        PML_ASSERT_OK(
            pml_op_linear(&context, &x, &w[f], parts[f].bias, parts[f].activation, parts[f].residual, &alone, &error),
            &error);
        CU_ASSERT_TRUE(same_bits(&ys[f], &alone));
    }
    const pml_tensor batched = make_tensor(SHAPE(2, K, N));
    parts[1].w = &batched;
    PML_ASSERT_FAILS(pml_op_linears(&context, &x, parts, 2, &error), PML_E_ARGUMENT, &error, "batched alike");
    end_test();
}

/* x becomes bytes once for all matrices that want the same bytes. */
static pml_quantize_fn *quantize;
static unsigned n_quantized;

static void count_quantized(const pml_quantize *job) {
    n_quantized++;
    quantize(job);
}

static void quantizes_x_once(void) {
    begin_test(1 << 16);
    pml_buffer buffers[3];
    pml_tensor w[3], ys[3];
    pml_linear_part parts[3];
    const pml_tensor x = make_tensor(SHAPE(5, 40));
    for (size_t i = 0; i < 3; i++) {
        w[i] = make_matrix(&matrix_forms[4], 40, 7, &buffers[i]);
        parts[i] = (pml_linear_part){.w = &w[i], .y = &ys[i]};
    }
    quantize = context.kernels.quantize_i8;
    context.kernels.quantize_i8 = count_quantized;
    n_quantized = 0;
    PML_ASSERT_OK(pml_op_linears(&context, &x, parts, 3, &error), &error);
    CU_ASSERT_EQUAL(n_quantized, 1);
    end_test();
}

static void refuses_what_does_not_fit(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(2, 5)), w = make_tensor(SHAPE(5, 7)), other = make_tensor(SHAPE(6, 7));
    pml_tensor bias = make_tensor(SHAPE(6)), residual = make_tensor(SHAPE(2, 6)), y, half = w;
    half.dtype = PML_DTYPE_F16;
    PML_ASSERT_FAILS(pml_op_linear(&context, &x, &other, NULL, PML_ACTIVATION_IDENTITY, NULL, &y, &error),
                     PML_E_ARGUMENT, &error, "5 columns");
    PML_ASSERT_FAILS(pml_op_linear(&context, &x, &w, &bias, PML_ACTIVATION_IDENTITY, NULL, &y, &error), PML_E_ARGUMENT,
                     &error, "bias");
    PML_ASSERT_FAILS(pml_op_linear(&context, &x, &w, NULL, PML_ACTIVATION_IDENTITY, &residual, &y, &error),
                     PML_E_ARGUMENT, &error, "residual");
    PML_ASSERT_FAILS(pml_op_linear(&context, &x, &half, NULL, PML_ACTIVATION_IDENTITY, NULL, &y, &error),
                     PML_E_UNSUPPORTED, &error, "F16");
    end_test();
}

PML_TESTS("runtime/ops/linear", PML_TEST(computes_rows_of_any_rank), PML_TEST(takes_one_matrix_per_group),
          PML_TEST(reads_bf16), PML_TEST(reads_i8), PML_TEST(takes_several_matrices_for_one_x),
          PML_TEST(quantizes_x_once), PML_TEST(refuses_what_does_not_fit))
