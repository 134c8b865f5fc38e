#include <complex.h>

#include "runtime/ops/fourier.h"
#include "tests/runtime/ops/gradient_test.h"

enum { B = 2, L = 10, D = 6 };

static const double pi = 3.14159265358979323846;

static pml_tensor view_of(float *values, size_t n_rows, size_t n_columns, pml_buffer *buffer) {
    const size_t shape[] = {n_rows, n_columns};
    return pml_context_view(values, PML_DTYPE_F32, shape, 2, buffer);
}

static double complex number(const pml_tensor *x, size_t b, size_t m, size_t d) {
    const size_t n_modes = x->shape[1] / 2;
    const float *values = pml_tensor_f32_const(x) + b * x->shape[1] * x->shape[2];
    return (double)values[m * x->shape[2] + d] + (double)values[(n_modes + m) * x->shape[2] + d] * I;
}

static bool is_number(const pml_tensor *x, size_t b, size_t m, size_t d, double complex expected) {
    const double complex value = number(x, b, m, d);
    return is_near(creal(value), creal(expected), 2e-6) && is_near(cimag(value), cimag(expected), 2e-6);
}

/* The transform and the way back, whole, are the identity; for even and odd lengths. */
static void transforms_are_undone(void) {
    static const int64_t modes[] = {0, 1, 2, 3, 4, 5};
    for (size_t n_steps = 9; n_steps <= L; n_steps++) {
        begin_test(1 << 16);
        const size_t n_modes = n_steps / 2 + 1;
        float table[2 * 6 * 6], inverse[2 * 6 * 6];
        pml_buffer buffers[2];
        pml_fourier_table(modes, n_modes, n_steps, table);
        pml_fourier_inverse_table(modes, n_modes, n_steps, 2, inverse);
        pml_tensor x = make_tensor(SHAPE(B, n_steps, D)), spectrum, moved, left;
        const pml_tensor forth = view_of(table, 2 * n_modes, n_modes, &buffers[0]);
        const pml_tensor back = view_of(inverse, 2 * n_modes, n_modes, &buffers[1]);
        PML_ASSERT_OK(pml_op_mix_steps(&context, &forth, &x, &spectrum, &error), &error);
        CU_ASSERT_TRUE_FATAL(has_shape(&spectrum, SHAPE(B, 2 * n_modes, D)));
        for (size_t m = 0; m < n_modes; m++) {
            double complex expected = 0;
            for (size_t t = 0; t < n_steps; t++) {
                expected +=
                    (double)pml_tensor_f32(&x)[t * D + 1] * cexp(-2 * pi * I * (double)(m * t) / (double)n_steps);
            }
            CU_ASSERT_TRUE(is_number(&spectrum, 0, m, 1, expected));
        }
        PML_ASSERT_OK(pml_op_unmix_steps(&context, &spectrum, &back, n_steps, true, &moved, &error), &error);
        PML_ASSERT_OK(pml_op_unmix_steps(&context, &spectrum, &back, n_steps, false, &left, &error), &error);
        CU_ASSERT_TRUE_FATAL(has_shape(&moved, SHAPE(B, n_steps, D)) && has_shape(&left, SHAPE(B, n_steps, D)));
        for (size_t i = 0; i < B * n_steps * D; i++) {
            const size_t b = i / (n_steps * D), t = i / D % n_steps, d = i % D;
            CU_ASSERT_TRUE(is_near((double)pml_tensor_f32(&moved)[i], 2 * (double)pml_tensor_f32(&x)[i], 2e-6));
            /* left where it was computed, column by column */
            CU_ASSERT_EQUAL(pml_tensor_f32(&left)[b * n_steps * D + d * n_steps + t], pml_tensor_f32(&moved)[i]);
        }
        end_test();
    }
}

/* Modes that a series of this length does not have are zeros, and dropped on the way back. */
static void absent_modes_are_zero(void) {
    static const int64_t modes[] = {1, 6}, bins[] = {6, 0};
    enum { HALF = L / 2 + 1 };
    float table[2 * 2 * HALF], inverse[2 * 2 * HALF];
    pml_fourier_table(modes, 2, L, table);
    pml_fourier_inverse_table(bins, 2, L, 1, inverse);
    for (size_t t = 0; t < HALF; t++) {
        CU_ASSERT_EQUAL(table[HALF + t], 0);
        CU_ASSERT_EQUAL(table[3 * HALF + t], 0);
        CU_ASSERT_EQUAL(inverse[t], 0);
        CU_ASSERT_EQUAL(inverse[2 * HALF + t], 0);
        CU_ASSERT_TRUE(is_near((double)inverse[HALF + t], 1.0 / L, 1e-7));
        CU_ASSERT_EQUAL(inverse[3 * HALF + t], 0); /* the imaginary part of bin 0 */
    }
}

/* ---- gradients ---- */
static pml_status mix_steps(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_mix_steps(&context, user, &leaves[0], y, &error);
}

static pml_status mix_steps_of_series(pml_tensor *leaves, void *user, pml_tensor *y) {
    pml_tensor sum, mixed;
    PML_ASSERT_OK(pml_op_add(&context, &leaves[0], &leaves[0], &sum, &error), &error);
    PML_ASSERT_OK(pml_op_mix_steps(&context, user, &sum, &mixed, &error), &error);
    PML_ASSERT_OK(pml_op_mix_steps(&context, user, &sum, y, &error), &error);
    const pml_tensor again = *y;
    return pml_op_add(&context, &mixed, &again, y, &error);
}

typedef struct unmix_case {
    const pml_tensor *table;
    size_t n_steps;
    bool moved;
} unmix_case;

static pml_status unmix_steps(pml_tensor *leaves, void *user, pml_tensor *y) {
    const unmix_case *is = user;
    return pml_op_unmix_steps(&context, &leaves[0], is->table, is->n_steps, is->moved, y, &error);
}

static pml_status unmix_sum(pml_tensor *leaves, void *user, pml_tensor *y) {
    pml_tensor sum, first;
    PML_ASSERT_OK(pml_op_add(&context, &leaves[0], &leaves[0], &sum, &error), &error);
    PML_ASSERT_OK(unmix_steps(&sum, user, &first), &error);
    PML_ASSERT_OK(unmix_steps(&sum, user, y), &error);
    const pml_tensor again = *y;
    return pml_op_add(&context, &first, &again, y, &error);
}

/* Any table, all lengths from one step on, with one thread and with three. */
static void gradients_match_differences(void) {
    for (size_t n_steps = 1; n_steps <= L; n_steps++) {
        begin_test(1 << 20);
        PML_ASSERT_OK(pml_context_threads_set(&context, n_steps % 2 == 0 ? 1 : 3, &error), &error);
        context.share_cost = 1;
        pml_tensor table = make_tensor(SHAPE(4, n_steps / 2 + 1)), series = make_tensor(SHAPE(B, n_steps, D));
        pml_tensor spectrum = make_tensor(SHAPE(B, 4, D));
        check_gradients(mix_steps, &series, 1, &table);
        check_gradients(mix_steps_of_series, &series, 1, &table);
        for (int moved = 0; moved < 2; moved++) {
            check_gradients(unmix_steps, &spectrum, 1, &(unmix_case){&table, n_steps, moved});
            check_gradients(unmix_sum, &spectrum, 1, &(unmix_case){&table, n_steps, moved});
        }
        end_test();
    }
}

static void what_does_not_fit_is_refused(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(B, 4, D)), table = make_tensor(SHAPE(4, 3)), odd = make_tensor(SHAPE(3, 3)), y;
    PML_ASSERT_OK(pml_op_mix_steps(&context, &table, &x, &y, &error), &error);
    PML_ASSERT_FAILS(pml_op_mix_steps(&context, &odd, &x, &y, &error), PML_E_ARGUMENT, &error, "mix_steps");
    PML_ASSERT_FAILS(pml_op_unmix_steps(&context, &x, &table, 6, true, &y, &error), PML_E_ARGUMENT, &error, "unmix");
    PML_ASSERT_FAILS(pml_op_unmix_steps(&context, &x, &odd, 4, true, &y, &error), PML_E_ARGUMENT, &error, "unmix");
    end_test();
}

PML_TESTS("runtime/ops/transform", PML_TEST(transforms_are_undone), PML_TEST(absent_modes_are_zero),
          PML_TEST(gradients_match_differences), PML_TEST(what_does_not_fit_is_refused))
