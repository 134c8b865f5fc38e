/* Cut gradients: PyTorch's factor, elements, what is not finite, threads. */
#include "runtime/train/clip.h"

#include <math.h>
#include <string.h>

#include "tests/harness.h"

enum { COUNT = 50001 };
static float first[COUNT], second[3];
static pml_parameter_view views[] = {{.name = "a", .count = COUNT, .gradient = first},
                                     {.name = "b", .count = 3, .gradient = second}};
static pml_parameter_set set;
static pml_context context;

static void begin(size_t n_threads) {
    pml_error error;
    memset(&context, 0, sizeof context);
    PML_ASSERT_OK(pml_context_init(&context, NULL, &error), &error);
    PML_ASSERT_OK(pml_context_threads_set(&context, n_threads, &error), &error);
    context.share_cost = 1;
    PML_ASSERT_OK(pml_parameter_set_init(&set, views, 2, &error), &error);
    for (size_t i = 0; i < COUNT; i++) {
        first[i] = (float)((double)(i * 7919 % 1009) / 1009 - .5);
    }
    memcpy(second, (const float[]){3, -4, 12}, sizeof second);
}

static void end(void) {
    pml_parameter_set_deinit(&set);
    pml_context_deinit(&context);
}

static void norm_is_that_of_all(void) {
    double norms[2];
    for (size_t round = 0; round < 2; round++) {
        begin(round == 0 ? 1 : 3);
        double squares = 169;
        for (size_t i = 0; i < COUNT; i++) {
            squares += (double)first[i] * (double)first[i];
        }
        norms[round] = pml_gradient_norm(&set, &context);
        CU_ASSERT_TRUE(fabs(norms[round] - sqrt(squares)) <= 1e-12 * norms[round]);
        CU_ASSERT_EQUAL(pml_clip_gradient_norm(&set, 1.5, &context), norms[round]);
        CU_ASSERT_EQUAL(second[2], 12 * (float)(1.5 / (norms[round] + 1e-6)));
        CU_ASSERT_TRUE(fabs(pml_gradient_norm(&set, &context) - 1.5) < 1e-6);
        end();
    }
    CU_ASSERT_EQUAL(norms[0], norms[1]);
}

static void small_and_infinite_gradients_stay(void) {
    begin(1);
    const double norm = pml_clip_gradient_norm(&set, 1e6, &context);
    CU_ASSERT_TRUE(norm > 13 && second[2] == 12);
    second[0] = INFINITY;
    CU_ASSERT_EQUAL(pml_clip_gradient_norm(&set, 1, &context), INFINITY);
    CU_ASSERT_EQUAL(second[2], 12);
    second[0] = NAN;
    CU_ASSERT_TRUE(isnan(pml_clip_gradient_norm(&set, 1, &context)));
    CU_ASSERT_EQUAL(second[2], 12);
    end();
}

static void elements_are_cut(void) {
    begin(3);
    const float before = first[5];
    second[0] = NAN;
    pml_clip_gradient_value(&set, 4.5f, &context);
    CU_ASSERT_TRUE(isnan(second[0]) && second[1] == -4 && second[2] == 4.5f && first[5] == before);
    pml_clip_gradient_value(&set, .25f, &context);
    CU_ASSERT_TRUE(second[1] == -.25f && second[2] == .25f);
    bool inside = true;
    for (size_t i = 0; i < COUNT; i++) {
        inside = inside && first[i] >= -.25f && first[i] <= .25f;
    }
    CU_ASSERT_TRUE(inside);
    end();
}

PML_TESTS("train/clip", PML_TEST(norm_is_that_of_all), PML_TEST(small_and_infinite_gradients_stay),
          PML_TEST(elements_are_cut))
