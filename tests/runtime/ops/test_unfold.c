#include "runtime/ops/signal.h"
#include "tests/runtime/ops/op_test.h"

/* Against the definition, and against Conv1d written out, for both paddings and more taps than steps. */
static void steps_meet_their_neighbours(void) {
    static const size_t taps[] = {1, 3, 5, 9};
    for (size_t i = 0; i < 4; i++) {
        for (int padding = 0; padding < 2; padding++) {
            begin_test(1 << 16);
            pml_tensor x = make_tensor(SHAPE(2, 5, 3)), y;
            PML_ASSERT_OK(pml_op_unfold(&context, &x, taps[i], (pml_unfold_padding)padding, &y, &error), &error);
            CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, 5, taps[i] * 3)));
            for (size_t j = 0; j < pml_tensor_count(&y); j++) {
                const size_t column = j % (taps[i] * 3), row = j / (taps[i] * 3);
                long t = (long)(row % 5) + (long)(column / 3) - (long)(taps[i] / 2);
                const bool is_outside = t < 0 || t >= 5;
                t = (t + 10) % 5;
                const float value = pml_tensor_f32(&x)[(row / 5 * 5 + (size_t)t) * 3 + column % 3];
                CU_ASSERT_EQUAL(pml_tensor_f32(&y)[j], is_outside && padding == PML_UNFOLD_ZERO ? 0 : value);
            }
            end_test();
        }
    }
}

static void what_does_not_fit_is_refused(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(1, 2, 3)), plain = make_tensor(SHAPE(2, 3)), y;
    PML_ASSERT_FAILS(pml_op_unfold(&context, &x, 4, PML_UNFOLD_ZERO, &y, &error), PML_E_ARGUMENT, &error, "4 taps");
    PML_ASSERT_FAILS(pml_op_unfold(&context, &x, 7, PML_UNFOLD_CIRCULAR, &y, &error), PML_E_ARGUMENT, &error, "7 taps");
    PML_ASSERT_FAILS(pml_op_unfold(&context, &x, SIZE_MAX, PML_UNFOLD_ZERO, &y, &error), PML_E_ARGUMENT, &error,
                     "taps");
    PML_ASSERT_FAILS(pml_op_unfold(&context, &plain, 3, PML_UNFOLD_ZERO, &y, &error), PML_E_ARGUMENT, &error, "unfold");
    end_test();
}

PML_TESTS("runtime/ops/unfold", PML_TEST(steps_meet_their_neighbours), PML_TEST(what_does_not_fit_is_refused))
