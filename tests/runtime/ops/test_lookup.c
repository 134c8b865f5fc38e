#include "tests/runtime/ops/gradient_test.h"

/* Stores the matrix [d][n] in panels of that dtype, as runtime/file/layout.h says. */
static pml_tensor make_panels(const float *values, size_t d, size_t n, pml_dtype dtype, void *bytes,
                              pml_buffer *buffer) {
    const size_t depth = pml_panel_depth(dtype), n_lines = (d + depth - 1) / depth;
    for (size_t i = 0; i < d; i++) {
        for (size_t k = 0; k < n; k++) {
            const size_t at = (k / 16 * n_lines + i / depth) * 16 * depth + k % 16 * depth + i % depth;
            if (dtype == PML_DTYPE_F32) {
                ((float *)bytes)[at] = values[i * n + k];
            } else {
                ((uint16_t *)bytes)[at] = pml_bf16_from_f32(values[i * n + k]);
            }
        }
    }
    pml_tensor tensor = pml_context_view(bytes, dtype, SHAPE(d, n), buffer);
    tensor.layout = PML_LAYOUT_PANEL;
    return tensor;
}

static void copies_rows(void) {
    begin_test(1 << 16);
    pml_tensor table = make_tensor(SHAPE(5, 7)), y;
    pml_tensor indexes = make_values((const float[]){4, 0, 4, 2}, SHAPE(2, 2));
    PML_ASSERT_OK(pml_op_lookup(&context, &table, PML_LOOKUP_ROWS, &indexes, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 2, 7)));
    for (size_t i = 0; i < 4; i++) {
        const size_t row = (size_t)pml_tensor_f32(&indexes)[i];
        CU_ASSERT_EQUAL(memcmp(pml_tensor_f32(&y) + i * 7, pml_tensor_f32(&table) + row * 7, 7 * sizeof(float)), 0);
    }
    end_test();
}

/* 33 columns are two panels and a part of a third; 5 rows leave half a line of BF16. */
static void copies_columns_of_every_layout_and_dtype(void) {
    enum { D = 5, N = 33, PADDED = 6 * 48 };
    begin_test(1 << 16);
    static _Alignas(64) float panels[PADDED];
    static _Alignas(64) uint16_t halves[PADDED], rows[D * N];
    pml_tensor matrix = make_tensor(SHAPE(D, N)), y;
    pml_tensor indexes = make_values((const float[]){0, 15, 16, 32, 31}, SHAPE(5));
    for (size_t i = 0; i < (size_t)D * N; i++) {
        rows[i] = pml_bf16_from_f32(pml_tensor_f32(&matrix)[i]);
    }
    pml_buffer buffers[3];
    const float *values = pml_tensor_f32(&matrix);
    const pml_tensor forms[] = {matrix, make_panels(values, D, N, PML_DTYPE_F32, panels, &buffers[0]),
                                make_panels(values, D, N, PML_DTYPE_BF16, halves, &buffers[1]),
                                pml_context_view(rows, PML_DTYPE_BF16, SHAPE(D, N), &buffers[2])};
    for (size_t f = 0; f < 4; f++) {
        PML_ASSERT_OK(pml_op_lookup(&context, &forms[f], PML_LOOKUP_COLUMNS, &indexes, &y, &error), &error);
        CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(5, D)));
        for (size_t i = 0; i < (size_t)5 * D; i++) {
            float expected = values[i % D * N + (size_t)pml_tensor_f32(&indexes)[i / D]];
            if (f >= 2) {
                expected = pml_f32_from_bf16(pml_bf16_from_f32(expected));
            }
            CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], expected);
        }
    }
    end_test();
}

/* Rows and columns of an I8 matrix [70][17], with a scale per column and in groups of 32 rows. */
static void reads_rows_and_columns_of_i8(void) {
    enum { R = 70, C = 17, LINES = 18, PANELS = 2, GROUPS = 3 };
    static _Alignas(64) int8_t values[PANELS * LINES * 64];
    static _Alignas(64) uint16_t halves[PANELS * GROUPS * 16];
    static _Alignas(64) float scales[PANELS * 16];
    for (size_t grouped = 0; grouped < 2; grouped++) {
        begin_test(1 << 16);
        float wide[R][C];
        for (size_t i = 0; i < (size_t)R * C; i++) {
            const size_t r = i / C, c = i % C, group = grouped ? r / 32 : 0;
            const float scale = (float)(1u << (c + group) % 5);
            values[(c / 16 * LINES + r / 4) * 64 + c % 16 * 4 + r % 4] = (int8_t)((int)(i * 37 % 255) - 127);
            scales[c] = (float)(1u << c % 5);
            halves[(c / 16 * GROUPS + group) * 16 + c % 16] = pml_f16_from_f32(scale);
            wide[r][c] = (float)((int)(i * 37 % 255) - 127) * scale * (grouped ? 0.25f : 1.0f);
        }
        pml_buffer buffer;
        pml_tensor table = pml_context_view(values, PML_DTYPE_I8, SHAPE(R, C), &buffer), y;
        table.layout = PML_LAYOUT_PANEL;
        table.quantization =
            grouped ? (pml_quantization){halves, halves, 32, 0.25f} : (pml_quantization){scales, scales, 0, 0};
        const float places[] = {0, 3, 4, 31, 32, 63, 64, 69};
        pml_tensor rows = make_values(places, SHAPE(8));
        PML_ASSERT_OK(pml_op_lookup(&context, &table, PML_LOOKUP_ROWS, &rows, &y, &error), &error);
        for (size_t i = 0; i < 8; i++) {
            CU_ASSERT_EQUAL(memcmp(pml_tensor_f32(&y) + i * C, wide[(size_t)places[i]], sizeof wide[0]), 0);
        }
        pml_tensor columns = make_values((const float[]){16, 0, 15}, SHAPE(3));
        PML_ASSERT_OK(pml_op_lookup(&context, &table, PML_LOOKUP_COLUMNS, &columns, &y, &error), &error);
        for (size_t i = 0; i < (size_t)3 * R; i++) {
            CU_ASSERT_EQUAL(pml_tensor_f32(&y)[i], wide[i % R][(size_t)pml_tensor_f32(&columns)[i / R]]);
        }
        end_test();
    }
}

static void refuses_what_is_out_of_range(void) {
    begin_test(1 << 16);
    pml_tensor table = make_tensor(SHAPE(5, 7)), y, bad = make_values((const float[]){5}, SHAPE(1));
    PML_ASSERT_FAILS(pml_op_lookup(&context, &table, PML_LOOKUP_ROWS, &bad, &y, &error), PML_E_ARGUMENT, &error,
                     "5 of 5");
    bad = make_values((const float[]){-1}, SHAPE(1));
    PML_ASSERT_FAILS(pml_op_lookup(&context, &table, PML_LOOKUP_ROWS, &bad, &y, &error), PML_E_ARGUMENT, &error, "-1");
    bad = make_values((const float[]){NAN}, SHAPE(1));
    PML_ASSERT_FAILS(pml_op_lookup(&context, &table, PML_LOOKUP_COLUMNS, &bad, &y, &error), PML_E_ARGUMENT, &error,
                     "lookup");
    table.dtype = PML_DTYPE_I8;
    PML_ASSERT_FAILS(pml_op_lookup(&context, &table, PML_LOOKUP_COLUMNS, &bad, &y, &error), PML_E_UNSUPPORTED, &error,
                     "I8");
    table = make_tensor(SHAPE(5, 7, 1));
    PML_ASSERT_FAILS(pml_op_lookup(&context, &table, PML_LOOKUP_ROWS, &bad, &y, &error), PML_E_ARGUMENT, &error,
                     "rank");
    end_test();
}

/* leaves: table, indexes; by columns the table is a matrix of a product as well, so that both gradients add up. */
static pml_status build_gradient(pml_tensor *leaves, void *user, pml_tensor *y) {
    pml_tensor found;
    if (user == NULL) {
        return pml_op_lookup(&context, &leaves[0], PML_LOOKUP_ROWS, &leaves[1], y, &error);
    }
    const pml_status status = pml_op_lookup(&context, &leaves[0], PML_LOOKUP_COLUMNS, &leaves[1], &found, &error);
    return status != PML_OK
               ? status
               : pml_op_linear(&context, &found, &leaves[0], NULL, PML_ACTIVATION_IDENTITY, NULL, y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    PML_ASSERT_OK(pml_context_threads_set(&context, 3, &error), &error);
    context.share_cost = 1;
    const float indexes[] = {2, 0, 2, 6, 1, 2};
    pml_tensor leaves[] = {make_tensor(SHAPE(7, 37)), make_values(indexes, SHAPE(3, 2))};
    check_gradients(build_gradient, leaves, 1, NULL);
    leaves[0] = make_tensor(SHAPE(19, 7));
    check_gradients(build_gradient, leaves, 1, leaves);
    end_test();
}

static void padding_has_no_gradient(void) {
    for (int by_row = 0; by_row < 2; by_row++) {
        begin_test(1 << 16);
        pml_tape tape = {0};
        pml_gradients *gradients = NULL;
        PML_ASSERT_OK(pml_gradients_create(&gradients, &error), &error);
        const float indexes[] = {1, 0, 2, 1};
        pml_tensor table = make_tensor(SHAPE(3, 3)), at = make_values(indexes, SHAPE(4)), y;
        float gradient[9] = {0}, ones[12];
        for (size_t i = 0; i < 12; i++) {
            ones[i] = 1;
        }
        context.tape = &tape;
        PML_ASSERT_OK(
            pml_op_lookup_padded(&context, &table, by_row ? PML_LOOKUP_ROWS : PML_LOOKUP_COLUMNS, &at, 1, &y, &error),
            &error);
        const pml_leaf leaf = {pml_tensor_f32(&table), gradient, 9};
        const pml_gradient_seed seed = {&y, ones};
        const pml_gradients_pass pass = {.leaves = &leaf, .n_leaves = 1, .seeds = &seed, .n_seeds = 1};
        PML_ASSERT_OK(pml_gradients_run(gradients, &context, &pass, &error), &error);
        for (size_t i = 0; i < 9; i++) {
            CU_ASSERT_EQUAL(gradient[i], (by_row ? i / 3 : i % 3) == 1 ? 0 : 1);
        }
        context.tape = NULL;
        pml_gradients_destroy(gradients);
        pml_tape_deinit(&tape);
        end_test();
    }
}

PML_TESTS("runtime/ops/lookup", PML_TEST(padding_has_no_gradient), PML_TEST(gradients_match_differences),
          PML_TEST(copies_rows), PML_TEST(copies_columns_of_every_layout_and_dtype),
          PML_TEST(reads_rows_and_columns_of_i8), PML_TEST(refuses_what_is_out_of_range))
