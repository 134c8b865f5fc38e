/* The running average of weights. */
#include "runtime/train/average.h"

#include <math.h>

#include "tests/harness.h"

static float value[2][3] = {{1, 2, 3}, {-1, 0, 5}}, average[2][3];
static float *const averages[] = {average[0], average[1]};
static pml_parameter_view views[] = {{.name = "a", .count = 3, .value = value[0]},
                                     {.name = "b", .count = 3, .value = value[1]}};

static void follows_and_changes_places(void) {
    pml_parameter_set set;
    pml_context context = {0};
    pml_error error;
    PML_ASSERT_OK(pml_context_init(&context, NULL, &error), &error);
    PML_ASSERT_OK(pml_parameter_set_init(&set, views, 2, &error), &error);
    pml_average_update(&set, averages, .75, &context);
    CU_ASSERT_EQUAL(average[0][2], .75f);
    CU_ASSERT_EQUAL(average[1][0], -.25f);
    value[0][2] = 7;
    pml_average_update(&set, averages, .75, &context);
    CU_ASSERT_EQUAL(average[0][2], .75f + .25f * 6.25f);
    pml_average_update(&set, averages, .25, &context); /* from the nearer end */
    CU_ASSERT_EQUAL(average[0][2], 7 - (7 - 2.3125f) * .25f);
    const float was = average[1][2];
    pml_average_swap(&set, averages, &context);
    CU_ASSERT_TRUE(value[1][2] == was && average[1][2] == 5);
    pml_average_update(&set, averages, 0, &context);
    CU_ASSERT_EQUAL(average[1][2], was);
    pml_average_update(&set, averages, 1, &context);
    CU_ASSERT_EQUAL(average[1][2], was);
    pml_parameter_set_deinit(&set);
    pml_context_deinit(&context);
}

PML_TESTS("train/average", PML_TEST(follows_and_changes_places))
