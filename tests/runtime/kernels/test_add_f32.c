#include "tests/runtime/kernels/variants.h"

static void adds_into_a_third_or_into_an_operand(void) {
    uint64_t seed = 1;
    size_t position = 0;
    const pml_kernel_variant *variant;
    while ((variant = next_variant("add_f32", &position)) != NULL) {
        pml_binary_fn *add = (pml_binary_fn *)variant->code;
        for (size_t n = 0; n <= 67; n++) {
            floats a = make_floats(n, &seed), b = make_floats(n, &seed), y = make_floats(n + 1, &seed);
            y.data[n] = 99.0f;
            if (n > 2) {
                a.data[1] = NAN;
                b.data[2] = INFINITY;
            }
            add(a.data, b.data, y.data, n);
            bool right = y.data[n] == 99.0f;
            for (size_t i = 0; i < n; i++) {
                right = right && agrees(variant, y.data[i], a.data[i] + b.data[i], 0.0, i);
            }
            add(a.data, b.data, a.data, n);
            right = right && memcmp(a.data, y.data, n * sizeof(float)) == 0;
            CU_ASSERT_TRUE(right);
            free(a.block);
            free(b.block);
            free(y.block);
        }
    }
}

PML_TESTS("kernels/add_f32", PML_TEST(adds_into_a_third_or_into_an_operand))
