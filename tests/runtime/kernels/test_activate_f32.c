#include "tests/runtime/kernels/variants.h"

static double exact(pml_activation activation, double x) {
    switch (activation) {
    case PML_ACTIVATION_RELU:
        return x < 0.0 ? 0.0 : x;
    case PML_ACTIVATION_GELU:
        return x * 0.5 * (1.0 + erf(x * sqrt(0.5)));
    case PML_ACTIVATION_GELU_TANH:
        return x * 0.5 * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case PML_ACTIVATION_SILU:
        return x / (1.0 + exp(-x));
    case PML_ACTIVATION_TANH:
        return tanh(x);
    case PML_ACTIVATION_SIGMOID:
        return 1.0 / (1.0 + exp(-x));
    case PML_ACTIVATION_IDENTITY:
    case PML_ACTIVATION_COUNT:
        break;
    }
    return x;
}

/* What a bound multiplies: the result itself, but |x| for the GELUs, whose 1 + erf cancels for negative x. */
static double scale_of(pml_activation activation, double x, double y) {
    return activation == PML_ACTIVATION_GELU || activation == PML_ACTIVATION_GELU_TANH ? fabs(x) : fabs(y);
}

/* Every float exponent, both signs, and a fine walk where the functions bend. */
static size_t make_points(float *points) {
    size_t n = 0;
    for (int exponent = -149; exponent < 128; exponent++) {
        for (int part = 0; part < 8; part++) {
            float x = ldexpf(1.0f + (float)part / 8.0f, exponent);
            points[n++] = x;
            points[n++] = -x;
        }
    }
    for (int i = -15000; i <= 15000; i++) {
        points[n++] = (float)i * 0.0007317f;
    }
    return n;
}

enum { N_POINTS = 277 * 16 + 30001 };

static void every_variant_is_close_to_the_exact_function(void) {
    static float points[N_POINTS], values[N_POINTS];
    size_t n = make_points(points);
    CU_ASSERT_EQUAL(n, N_POINTS);
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("activate_f32", &position)) != NULL) {
        for (int a = 0; a < PML_ACTIVATION_COUNT; a++) {
            pml_activation activation = (pml_activation)a;
            memcpy(values, points, sizeof values);
            ((pml_activate_fn *)variant->code)(activation, values, n);
            double worst = 0.0;
            bool right = true;
            for (size_t i = 0; i < n && right; i++) {
                double y = exact(activation, (double)points[i]);
                double scale = scale_of(activation, (double)points[i], y);
                if (!isfinite((float)y)) {
                    continue;
                }
                right = agrees(variant, values[i], (float)y, scale, i);
                if (fabs(y) > (double)FLT_MIN) {
                    worst = fmax(worst, fabs((double)values[i] - y) / (scale * (double)FLT_EPSILON));
                }
            }
            CU_ASSERT_TRUE(right);
            (void)printf("\n    %s activation %d: worst error %.2f epsilon", variant->isa, a, worst);
        }
    }
}

static void special_values_keep_their_class(void) {
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("activate_f32", &position)) != NULL) {
        for (int a = 0; a < PML_ACTIVATION_COUNT; a++) {
            /* 19 values, so that a vector and a tail see each. */
            static const float special[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, FLT_MAX, -FLT_MAX};
            for (size_t s = 0; s < sizeof special / sizeof special[0]; s++) {
                float values[19];
                float twin = special[s];
                pml_activate_f32_scalar((pml_activation)a, &twin, 1);
                for (size_t i = 0; i < 19; i++) {
                    values[i] = special[s];
                }
                ((pml_activate_fn *)variant->code)((pml_activation)a, values, 19);
                bool right = true;
                for (size_t i = 0; i < 19; i++) {
                    right = right && agrees(variant, values[i], twin, isfinite(twin) ? fabs((double)twin) : 0.0, i);
                }
                CU_ASSERT_TRUE(right);
            }
        }
    }
}

static void every_length_stays_in_its_range(void) {
    uint64_t seed = 3;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("activate_f32", &position)) != NULL) {
        for (size_t n = 0; n <= 33; n++) {
            floats values = make_floats(n + 1, &seed);
            values.data[n] = -5.0f;
            ((pml_activate_fn *)variant->code)(PML_ACTIVATION_RELU, values.data, n);
            bool right = values.data[n] == -5.0f;
            for (size_t i = 0; i < n; i++) {
                right = right && values.data[i] >= 0.0f;
            }
            CU_ASSERT_TRUE(right);
            free(values.block);
        }
    }
}

PML_TESTS("kernels/activate_f32", PML_TEST(every_variant_is_close_to_the_exact_function),
          PML_TEST(special_values_keep_their_class), PML_TEST(every_length_stays_in_its_range))
