#include "tests/runtime/ops/op_test.h"

static void every_op_is_recorded_in_order(void) {
    begin_test(1 << 12);
    pml_tape tape = {0};
    context.tape = &tape;
    pml_tensor x = make_tensor(SHAPE(2, 3)), w = make_tensor(SHAPE(3, 4)), table = make_tensor(SHAPE(4)), y, z, pooled;
    PML_ASSERT_OK(pml_op_linear(&context, &x, &w, NULL, PML_ACTIVATION_RELU, NULL, &y, &error), &error);
    size_t mark = pml_context_mark(&context);
    PML_ASSERT_OK(pml_op_add(&context, &y, &table, &z, &error), &error);
    pml_context_release(&context, mark, NULL); /* a backward pass needs z */
    PML_ASSERT_OK(pml_op_pool(&context, &z, PML_POOL_MAX, &pooled, &error), &error);
    CU_ASSERT_EQUAL_FATAL(tape.count, 4); /* an activation is an op of its own */
    CU_ASSERT_STRING_EQUAL(tape.entries[0].op->name, "linear");
    CU_ASSERT_STRING_EQUAL(tape.entries[1].op->name, "activate");
    CU_ASSERT_EQUAL(tape.entries[1].attributes.integer[0], PML_ACTIVATION_RELU);
    CU_ASSERT_EQUAL(tape.entries[0].n_inputs, 4);
    CU_ASSERT_PTR_EQUAL(pml_tensor_bytes(&tape.entries[0].inputs[1]), pml_tensor_bytes(&w));
    CU_ASSERT_EQUAL(tape.entries[0].inputs[2].dtype, PML_DTYPE_NONE);
    CU_ASSERT_STRING_EQUAL(tape.entries[2].op->name, "add");
    CU_ASSERT_PTR_EQUAL(pml_tensor_bytes(&tape.entries[2].inputs[0]), pml_tensor_bytes(&tape.entries[1].output));
    CU_ASSERT_STRING_EQUAL(tape.entries[3].op->name, "pool");
    CU_ASSERT_PTR_NOT_EQUAL(pml_tensor_bytes(&tape.entries[2].output), pml_tensor_bytes(&tape.entries[3].output));
    CU_ASSERT_TRUE(equals(&tape.entries[2].output, pml_tensor_f32(&z), 0));

    PML_ASSERT_OK(pml_context_step_begin(&context, 1 << 12, 0, &error), &error);
    CU_ASSERT_EQUAL(tape.count, 0);
    context.tape = NULL;
    end_test();
    pml_tape_deinit(&tape);
}

static void failed_ops_leave_no_entry(void) {
    begin_test(1 << 12);
    pml_tape tape = {0};
    context.tape = &tape;
    pml_tensor x = make_tensor(SHAPE(2, 3)), w = make_tensor(SHAPE(2, 4)), y;
    PML_ASSERT_FAILS(pml_op_linear(&context, &x, &w, NULL, PML_ACTIVATION_RELU, NULL, &y, &error), PML_E_ARGUMENT,
                     &error, "linear");
    CU_ASSERT_EQUAL(tape.count, 0);
    context.tape = NULL;
    end_test();
    pml_tape_deinit(&tape);
}

static void no_tape_records_nothing(void) {
    static const pml_op op = {.name = "none"};
    PML_ASSERT_OK(pml_tape_record(NULL, &op, NULL, NULL, 0, NULL, &error), &error);
}

PML_TESTS("runtime/ops/tape", PML_TEST(every_op_is_recorded_in_order), PML_TEST(failed_ops_leave_no_entry),
          PML_TEST(no_tape_records_nothing))
