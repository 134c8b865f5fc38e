#include "tests/runtime/ops/matrix_fixture.h"

/* The same layer as two ops. */
static pml_tensor in_two(const pml_tensor *x, const pml_feed_forward *layer) {
    pml_tensor between, y;
    PML_ASSERT_OK(pml_op_linear(&context, x, layer->up, layer->up_bias, layer->activation, NULL, &between, &error),
                  &error);
    PML_ASSERT_OK(pml_op_linear(&context, &between, layer->down, layer->down_bias, PML_ACTIVATION_IDENTITY,
                                layer->residual, &y, &error),
                  &error);
    return y;
}

/* Bit for bit, for every pair of forms, for one block of rows and for several. */
static void gives_what_two_products_give(void) {
    static const size_t rows[] = {0, 1, 47, 48, 149, 389};
    enum { IN = 20, WIDTH = 1500, OUT = 21 };
    for (size_t f = 0; f < MATRIX_FORMS; f++) {
        begin_test(1 << 23);
        pml_buffer buffers[2];
        const pml_tensor up = make_matrix(&matrix_forms[f], IN, WIDTH, &buffers[0]);
        const pml_tensor down = make_matrix(&matrix_forms[(f * 3 + 1) % MATRIX_FORMS], WIDTH, OUT, &buffers[1]);
        const pml_tensor up_bias = make_tensor(SHAPE(WIDTH)), down_bias = make_tensor(SHAPE(OUT));
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            const pml_tensor x = make_tensor(SHAPE(1, rows[i], IN)), residual = make_tensor(SHAPE(1, rows[i], OUT));
            const pml_feed_forward layer = {.up = &up,
                                            .up_bias = i % 2 == 0 ? &up_bias : NULL,
                                            .down = &down,
                                            .down_bias = i % 2 == 0 ? NULL : &down_bias,
                                            .activation = i % 3 == 0 ? PML_ACTIVATION_RELU : PML_ACTIVATION_GELU,
                                            .residual = i % 2 == 0 ? &residual : NULL};
            const size_t mark = pml_context_mark(&context);
            pml_tensor y;
            PML_ASSERT_OK(pml_op_feed_forward(&context, &x, &layer, &y, &error), &error);
            CU_ASSERT_EQUAL(pml_context_mark(&context) - mark, PML_FLOATS(rows[i], OUT));
            const pml_tensor expected = in_two(&x, &layer);
            CU_ASSERT_TRUE(same_bits(&y, &expected));
            pml_context_release(&context, mark, NULL);
        }
        end_test();
    }
}

/* What it takes beside its result is what it says, however many rows there are. */
static void keeps_to_its_storage(void) {
    begin_test(PML_SUM(PML_FLOATS(2000, 8), pml_op_feed_forward_bytes(2000, 8, 900)));
    CU_ASSERT_TRUE(pml_op_feed_forward_bytes(2000, 8, 900) < PML_FLOATS(2000, 900) / 4);
    CU_ASSERT_EQUAL(pml_op_feed_forward_bytes(3, 8, 900), PML_FLOATS(3, 900));
    pml_buffer buffers[2];
    const pml_tensor up = make_matrix(&matrix_forms[0], 8, 900, &buffers[0]);
    const pml_tensor down = make_matrix(&matrix_forms[0], 900, 8, &buffers[1]), x = make_tensor(SHAPE(2000, 8));
    pml_tensor y;
    PML_ASSERT_OK(pml_op_feed_forward(&context, &x, &(pml_feed_forward){.up = &up, .down = &down}, &y, &error), &error);
    CU_ASSERT_EQUAL(context.workspace_missed_bytes, 0);
    end_test();
}

/* A tape sees two products. */
static void is_recorded_as_two_products(void) {
    begin_test(1 << 16);
    pml_tape tape = {0};
    pml_buffer buffers[2];
    const pml_tensor up = make_matrix(&matrix_forms[0], 3, 5, &buffers[0]);
    const pml_tensor down = make_matrix(&matrix_forms[0], 5, 2, &buffers[1]), x = make_tensor(SHAPE(4, 3));
    const pml_feed_forward layer = {.up = &up, .down = &down, .activation = PML_ACTIVATION_TANH};
    pml_tensor y;
    context.tape = &tape;
    PML_ASSERT_OK(pml_op_feed_forward(&context, &x, &layer, &y, &error), &error);
    CU_ASSERT_EQUAL_FATAL(tape.count, 3);
    CU_ASSERT_STRING_EQUAL(tape.entries[0].op->name, "linear");
    CU_ASSERT_EQUAL(tape.entries[1].attributes.integer[0], PML_ACTIVATION_TANH);
    CU_ASSERT_TRUE(same_bits(&tape.entries[2].inputs[0], &tape.entries[1].output));
    CU_ASSERT_TRUE(same_bits(&tape.entries[2].output, &y));
    context.tape = NULL;
    pml_tape_deinit(&tape);
    end_test();
}

static void refuses_what_does_not_fit(void) {
    begin_test(1 << 16);
    pml_buffer buffers[2];
    const pml_tensor up = make_matrix(&matrix_forms[0], 3, 5, &buffers[0]);
    const pml_tensor down = make_matrix(&matrix_forms[0], 5, 2, &buffers[1]);
    const pml_tensor x = make_tensor(SHAPE(4, 3)), wide = make_tensor(SHAPE(4, 4)), two = make_tensor(SHAPE(2));
    pml_tensor half = down, y;
    half.dtype = PML_DTYPE_F16;
    const pml_feed_forward right = {.up = &up, .down = &down};
    pml_feed_forward wrong = right;
    PML_ASSERT_FAILS(pml_op_feed_forward(&context, &wide, &right, &y, &error), PML_E_ARGUMENT, &error, "4 columns");
    wrong.down = &up;
    PML_ASSERT_FAILS(pml_op_feed_forward(&context, &x, &wrong, &y, &error), PML_E_ARGUMENT, &error, "[3, 5]");
    wrong = right;
    wrong.up_bias = &two;
    PML_ASSERT_FAILS(pml_op_feed_forward(&context, &x, &wrong, &y, &error), PML_E_ARGUMENT, &error, "bias");
    wrong = right;
    wrong.residual = &x;
    PML_ASSERT_FAILS(pml_op_feed_forward(&context, &x, &wrong, &y, &error), PML_E_ARGUMENT, &error, "residual");
    wrong = right;
    wrong.down = &half;
    PML_ASSERT_FAILS(pml_op_feed_forward(&context, &x, &wrong, &y, &error), PML_E_UNSUPPORTED, &error, "F16");
    end_test();
}

PML_TESTS("runtime/ops/feed_forward", PML_TEST(gives_what_two_products_give), PML_TEST(keeps_to_its_storage),
          PML_TEST(is_recorded_as_two_products), PML_TEST(refuses_what_does_not_fit))
