#include "runtime/ops/inception.h"
#include "tests/runtime/ops/op_test.h"

/* One value by the definition. */
static double by_definition(const pml_tensor *x, const pml_tensor *w, const size_t at[4]) {
    const long taps = (long)w->shape[0], n_in = (long)x->shape[3], n_out = (long)w->shape[2];
    double sum = 0;
    for (long i = 0; i < taps * taps * n_in; i++) {
        const long h = (long)at[1] + i / (taps * n_in) - taps / 2, v = (long)at[2] + i / n_in % taps - taps / 2;
        if (h >= 0 && v >= 0 && h < (long)x->shape[1] && v < (long)x->shape[2]) {
            const long from = (((long)at[0] * (long)x->shape[1] + h) * (long)x->shape[2] + v) * n_in + i % n_in;
            sum += (double)pml_tensor_f32_const(x)[from] * (double)pml_tensor_f32_const(w)[i * n_out + (long)at[3]];
        }
    }
    return sum;
}

/* Images lower, narrower and larger than the taps reach. */
static void images_are_convolved(void) {
    static const size_t sizes[][2] = {{1, 7}, {7, 1}, {2, 3}, {6, 5}};
    for (size_t k = 0; k < 4; k++) {
        for (size_t taps = 1; taps <= 5; taps += 2) {
            begin_test(1 << 18);
            const size_t height = sizes[k][0], width = sizes[k][1];
            pml_tensor x = make_tensor(SHAPE(2, height, width, 3)), w = make_tensor(SHAPE(taps, taps * 3, 4)), y;
            pml_tensor bias = make_tensor(SHAPE(4)), residual = make_tensor(SHAPE(2, height, width, 4));
            PML_ASSERT_OK(pml_op_convolve(&context, &x, &w, &bias, &residual, &y, &error), &error);
            CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(2, height, width, 4)));
            for (size_t i = 0; i < pml_tensor_count(&y); i++) {
                const size_t at[] = {i / 4 / width / height, i / 4 / width % height, i / 4 % width, i % 4};
                const double expected = by_definition(&x, &w, at) + (double)pml_tensor_f32(&bias)[at[3]] +
                                        (double)pml_tensor_f32(&residual)[i];
                CU_ASSERT_DOUBLE_EQUAL((double)pml_tensor_f32(&y)[i], expected, 1e-4);
            }
            end_test();
        }
    }
}

static void what_does_not_fit_is_refused(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(1, 2, 2, 3)), even = make_tensor(SHAPE(2, 6, 4)), y;
    pml_tensor w = make_tensor(SHAPE(3, 9, 4)), bias = make_tensor(SHAPE(4)), less = make_tensor(SHAPE(3));
    PML_ASSERT_FAILS(pml_op_convolve(&context, &x, &even, &bias, NULL, &y, &error), PML_E_ARGUMENT, &error, "odd");
    PML_ASSERT_FAILS(pml_op_convolve(&context, &x, &w, &less, NULL, &y, &error), PML_E_ARGUMENT, &error, "bias");
    PML_ASSERT_FAILS(pml_op_convolve(&context, &x, &w, &bias, &x, &y, &error), PML_E_ARGUMENT, &error, "residual");
    end_test();
}

PML_TESTS("runtime/ops/convolve", PML_TEST(images_are_convolved), PML_TEST(what_does_not_fit_is_refused))
