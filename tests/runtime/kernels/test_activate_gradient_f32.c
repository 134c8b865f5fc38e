#include "tests/runtime/kernels/variants.h"

/* Slopes in double. */
static double exact(pml_activation activation, double x) {
    const double pi = acos(-1.0), e = exp(-x), s = 1.0 / (1.0 + e);
    switch (activation) {
    case PML_ACTIVATION_RELU:
        return x <= 0.0 ? 0.0 : 1.0;
    case PML_ACTIVATION_GELU:
        return 0.5 * (1.0 + erf(x * sqrt(0.5))) + x * exp(-x * x / 2) / sqrt(2 * pi);
    case PML_ACTIVATION_GELU_TANH: {
        const double y = tanh(sqrt(2.0 / pi) * (x + 0.044715 * x * x * x));
        return 0.5 * (1.0 + y) + 0.5 * x * (1.0 - y * y) * sqrt(2.0 / pi) * (1.0 + 3 * 0.044715 * x * x);
    }
    case PML_ACTIVATION_SILU:
        return s * (1.0 + x * (1.0 - s));
    case PML_ACTIVATION_TANH:
        return 1.0 - tanh(x) * tanh(x);
    case PML_ACTIVATION_SIGMOID:
        return s * (1.0 - s);
    case PML_ACTIVATION_IDENTITY:
    case PML_ACTIVATION_COUNT:
        break;
    }
    return 1.0;
}

enum { N_POINTS = 60001 };

static void every_variant_is_close_to_the_exact_slope(void) {
    static float points[N_POINTS], dy[N_POINTS], dx[N_POINTS];
    uint64_t seed = 9;
    for (size_t i = 0; i < N_POINTS; i++) {
        points[i] = ((float)i - 30000.0f) * 0.0010731f;
        dy[i] = random_float(&seed);
    }
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("activate_gradient_f32", &position)) != NULL) {
        for (int a = 0; a < 2 * PML_ACTIVATION_COUNT; a++) {
            const bool adds = a >= PML_ACTIVATION_COUNT;
            const pml_activate_gradient job = {.activation = (pml_activation)(a % PML_ACTIVATION_COUNT),
                                               .n = N_POINTS,
                                               .x = points,
                                               .dy = dy,
                                               .dx = dx,
                                               .adds = adds};
            for (size_t i = 0; i < N_POINTS; i++) {
                dx[i] = 0.5f;
            }
            ((pml_activate_gradient_fn *)variant->code)(&job);
            double worst = 0.0;
            bool right = true;
            for (size_t i = 0; i < N_POINTS && right; i++) {
                const double expected = (double)dy[i] * exact(job.activation, (double)points[i]) + (adds ? 0.5 : 0);
                const double scale = fabs((double)dy[i]) + (adds ? 0.5 : 0);
                right = agrees(variant, dx[i], (float)expected, scale, i);
                worst = fmax(worst, fabs((double)dx[i] - expected) / (scale * (double)FLT_EPSILON));
            }
            CU_ASSERT_TRUE(right);
            (void)printf("\n    %s activation %d: worst error %.2f epsilon", variant->isa, a, worst);
        }
    }
}

static void special_values_have_the_slopes_of_their_sides(void) {
    static const float special[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, FLT_MAX, -FLT_MAX};
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("activate_gradient_f32", &position)) != NULL) {
        for (int a = PML_ACTIVATION_RELU; a < PML_ACTIVATION_COUNT; a++) {
            for (size_t s = 0; s < sizeof special / sizeof special[0]; s++) {
                float x[19], dx[19]; /* a vector and a tail see each */
                for (size_t i = 0; i < 19; i++) {
                    x[i] = special[s];
                    dx[i] = 1.0f;
                }
                /* in place: dx is dy */
                ((pml_activate_gradient_fn *)variant->code)(
                    &(pml_activate_gradient){.activation = (pml_activation)a, .n = 19, .x = x, .dy = dx, .dx = dx});
                const double flat = a == PML_ACTIVATION_TANH || a == PML_ACTIVATION_SIGMOID ? 0.0 : 1.0;
                for (size_t i = 0; i < 19; i++) {
                    if (isnan(special[s])) {
                        CU_ASSERT_TRUE(isnan(dx[i]) || a == PML_ACTIVATION_RELU);
                    } else if (fabsf(special[s]) > 1.0f) {
                        CU_ASSERT_TRUE(fabs((double)dx[i] - (special[s] > 0 ? flat : 0.0)) < 1e-30);
                    } else {
                        CU_ASSERT_TRUE(fabs((double)dx[i] - exact((pml_activation)a, 0.0)) < 1e-6);
                    }
                }
            }
        }
    }
}

static void every_length_stays_in_its_range(void) {
    uint64_t seed = 3;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("activate_gradient_f32", &position)) != NULL) {
        for (size_t n = 0; n <= 33; n++) {
            floats x = make_floats(n, &seed), dy = make_floats(n, &seed), dx = make_floats(n + 1, &seed);
            dx.data[n] = -5.0f;
            ((pml_activate_gradient_fn *)variant->code)(&(pml_activate_gradient){
                .activation = PML_ACTIVATION_RELU, .n = n, .x = x.data, .dy = dy.data, .dx = dx.data});
            bool right = dx.data[n] == -5.0f;
            for (size_t i = 0; i < n; i++) {
                right = right && dx.data[i] == (x.data[i] > 0 ? dy.data[i] : 0.0f);
            }
            CU_ASSERT_TRUE(right);
            free(x.block);
            free(dy.block);
            free(dx.block);
        }
    }
}

PML_TESTS("kernels/activate_gradient_f32", PML_TEST(every_variant_is_close_to_the_exact_slope),
          PML_TEST(special_values_have_the_slopes_of_their_sides), PML_TEST(every_length_stays_in_its_range))
