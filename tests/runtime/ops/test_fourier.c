#include "runtime/ops/fourier.h"

#include <complex.h>

#include "tests/runtime/ops/gradient_test.h"

enum { B = 2, D = 6, H = 2, E = D / H, M = 3, N = 4 };

static double complex number(const pml_tensor *x, size_t b, size_t m, size_t d) {
    const size_t n_modes = x->shape[1] / 2;
    const float *values = pml_tensor_f32_const(x) + b * x->shape[1] * x->shape[2];
    return (double)values[m * x->shape[2] + d] + (double)values[(n_modes + m) * x->shape[2] + d] * I;
}

static bool is_number(const pml_tensor *x, size_t b, size_t m, size_t d, double complex expected) {
    const double complex value = number(x, b, m, d);
    return is_near(creal(value), creal(expected), 2e-6) && is_near(cimag(value), cimag(expected), 2e-6);
}

static void every_mode_has_its_matrix(void) {
    begin_test(1 << 16);
    pml_tensor x = make_tensor(SHAPE(B, 2 * M, D)), y, odd = make_tensor(SHAPE(B, 3, D));
    pml_tensor real = make_tensor(SHAPE(H * M, E, E)), imaginary = make_tensor(SHAPE(H * M, E, E));
    PML_ASSERT_OK(pml_op_mix_modes(&context, &x, H, &real, &imaginary, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(B, 2 * M, D)));
    for (size_t i = 0; i < B * M * D; i++) {
        const size_t b = i / (M * D), m = i / D % M, h = i % D / E, out = i % E;
        double complex expected = 0;
        for (size_t e = 0; e < E; e++) {
            const size_t at = ((h * M + m) * E + e) * E + out;
            expected += number(&x, b, m, h * E + e) *
                        ((double)pml_tensor_f32(&real)[at] + (double)pml_tensor_f32(&imaginary)[at] * I);
        }
        CU_ASSERT_TRUE(is_number(&y, b, m, h * E + out, expected));
    }
    CU_ASSERT_TRUE(context.workspace_peak_bytes <= pml_mix_modes_bytes(B, M, D));
    PML_ASSERT_FAILS(pml_op_mix_modes(&context, &odd, H, &real, &imaginary, &y, &error), PML_E_ARGUMENT, &error,
                     "spectrum");
    end_test();
}

static double complex activated(pml_fourier_activation activation, double complex value, double total) {
    return activation == PML_FOURIER_TANH            ? ctanh(value)
           : activation == PML_FOURIER_TANH_SEPARATE ? tanh(creal(value)) + tanh(cimag(value)) * I
                                                     : exp(cabs(value)) / total;
}

static void check_attention(pml_fourier_activation activation) {
    begin_test(1 << 16);
    pml_tensor q = make_tensor(SHAPE(B, 2 * M, D)), k = make_tensor(SHAPE(B, 2 * N, D)), y;
    PML_ASSERT_OK(pml_op_fourier_attention(&context, &q, &k, H, activation, &y, &error), &error);
    CU_ASSERT_TRUE_FATAL(has_shape(&y, SHAPE(B, 2 * M, D)));
    for (size_t i = 0; i < B * M * H; i++) {
        const size_t b = i / (M * H), m = i / H % M, h = i % H;
        double complex score[N];
        double total = 0;
        for (size_t n = 0; n < N; n++) {
            score[n] = 0;
            for (size_t e = 0; e < E; e++) {
                score[n] += number(&q, b, m, h * E + e) * number(&k, b, n, h * E + e);
            }
            total += exp(cabs(score[n]));
        }
        for (size_t e = 0; e < E; e++) {
            double complex expected = 0;
            for (size_t n = 0; n < N; n++) {
                expected += activated(activation, score[n], total) * number(&k, b, n, h * E + e);
            }
            CU_ASSERT_TRUE(is_number(&y, b, m, h * E + e, expected));
        }
    }
    CU_ASSERT_TRUE(context.workspace_peak_bytes <= pml_fourier_attention_bytes(B, M, D));
    end_test();
}

static void frequencies_attend(void) {
    check_attention(PML_FOURIER_TANH);
    check_attention(PML_FOURIER_TANH_SEPARATE);
    check_attention(PML_FOURIER_SOFTMAX);
}

/* sinh and cosh of such numbers are no floats, and no doubles. */
static void large_numbers_do_not_overflow(void) {
    static const float factors[] = {3e2F, -3e2F, 3e18F};
    for (size_t i = 0; i < 3; i++) {
        begin_test(1 << 16);
        pml_tensor q = make_tensor(SHAPE(1, 2, 1)), k = make_tensor(SHAPE(1, 2, 1)), y;
        pml_tensor_f32(&q)[0] = factors[i];
        pml_tensor_f32(&q)[1] = 0;
        pml_tensor_f32(&k)[0] = 2;
        pml_tensor_f32(&k)[1] = 0;
        PML_ASSERT_OK(pml_op_fourier_attention(&context, &q, &k, 1, PML_FOURIER_TANH, &y, &error), &error);
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[0], factors[i] > 0 ? 2 : -2);
        CU_ASSERT_EQUAL(pml_tensor_f32(&y)[1], 0);
        end_test();
    }
}

/* ---- gradients ---- */
static pml_status mix_modes(pml_tensor *leaves, void *user, pml_tensor *y) {
    (void)user;
    return pml_op_mix_modes(&context, &leaves[0], H, &leaves[1], &leaves[2], y, &error);
}

static void gradients_match_differences(void) {
    begin_test(1 << 20);
    pml_tensor leaves[] = {make_tensor(SHAPE(B, 2 * M, D)), make_tensor(SHAPE(H * M, E, E)),
                           make_tensor(SHAPE(H * M, E, E))};
    check_gradients(mix_modes, leaves, 3, NULL);
    check_gradients(mix_modes, leaves, 1, NULL);
    end_test();
}

static pml_status attention(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_fourier_attention(&context, &leaves[0], &leaves[1], H, *(const pml_fourier_activation *)user, y,
                                    &error);
}

static pml_status self_attention(pml_tensor *leaves, void *user, pml_tensor *y) {
    return pml_op_fourier_attention(&context, &leaves[0], &leaves[0], H, *(const pml_fourier_activation *)user, y,
                                    &error);
}

/* With threads too: what a head makes does not depend on them. */
static void attention_gradients_match_differences(void) {
    for (size_t n_threads = 1; n_threads <= 3; n_threads += 2) {
        for (int a = 0; a < 3; a++) {
            pml_fourier_activation activation = (pml_fourier_activation)a;
            begin_test(1 << 20);
            PML_ASSERT_OK(pml_context_threads_set(&context, n_threads, &error), &error);
            context.share_cost = 1;
            pml_tensor leaves[] = {make_tensor(SHAPE(B, 2 * M, D)), make_tensor(SHAPE(B, 2 * N, D))};
            for (size_t i = 0; i < 2; i++) { /* away from the poles of tanh, near which differences say little */
                for (size_t j = 0; j < pml_tensor_count(&leaves[i]); j++) {
                    pml_tensor_f32(&leaves[i])[j] *= 0.6F;
                }
            }
            check_gradients(attention, leaves, 2, &activation);
            check_gradients(attention, leaves, 1, &activation);
            check_gradients(self_attention, leaves, 1, &activation);
            end_test();
        }
    }
}

PML_TESTS("runtime/ops/fourier", PML_TEST(gradients_match_differences), PML_TEST(attention_gradients_match_differences),
          PML_TEST(every_mode_has_its_matrix), PML_TEST(frequencies_attend), PML_TEST(large_numbers_do_not_overflow))
