#include "runtime/ops/signal.h"
#include "tests/runtime/ops/gradient_test.h"

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

typedef struct unfold_case {
    size_t taps;
    pml_unfold_padding padding;
} unfold_case;

static pml_status unfold(pml_tensor *leaves, void *user, pml_tensor *y) {
    const unfold_case *is = user;
    return pml_op_unfold(&context, &leaves[0], is->taps, is->padding, y, &error);
}

/* Unfolded twice and the first of them: its gradient has more than one source. */
static pml_status unfold_more(pml_tensor *leaves, void *user, pml_tensor *y) {
    pml_tensor first, part;
    (void)user;
    PML_ASSERT_OK(pml_op_unfold(&context, &leaves[0], 1, PML_UNFOLD_ZERO, &first, &error), &error);
    PML_ASSERT_OK(pml_op_unfold(&context, &first, 3, PML_UNFOLD_CIRCULAR, &part, &error), &error);
    PML_ASSERT_OK(pml_op_unfold(&context, &first, 3, PML_UNFOLD_ZERO, y, &error), &error);
    const pml_tensor other = *y;
    return pml_op_add(&context, &part, &other, y, &error);
}

static void gradients_match_differences(void) {
    static const size_t taps[] = {1, 3, 5, 9};
    for (size_t i = 0; i < 4; i++) {
        for (int padding = 0; padding < 2; padding++) {
            begin_test(1 << 18);
            pml_tensor x = make_tensor(SHAPE(2, 5, 3));
            check_gradients(unfold, &x, 1, &(unfold_case){taps[i], (pml_unfold_padding)padding});
            end_test();
        }
    }
    begin_test(1 << 18);
    pml_tensor x = make_tensor(SHAPE(3, 4, 2));
    check_gradients(unfold_more, &x, 1, NULL);
    end_test();
}

PML_TESTS("runtime/ops/unfold", PML_TEST(steps_meet_their_neighbours), PML_TEST(gradients_match_differences),
          PML_TEST(what_does_not_fit_is_refused))
